from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import engine.models.tables  # noqa: F401  the event's instance refers to its definition
from engine.db import Base, arm_sqlite


@pytest.fixture
def session(tmp_path) -> Iterator[Session]:
    database = create_engine(f"sqlite:///{tmp_path / 'record.db'}")
    arm_sqlite(database)
    Base.metadata.create_all(database)
    with Session(database) as opened:
        yield opened
    database.dispose()
