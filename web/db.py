"""The web's session: Flask-SQLAlchemy over the same tables, URL and SQLite behaviour as the worker's plain sessions."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import URL, make_url

from engine.db import Base, arm_sqlite, keyring, pool_options
from engine.settings import Settings

db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"expire_on_commit": False})


def init(app: Flask, settings: Settings) -> None:
    """Binds `db` to the settings' database and arms the keyring for encrypted columns."""
    keyring.use(settings.data_key_bytes)
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    url = _absolute(make_url(settings.url))
    sqlite = url.get_backend_name() == "sqlite"
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = pool_options(settings)
    db.init_app(app)
    if sqlite:
        with app.app_context():
            arm_sqlite(db.engine)


def _absolute(url: URL) -> URL:
    # Flask-SQLAlchemy would move a relative SQLite file into the instance folder, away from the worker's.
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return url.set(database=str(Path(url.database).resolve()))
    return url
