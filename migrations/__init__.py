"""The database's schema over time. `carelane migrate` and `carelane demo` call `upgrade`; a new version is made with

.venv/bin/alembic revision --autogenerate -m "why"
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

POSTGRES_LOCK = 0x0CA7E1A4E  # any constant of ours: processes that start together migrate one after the other


def config() -> Config:
    """Alembic's configuration, wherever the package is installed."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return settings


def head() -> str | None:
    """The newest version there is; None before the first."""
    return ScriptDirectory.from_config(config()).get_current_head()


def current(engine: Engine) -> str | None:
    """The version that the database has; None when it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, to: str = "head") -> str | None:
    """Brings the database to a version, in one transaction, and returns that version."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            _upgrade_sqlite(connection, to)
        else:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
                _run(connection, to)
    return current(engine)


def _upgrade_sqlite(connection: Connection, to: str) -> None:
    """SQLite changes a table by copying and dropping it, which foreign keys would turn into deleted rows."""
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        writer = connection.execution_options(immediate=True)
        with writer.begin():
            _run(writer, to)
            broken = writer.execute(text("PRAGMA foreign_key_check")).all()
            if broken:
                raise RuntimeError(f"the migration would leave {len(broken)} rows without their parents, first: {broken[0]}")
    finally:
        connection.invalidate()  # the next connection has its foreign keys on


def _run(connection: Connection, to: str) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, to)
