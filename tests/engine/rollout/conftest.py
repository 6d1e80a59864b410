from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import engine.execution.tables
import engine.models.tables  # noqa: F401
from engine.db import Base, arm_sqlite
from engine.models.tables import Definition, Deployment, Resource
from tests.engine.history.record_rows import MONDAY


@pytest.fixture
def session(tmp_path) -> Iterator[Session]:
    database = create_engine(f"sqlite:///{tmp_path / 'rollout.db'}")
    arm_sqlite(database)
    Base.metadata.create_all(database)
    with Session(database) as opened:
        yield opened
    database.dispose()


@pytest.fixture
def versions(session) -> None:
    """Both versions of the outpatient visit, deployed."""
    session.add_all([Resource(hash="h", content=b""), Deployment(id="d", at=MONDAY, by="owner")])
    session.flush()
    for number, tag in enumerate(("as-is", "to-be"), 1):
        session.add(Definition(kind="process", key="outpatient_visit", version=number, version_tag=tag, hash="h", deployment_id="d", at=MONDAY))
    session.flush()
