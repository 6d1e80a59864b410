"""Visits: begun by the registrar, looked into by those who may, cancelled with a reason, helped when stuck."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import ConnectorFailed
from engine.execution import jobs
from engine.execution.tables import Event, Incident, Instance, Job
from tests.web.clinic import Clinic
from web.db import db
from web.visits.begin import next_number


def stuck(clinic: Clinic, kind: str = "permanent") -> Incident:
    """A visit whose records system refused."""
    visit = clinic.triaged()
    doctor = clinic.person("doctor")
    task = clinic.task(visit)
    doctor.post(f"/tasks/{task.id}/claim")
    doctor.post(f"/tasks/{task.id}/complete")
    (job,) = jobs.claim(db.session(), "w1", 10, timedelta(seconds=30))
    jobs.fail(db.session(), job, "w1", ConnectorFailed("The records system is down.", kind=kind))
    db.session.commit()
    return db.session.scalars(select(Incident)).one()


def test_one_press_begins_a_visit_and_opens_its_first_form(clinic: Clinic) -> None:
    registrar = clinic.person("registrar")
    answer = registrar.post("/visits", {"department": "ent"})
    assert answer.location.startswith("/tasks/")
    page = registrar.text(answer.location)
    assert "Identify the patient" in page
    visit = db.session.scalars(select(Instance)).one()
    assert (visit.department, visit.started_by) == ("ent", "registrar")
    assert clinic.task(visit).assignee == "registrar"


def test_visit_numbers_count_up_each_day_of_the_clinic(clinic: Clinic) -> None:
    morning = clock.now().replace(hour=1, minute=0)
    with clock.at(morning):
        numbers = [next_number(db.session(), "Asia/Shanghai") for _ in range(3)]
    assert [number[-4:] for number in numbers] == ["0001", "0002", "0003"]
    with clock.at(morning.replace(hour=17)):  # past midnight in Shanghai
        assert next_number(db.session(), "Asia/Shanghai")[-4:] == "0001"


def test_a_visit_for_a_department_that_does_not_exist_is_refused(clinic: Clinic) -> None:
    assert clinic.person("registrar").post("/visits", {"department": "mars"}).status_code == 404
    assert db.session.scalars(select(Instance)).all() == []


def test_the_page_tells_who_did_what_and_how_long_it_took(clinic: Clinic) -> None:
    with clock.at(clock.now() - timedelta(minutes=30)):
        visit = clinic.identified()
    nurse = clinic.person("nurse")
    with clock.at(clock.now() - timedelta(minutes=18)):
        nurse.post(f"/tasks/{clinic.task(visit).id}/claim")
    nurse.post(f"/tasks/{clinic.task(visit).id}/complete", {"pulse": "80", "acuity": "3"})
    page = clinic.person("doctor").text(f"/visits/{visit.id}")
    assert "Li Na · waited 12 min · took 18 min" in " ".join(page.split())
    assert "Outpatient visit began" in page


def test_tokens_show_where_a_visit_stands(clinic: Clinic) -> None:
    visit = clinic.triaged()
    stand = clinic.person("doctor").get(f"/visits/{visit.id}/live").get_json()
    (tab,) = stand["tabs"].values()
    assert tab["active"] == {"Task_Consult": 1}
    assert {"Event_Start", "Task_Identify", "Task_Vitals"} <= set(tab["done"])
    assert "Flow_2" in tab["flows"]


@pytest.mark.parametrize(("language", "name"), [("zh", "生命体征"), ("en", "Vital signs")])
def test_the_diagram_speaks_the_readers_language(clinic: Clinic, language: str, name: str) -> None:
    visit = clinic.visit("surgery")
    xml = clinic.person("doctor", language).text(f"/visits/{visit.id}/diagrams/{visit.definition_id}")
    assert f'name="{name}"' in xml


def test_a_diagram_that_is_not_the_visits_is_not_shown(clinic: Clinic) -> None:
    visit = clinic.visit("surgery")
    assert clinic.person("doctor").get(f"/visits/{visit.id}/diagrams/nonsense").status_code == 404


def test_values_are_for_those_who_may_see_them(clinic: Clinic) -> None:
    visit = clinic.triaged()
    assert "patientName" in clinic.person("doctor").text(f"/visits/{visit.id}")
    assert "patientName" not in clinic.person("nurse").text(f"/visits/{visit.id}")


def test_cancelling_needs_a_reason_which_is_kept(clinic: Clinic) -> None:
    visit, registrar = clinic.triaged(), clinic.person("registrar")
    registrar.post(f"/visits/{visit.id}/cancel", {"reason": " "})
    assert clinic.task(visit).state == "open"
    registrar.post(f"/visits/{visit.id}/cancel", {"reason": "患者离开"})
    page = registrar.text(f"/visits/{visit.id}")
    assert "患者离开" in page
    assert "cancelled" in page
    assert "Nothing is waiting" in clinic.person("doctor").text("/inbox")


def test_lists_filter_by_state_number_ticket_and_name(clinic: Clinic) -> None:
    first, second = clinic.identified("王小明", ticket="A011"), clinic.identified("李大力", ticket="A012")
    nurse = clinic.person("nurse")
    for text in (first.business_key, "A011", "王小明"):
        page = nurse.text(f"/visits?text={text}")
        assert str(first.business_key) in page
        assert str(second.business_key) not in page
    assert str(first.business_key) not in nurse.text("/visits?state=completed")


def test_pages_follow_one_another(clinic: Clinic) -> None:
    for _ in range(53):
        clinic.visit()
    owner = clinic.person("owner")
    assert owner.text("/visits").count("/visits/0") == 50
    assert owner.text("/visits?page=2").count("/visits/0") == 3


def test_an_incident_says_what_stopped_why_and_who_must_do_what(clinic: Clinic) -> None:
    incident = stuck(clinic)
    page = clinic.person("engineer").text("/incidents")
    assert "Stopped: Tell the records system" in page
    assert "The records system is down." in page
    assert "bring the other system back" in page
    assert "Stopped" in clinic.person("doctor").text(f"/visits/{incident.instance_id}")


def test_trying_again_puts_the_job_back(clinic: Clinic) -> None:
    incident = stuck(clinic)
    engineer = clinic.person("engineer")
    engineer.post(f"/incidents/{incident.id}/retry")
    assert db.session.scalars(select(Job.state)).all() == ["ready"]
    assert "Nothing is stuck" in engineer.text("/incidents")


def test_an_outcome_that_is_unknown_asks_before_it_is_tried_again(clinic: Clinic) -> None:
    stuck(clinic, "unknown")
    page = clinic.person("engineer").text("/incidents")
    assert "data-confirm" in page
    assert "whether it happened" in page


def test_skipping_needs_a_reason_and_a_result(clinic: Clinic) -> None:
    incident = stuck(clinic)
    engineer = clinic.person("engineer")
    for wrong in ({"reason": ""}, {"reason": "done by phone", "output": "no json"}, {"reason": "done by phone", "output": "[]"}):
        engineer.post(f"/incidents/{incident.id}/skip", wrong)
        assert db.session.get_one(Incident, incident.id).state == "open"
    engineer.post(f"/incidents/{incident.id}/skip", {"reason": "done by phone", "output": '{"ack": "AA"}'})
    assert db.session.get_one(Instance, incident.instance_id).state == "completed"
    kept = db.session.scalars(select(Event).where(Event.kind == "resolved")).one()
    assert (kept.actor, kept.detail["skipped"]) == ("engineer", "done by phone")
