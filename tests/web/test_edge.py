"""One commit at the edge: all of a request's work or none of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from engine.errors import Conflict, Stale
from tests.web.clinic import Clinic
from web.access import public
from web.accounts.tables import Department
from web.db import db
from web.edge import Then, outside
from web.records.tables import AccessRecord


def add_department(code: str) -> None:
    db.session.add(Department(code=code, name_zh=code, name_en=code))
    db.session.flush()


def there(code: str) -> bool:
    db.session.rollback()
    return db.session.get(Department, code) is not None


def test_a_writing_view_commits_once_it_has_returned(clinic: Clinic) -> None:
    @clinic.app.post("/t")
    @public
    def view() -> str:
        add_department("new")
        return "ok"

    assert clinic.stranger().post("/t").status_code == 200
    assert there("new")


def test_a_reading_view_never_commits(clinic: Clinic) -> None:
    @clinic.app.get("/t")
    @public
    def view() -> str:
        add_department("new")
        return "ok"

    assert clinic.stranger().get("/t").status_code == 200
    assert not there("new")


@pytest.mark.parametrize("status", [400, 409, 422])
def test_an_answer_that_says_no_leaves_nothing_behind(clinic: Clinic, status: int) -> None:
    @clinic.app.post("/t")
    @public
    def view() -> tuple[str, int]:
        add_department("new")
        return "no", status

    assert clinic.stranger().post("/t").status_code == status
    assert not there("new")


def test_an_error_in_a_view_undoes_it(clinic: Clinic) -> None:
    @clinic.app.post("/t")
    @public
    def view() -> str:
        add_department("new")
        raise Conflict

    assert clinic.stranger().post("/t").status_code == 409
    assert not there("new")


@pytest.mark.parametrize(("clashes", "status", "runs"), [(0, 200, 1), (1, 200, 2), (3, 200, 4), (4, 409, 4)])
def test_a_clash_on_an_instance_is_tried_again_up_to_three_times(clinic: Clinic, clashes: int, status: int, runs: int) -> None:
    seen: list[int] = []

    @clinic.app.post("/t")
    @public
    def view() -> str:
        seen.append(1)
        add_department("new")
        if len(seen) <= clashes:
            raise Stale
        return "ok"

    assert clinic.stranger().post("/t").status_code == status
    assert len(seen) == runs
    assert there("new") == (status == 200)


def test_opening_a_patients_task_is_written_to_the_access_record(clinic: Clinic) -> None:
    visit = clinic.identified()
    task = clinic.task(visit)
    clinic.person("nurse").text(f"/tasks/{task.id}")
    rows = list(db.session.scalars(select(AccessRecord)))
    assert [(row.actor, row.action, row.kind, row.patient) for row in rows] == [("nurse", "task.open", "R", visit.subject)]


def test_a_read_that_was_refused_is_not_recorded_as_one(clinic: Clinic) -> None:
    visit = clinic.identified(department="surgery")
    other = clinic.hire("kid", "triage_nurse", "paediatrics")
    assert other.get(f"/tasks/{clinic.task(visit).id}").status_code == 404
    assert list(db.session.scalars(select(AccessRecord))) == []


def test_only_the_edge_commits() -> None:
    """Sessions are touched and requests committed in three known places, nowhere else."""
    root = Path(__file__).parents[2] / "web"
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "session.commit()" in path.read_text() and path.relative_to(root).parts[0] not in ("cli", "demo", "client")
    }
    assert found == {"edge.py", "accounts/sessions.py"}


def test_a_view_that_asks_another_system_holds_no_lock_meanwhile_and_writes_once_it_has_the_answer(clinic: Clinic) -> None:
    held: list[bool] = []

    @clinic.app.post("/t")
    @public
    @outside
    def view() -> Then:
        held.append(db.session().in_transaction())
        add_department("lost")  # before the answer nothing is kept

        def write() -> str:
            add_department("new")
            return "ok"

        return Then(write)

    assert clinic.stranger().post("/t").status_code == 200
    assert held == [False]
    assert (there("lost"), there("new")) == (False, True)
