from __future__ import annotations

import pytest

from engine.models.tables import Definition, Deployment, Resource
from tests.engine.history.record_rows import MONDAY


@pytest.fixture
def versions(session) -> None:
    """Both versions of the outpatient visit, deployed."""
    session.add_all([Resource(hash="h", content=b""), Deployment(id="d", at=MONDAY, by="owner")])
    session.flush()
    for number, tag in enumerate(("as-is", "to-be"), 1):
        session.add(Definition(kind="process", key="outpatient_visit", version=number, version_tag=tag, hash="h", deployment_id="d", at=MONDAY))
    session.flush()
