"""Each behaviour is shown three ways: in memory, dumped and reloaded between all steps, and in a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.orm import Session

from engine.db import Base, arm_sqlite, keyring
from tests.conftest import load_tables
from tests.engine.world import Memory, Stored, World

pytest.register_assert_rewrite("tests.engine.execution.case")


@pytest.fixture(scope="session")
def memory_database() -> Iterator[Engine]:
    """An SQLite database in memory with every table, shared by the tests: each one leaves it empty."""
    load_tables()
    keyring.use(b"0" * 32)
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    arm_sqlite(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def stored(memory_database: Engine) -> Iterator[Stored]:
    """An instance in a database."""
    with Session(memory_database, expire_on_commit=False) as session:
        yield Stored(session)
        session.rollback()
    with memory_database.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture(params=["memory", "reloaded", "database"])
def world(request: pytest.FixtureRequest) -> World:
    """The same test thrice."""
    if request.param == "database":
        stored: Stored = request.getfixturevalue("stored")
        return stored
    return Memory(reload=request.param == "reloaded")
