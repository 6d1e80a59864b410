"""What past releases left behind: each parked instance loads, goes on, and ends as the release itself would have ended it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

import migrations
from engine.execution import instances, tasks
from engine.execution.tables import Instance, Task, offer, urgency
from tests import machines
from tests.conftest import ROOT, load_tables
from tests.engine.world import assert_rows_match
from tests.upgrade.cases import CASES
from tests.upgrade.hands import Hands
from tests.upgrade.park import twin
from tests.upgrade.restore import MANIFESTS, on_postgres, on_sqlite

PARKED = [
    pytest.param(manifest["release"], case, id=f"{manifest['release']}-{case['name']}") for manifest in MANIFESTS for case in manifest["cases"]
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def upgraded(request: pytest.FixtureRequest) -> Iterator[dict[str, Engine]]:
    """The databases of all releases, upgraded; each test finishes an instance of its own."""
    load_tables()
    with TemporaryDirectory(prefix="carelane-upgrade-") as folder:
        engines: dict[str, Engine] = {}
        if request.param == "sqlite":
            engines = {m["release"]: on_sqlite(m, Path(folder) / m["release"]) for m in MANIFESTS}
            yield from _upgraded(engines)
            return
        server = request.getfixturevalue("postgres_server")
        with machines.postgres_database(server) as url:
            assert len(MANIFESTS) == 1, "a further release needs a further database"
            engines = {m["release"]: on_postgres(m, Path(folder) / m["release"], url) for m in MANIFESTS}
            yield from _upgraded(engines)


def _upgraded(engines: dict[str, Engine]) -> Iterator[dict[str, Engine]]:
    for engine in engines.values():
        assert migrations.upgrade(engine) == migrations.head()
    yield engines
    for engine in engines.values():
        engine.dispose()


@pytest.mark.parametrize(("release", "case"), PARKED)
def test_a_parked_instance_finishes_on_the_present_code(upgraded: dict[str, Engine], release: str, case: dict[str, Any]) -> None:
    with Session(upgraded[release], expire_on_commit=False) as session:
        hands = Hands(session, case["name"], case["instance"], datetime.fromisoformat(case["now"]))
        if case["instance"] and instances.get(session, case["instance"]).state == "running":
            assert_rows_match(session, case["instance"])
        hands.do(case["finish"])
        assert hands.outcome() == case["expected"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["release"])
def test_who_held_a_task_and_what_was_typed_is_still_there(manifest: dict[str, Any], tmp_path: Path) -> None:
    engine = on_sqlite(manifest, tmp_path / "var")
    migrations.upgrade(engine)
    instance = next(case["instance"] for case in manifest["cases"] if case["name"] == "task_draft")
    with Session(engine) as session:
        task = session.scalars(select(Task).where(Task.instance_id == instance, Task.state == "open")).one()
        assert (task.assignee, task.draft) == ("ann", {"pulse": 80})
    engine.dispose()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["release"])
def test_inboxes_show_what_waited_in_the_order_of_today(manifest: dict[str, Any], tmp_path: Path) -> None:
    """Columns that inboxes are sorted and searched by are filled for the tasks of old."""
    engine = on_sqlite(manifest, tmp_path / "var")
    migrations.upgrade(engine)
    with Session(engine) as session:
        open_ones = session.scalars(select(Task).where(Task.state == "open")).all()
        assert [task.urgency for task in open_ones] == [urgency(task.acuity, task.priority, task.due) for task in open_ones]
        assert [task.offer for task in open_ones] == [offer(task.roles, task.users) for task in open_ones]
        nurse = tasks.inbox(session, user="eve", roles=["nurse"], limit=1000)
        assert {task.instance_id for task in open_ones if "nurse" in task.roles} <= {task.instance_id for task in nurse}
    engine.dispose()


def test_a_format_that_is_not_known_is_refused_and_not_guessed(tmp_path: Path) -> None:
    """The proof that the tests above would fail if the format of states changed without a reader of the old one."""
    engine = on_sqlite(MANIFESTS[0], tmp_path / "var")
    migrations.upgrade(engine)
    with Session(engine) as session:
        id = MANIFESTS[0]["cases"][0]["instance"]
        body = {**instances.get(session, id).body, "format": 0}
        session.execute(update(Instance).where(Instance.id == id).values(body=body))
        session.expire_all()
        with pytest.raises(ValueError, match="format 0 is not known"):
            instances.variables(session, id)
    engine.dispose()


def test_each_release_has_its_database() -> None:
    released = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released, "the changelog names no release"
    assert {m["release"] for m in MANIFESTS} >= set(released[1:]), "every release but the newest must be parked (tests/upgrade/park.py)"


def test_the_generator_runs_on_the_present_code() -> None:
    case = next(case for case in CASES if case.name == "each_parallel")
    assert twin(case)["end"] == "end"
