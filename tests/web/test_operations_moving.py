"""Running visits moved to a new version: a mapping to look at, a dry run, a batch with its report; refused where it would do damage."""

from __future__ import annotations

import html

import pytest
from sqlalchemy import select

from engine.execution import instances
from engine.execution.tables import Event, Instance
from engine.models import deploy
from tests.web.clinic import MODELS, Clinic, Person
from web.db import db
from web.operations import moving
from web.operations.tables import MigrationBatch

PAGE = "/operations/processes/outpatient_visit/1/move"


def deploy_version(*changes: tuple[str, str]) -> None:
    """A further version of the process, with text replaced."""
    text = (MODELS / "visit.bpmn").read_text()
    for old, new in (('<bpmn:endEvent id="Event_End" name="Visit ends"', '<bpmn:endEvent id="Event_End" name="Visit is over"'), *changes):
        assert old in text
        text = text.replace(old, new)
    deploy.deploy(db.session(), {"visit.bpmn": text.encode()}, by="test")
    db.session.commit()


RENAMED = ("Task_Vitals", "Task_Signs")


@pytest.fixture
def owner(clinic: Clinic) -> Person:
    return clinic.person("owner")


def run_to_end(person: Person) -> MigrationBatch:
    batch = db.session.scalars(select(MigrationBatch)).one()
    for _ in range(20):
        db.session.expire_all()
        if not db.session.get_one(MigrationBatch, batch.id).todo:
            break
        person.post(f"/operations/migrations/{batch.id}/step")
    return db.session.get_one(MigrationBatch, batch.id)


def test_versions_say_how_many_run_on_them(clinic: Clinic, owner: Person) -> None:
    clinic.visit()
    assert "Move to another version" not in owner.text("/operations/processes"), "there is no other yet"
    deploy_version()
    page = owner.text("/operations/processes")
    assert PAGE in page
    assert page.count("Move to another version") == 1


def test_elements_are_matched_by_id_and_those_without_a_place_come_first(clinic: Clinic, owner: Person) -> None:
    clinic.identified()
    deploy_version(RENAMED)
    page = owner.text(PAGE)
    assert page.index("map:Task_Vitals") < page.index("map:Task_Consult")
    assert page.count("not in the new version") == 1
    assert '<option value="Task_Consult" selected>' in page


def test_a_dry_run_gives_each_its_verdict_and_changes_nothing(clinic: Clinic, owner: Person) -> None:
    refused, possible = clinic.identified("张伟"), clinic.triaged("王芳", ticket="A002")
    deploy_version(RENAMED)
    page = html.unescape(owner.post(PAGE, {"do": "check"}).get_data(as_text=True))
    assert "1 possible" in page
    assert "1 refused" in page
    assert "Vital signs (Task_Vitals): the new version does not have it." in page
    assert page.index(str(refused.business_key)) < page.index(str(possible.business_key)), "those refused first"
    assert {v.version for v in db.session.scalars(select(Instance))} == {1}


def test_an_explicit_mapping_makes_it_possible(clinic: Clinic, owner: Person) -> None:
    visit = clinic.identified()
    deploy_version(RENAMED)
    page = owner.post(PAGE, {"do": "check", "map:Task_Vitals": "Task_Signs"}).get_data(as_text=True)
    assert "1 possible" in page
    owner.post(PAGE, {"do": "run", "map:Task_Vitals": "Task_Signs", "reason": "new form"})
    batch = run_to_end(owner)
    assert (batch.moved, batch.refused) == (1, [])
    assert [t.element_id for t in instances.tokens(db.session(), visit.id)] == ["Task_Signs"]
    event = db.session.scalars(select(Event).where(Event.kind == "migrated")).one()
    assert (event.actor, event.detail["reason"]) == ("owner", "new form")
    assert "Moved to version 2" in owner.text(f"/visits/{visit.id}")


def test_a_batch_goes_on_piece_by_piece_and_reports_who_stayed(clinic: Clinic, owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PIECE", 2)
    for n in range(3):
        clinic.triaged(f"病人{n}", ticket=f"A{n:03}")
    stays = clinic.identified("张伟", ticket="B001")
    deploy_version(RENAMED)
    answer = owner.post(PAGE, {"do": "run", "reason": "new form"})
    assert "0 of 4" in owner.text(answer.location)
    batch = db.session.scalars(select(MigrationBatch)).one()
    part = owner.post(f"/operations/migrations/{batch.id}/step", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "2 of 4" in part
    assert "hx-post" in part
    run_to_end(owner)
    page = html.unescape(owner.text(answer.location))
    assert "3 moved" in page
    assert "1 refused" in page
    assert str(stays.business_key) in page
    assert "hx-post" not in page
    assert sorted(v.version for v in db.session.scalars(select(Instance))) == [1, 2, 2, 2]


def test_a_batch_needs_a_reason(clinic: Clinic, owner: Person) -> None:
    clinic.triaged()
    deploy_version()
    assert "Say why" in owner.post(PAGE, {"do": "run"}).get_data(as_text=True)
    assert db.session.scalars(select(MigrationBatch)).all() == []


def test_a_project_manager_may_read_the_report_but_not_move(clinic: Clinic, owner: Person) -> None:
    clinic.triaged()
    deploy_version()
    address = owner.post(PAGE, {"do": "run", "reason": "new form"}).location
    manager = clinic.person("pm")
    assert "0 of 1" in manager.text(address)
    assert manager.get(PAGE).status_code == 403
