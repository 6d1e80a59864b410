"""Alembic's entry: our tables, and types written so that a migration never imports today's code."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from engine.db import Base, Encrypted, UtcDateTime, open_engine
from engine.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "integrations", "web")


def load_tables() -> None:
    """Imports each `tables.py`: the only modules that declare tables (tests/test_shape.py holds this)."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("tables.py")):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Our column types as what the database sees."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, Encrypted):
        return "sa.LargeBinary()"
    return False


def run(connection: Connection) -> None:
    """Runs what alembic was asked for on this connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=render_item,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


load_tables()
given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with open_engine(Settings.from_env()).connect() as own, own.begin():
        run(own)
