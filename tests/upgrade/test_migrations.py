"""The schema over time: from nothing and from each release to today's tables, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

import migrations
from engine.db import Base, Encrypted, UtcDateTime, open_engine
from tests.conftest import load_tables
from tests.upgrade.park import settings
from tests.upgrade.restore import MANIFESTS, on_postgres, on_sqlite


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a table."""
    load_tables()
    more = {"database_url": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}
    engine = open_engine(settings(tmp_path / "var", **more))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The first release's database with its rows."""
    load_tables()
    if request.param == "postgres":
        engine = on_postgres(MANIFESTS[0], tmp_path / "var", request.getfixturevalue("postgres_url"))
    else:
        engine = on_sqlite(MANIFESTS[0], tmp_path / "var")
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[Any]:
    """What alembic would change to make the database like our tables."""

    def same_type(_context: Any, _column: Any, _meta: Any, there: Any, ours: Any) -> bool | None:
        return False if isinstance(ours, UtcDateTime | Encrypted) else None  # compared by what they are written as

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": same_type})
        return list(compare_metadata(context, Base.metadata))


def test_from_nothing_to_today(empty: Engine) -> None:
    assert migrations.upgrade(empty) == migrations.head()
    assert differences(empty) == []


def test_it_would_see_a_forgotten_column(empty: Engine) -> None:
    migrations.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("ALTER TABLE instance ADD COLUMN forgotten INTEGER"))
    assert [found[0] for found in differences(empty)] == ["remove_column"]


def test_from_a_release_with_its_rows_to_today(released: Engine) -> None:
    before = counts(released)
    assert before["instance"] > 60
    assert migrations.upgrade(released) == migrations.head()
    assert differences(released) == []
    after = counts(released)
    assert {name: after[name] for name in before} == before


def test_twice_changes_nothing(released: Engine) -> None:
    migrations.upgrade(released)
    before = counts(released)
    migrations.upgrade(released)
    assert counts(released) == before


def counts(engine: Engine) -> dict[str, int]:
    """Rows by table."""
    with engine.connect() as connection:
        names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        return {name: int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()) for name in names}
