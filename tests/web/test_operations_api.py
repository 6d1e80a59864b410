"""The operations of the page for other programs: with a reason, a key against doing it twice, and problems in words."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.execution import instances
from engine.execution.tables import Event, Incident, Instance
from tests.web.clinic import Clinic
from tests.web.test_api import call, token
from tests.web.test_operations import at, last, stuck
from web.db import db


def standing(clinic: Clinic, visit: Instance, his: dict[str, str]) -> dict[str, str]:
    """Element → token, as the program sees it."""
    found = call(clinic, "GET", f"/instances/{visit.id}", his).get_json()["tokens"]
    return {one["element"]: one["token"] for one in found}


def test_a_program_steers_an_instance(clinic: Clinic) -> None:
    visit, his = clinic.triaged(), token()

    def act(name: str, **given: Any) -> Any:
        answer = call(clinic, "POST", f"/instances/{visit.id}/{name}", his, {"reason": "the HIS asked", **given})
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    assert act("suspend")["state"] == "suspended"
    assert act("resume")["state"] == "running"
    act("back", token=standing(clinic, visit, his)["Task_Consult"], element="Task_Vitals")
    act("add", element="Task_Consult")
    assert at(visit) == ["Task_Consult", "Task_Vitals"]
    act("take", token=standing(clinic, visit, his)["Task_Vitals"])
    act("move", token=standing(clinic, visit, his)["Task_Consult"], element="Task_Vitals")
    act("variables", variables={"born": {"$date": "1980-05-02"}})
    assert instances.variables(db.session(), visit.id)["born"].year == 1980
    assert at(visit) == ["Task_Vitals"]
    assert last(visit, "variables").detail["reason"] == "the HIS asked"


def test_the_same_key_does_it_once(clinic: Clinic) -> None:
    visit, his = clinic.triaged(), {**token(), "Idempotency-Key": "k1"}
    for _ in range(2):
        assert call(clinic, "POST", f"/instances/{visit.id}/add", his, {"reason": "again", "element": "Task_Vitals"}).status_code == 200
    assert at(visit) == ["Task_Consult", "Task_Vitals"]


@pytest.mark.parametrize(
    ("name", "given", "status"),
    [
        ("take", {"reason": "no more", "token": "t3"}, 409),
        ("suspend", {}, 422),
        ("suspend", {"reason": " "}, 422),
        ("add", {"reason": "why not", "element": "Nowhere"}, 409),
        ("variables", {"reason": "typo", "variables": {"born": {"$date": "soon"}}}, 422),
    ],
)
def test_what_cannot_be_done_is_a_problem_and_changes_nothing(clinic: Clinic, name: str, given: dict[str, Any], status: int) -> None:
    visit, his = clinic.triaged(), token()
    before = len(db.session.scalars(select(Event.id)).all())
    given = {**given, "token": standing(clinic, visit, his)["Task_Consult"]} if "token" in given else given
    answer = call(clinic, "POST", f"/instances/{visit.id}/{name}", his, given)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert len(db.session.scalars(select(Event.id)).all()) == before


def test_incidents_are_tried_again_or_skipped(clinic: Clinic) -> None:
    one, two = stuck(clinic, "张伟", "王芳")
    ids = {i.instance_id: i.id for i in db.session.scalars(select(Incident))}
    his = token()
    assert call(clinic, "POST", f"/incidents/{ids[one.id]}/retry", his, {"reason": "it is back"}).status_code == 200
    assert (
        call(clinic, "POST", f"/incidents/{ids[two.id]}/skip", his, {"reason": "by phone", "output": {"ack": "AA"}}).get_json()["state"]
        == "completed"
    )


def test_a_token_that_only_reads_may_not(clinic: Clinic) -> None:
    visit = clinic.triaged()
    assert call(clinic, "POST", f"/instances/{visit.id}/suspend", token(("instances:read",)), {"reason": "test"}).status_code == 403
