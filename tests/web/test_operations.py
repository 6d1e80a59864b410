"""Operations: found by filters that survive, changed by hand with a reason, refused in words, recorded with who and why."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import ConnectorFailed
from engine.execution import instances, jobs
from engine.execution.tables import Event, Incident, Instance, Job, Task
from engine.execution.values import decode
from tests.web.clinic import Clinic, Person
from web.db import db
from web.operations import typed

WHY = "the patient asked"


def token(visit: Instance, element: str) -> str:
    return next(t.token for t in instances.tokens(db.session(), visit.id) if t.element_id == element)


def root(visit: Instance) -> str:
    return instances.scopes(db.session(), visit.id)[0].scope


def at(visit: Instance) -> list[str]:
    db.session.rollback()
    db.session.expire_all()
    return sorted(t.element_id for t in instances.tokens(db.session(), visit.id))


def last(visit: Instance, kind: str) -> Event:
    return db.session.scalars(select(Event).where(Event.instance_id == visit.id, Event.kind == kind).order_by(Event.id.desc())).first()  # type: ignore[return-value]


def stuck(clinic: Clinic, *names: str, kind: Any = "permanent") -> list[Instance]:
    """Visits whose records system refused."""
    visits = [clinic.triaged(name, ticket=f"A{n:03}") for n, name in enumerate(names)]
    for visit in visits:
        clinic.person("owner").post(
            f"/operations/{visit.id}/move", {"token": token(visit, "Task_Consult"), "to": f"{root(visit)}:Task_Tell", "reason": WHY}
        )
    for job in jobs.claim(db.session(), "w1", 10, timedelta(seconds=30)):
        jobs.fail(db.session(), job, "w1", ConnectorFailed(f"The records system is down (call {job.id}).", kind=kind))
    db.session.commit()
    return visits


@pytest.fixture
def owner(clinic: Clinic) -> Person:
    return clinic.person("owner")


@pytest.fixture
def engineer(clinic: Clinic) -> Person:
    return clinic.person("engineer")


class TestList:
    def test_by_state_department_age_and_number(self, clinic: Clinic, owner: Person) -> None:
        with clock.at(clock.now() - timedelta(hours=5)):
            old = clinic.visit("surgery")
        new = clinic.visit("paediatrics")
        everything = owner.text("/operations")
        assert str(old.business_key) in everything
        assert str(new.business_key) in everything
        for asked in ("department=surgery", "age=4h", f"text={old.business_key}"):
            page = owner.text(f"/operations?{asked}")
            assert str(old.business_key) in page
            assert f"<strong>{new.business_key}</strong>" not in page
        assert "No instances here" in owner.text("/operations?state=completed")
        assert "No instances here" in owner.text("/operations?process=outpatient_visit&version=9")

    def test_those_with_incidents(self, clinic: Clinic, owner: Person) -> None:
        clinic.visit()
        (visit,) = stuck(clinic, "张伟")
        page = owner.text("/operations?state=incident")
        assert page.count("/visits/0") == 1
        assert f"/visits/{visit.id}" in page

    def test_what_was_asked_for_survives_going_back(self, clinic: Clinic, owner: Person) -> None:
        visit = clinic.visit("surgery")
        owner.get("/operations?state=all&department=surgery&age=")
        page = html.unescape(owner.text(f"/visits/{visit.id}"))
        (address,) = re.findall(r'class="crumbs"><a href="(/operations[^"]*)"', page)
        assert parse_qs(urlsplit(address).query) == {"state": ["all"], "department": ["surgery"]}

    def test_names_are_shown_to_those_who_may_know_them_only(self, clinic: Clinic, owner: Person, engineer: Person) -> None:
        clinic.identified("欧阳秘密")
        assert "欧阳秘密" in engineer.text("/operations")
        assert "欧阳秘密" not in owner.text("/operations")


class TestByHand:
    def test_paused_and_going_on(self, clinic: Clinic, owner: Person) -> None:
        visit = clinic.identified()
        owner.post(f"/operations/{visit.id}/suspend", {"reason": WHY})
        assert db.session.get_one(Instance, visit.id).state == "suspended"
        page = owner.text(f"/visits/{visit.id}")
        assert "Let it go on" in page
        assert "Move to another step" not in page
        owner.post(f"/operations/{visit.id}/resume", {"reason": "back again"})
        assert db.session.get_one(Instance, visit.id).state == "running"
        assert (last(visit, "suspended").actor, last(visit, "suspended").detail["reason"]) == ("owner", WHY)
        assert last(visit, "resumed").detail["reason"] == "back again"

    def test_moved_and_the_record_says_who_where_and_why(self, clinic: Clinic, owner: Person) -> None:
        visit = clinic.identified()
        given = {"token": token(visit, "Task_Vitals"), "to": f"{root(visit)}:Task_Consult", "reason": WHY}
        owner.post(f"/operations/{visit.id}/move", given)
        assert at(visit) == ["Task_Consult"]
        page = owner.text(f"/visits/{visit.id}")
        assert "Moved by hand from Vital signs to Consultation" in page
        assert WHY in page

    def test_back_to_an_earlier_step(self, clinic: Clinic, owner: Person) -> None:
        visit = clinic.triaged()
        page = owner.text(f"/visits/{visit.id}")
        assert f'value="{token(visit, "Task_Consult")}:Task_Vitals"' in page
        owner.post(f"/operations/{visit.id}/back", {"to": f"{token(visit, 'Task_Consult')}:Task_Vitals", "reason": WHY})
        assert at(visit) == ["Task_Vitals"]

    def test_a_further_step_and_one_less(self, clinic: Clinic, owner: Person) -> None:
        visit = clinic.identified()
        owner.post(f"/operations/{visit.id}/add", {"to": f"{root(visit)}:Task_Consult", "reason": WHY})
        assert at(visit) == ["Task_Consult", "Task_Vitals"]
        owner.post(f"/operations/{visit.id}/take", {"token": token(visit, "Task_Vitals"), "reason": WHY})
        assert at(visit) == ["Task_Consult"]
        page = owner.text(f"/visits/{visit.id}")
        assert "Begun by hand: Consultation" in page
        assert "Taken away by hand: Vital signs" in page

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_what_would_do_damage_is_refused_in_words(self, clinic: Clinic, language: str) -> None:
        owner = clinic.person("owner", language)
        visit = clinic.identified()
        answer = owner.post(f"/operations/{visit.id}/take", {"token": token(visit, "Task_Vitals"), "reason": WHY}, follow_redirects=True)
        assert {"en": "It is the last one here", "zh": "没有做任何更改"}[language] in answer.get_data(as_text=True)
        assert at(visit) == ["Task_Vitals"]

    @pytest.mark.parametrize("what", ["suspend", "move", "back", "add", "take", "variables"])
    def test_nothing_without_a_reason(self, clinic: Clinic, owner: Person, what: str) -> None:
        visit = clinic.triaged()
        owner.post(f"/operations/{visit.id}/add", {"to": f"{root(visit)}:Task_Vitals", "reason": WHY})  # else none could be taken away
        before = len(db.session.scalars(select(Event.id)).all())
        here, scope = token(visit, "Task_Consult"), root(visit)
        to = {"back": f"{here}:Task_Vitals"}.get(what, f"{scope}:Task_Tell")
        values = typed.written({**instances.variables(db.session(), visit.id), "more": 1})
        given = {"token": here, "to": to, "scope": scope, "values": values}
        answer = owner.post(f"/operations/{visit.id}/{what}", {**given, "reason": " "}, follow_redirects=True)
        assert "Say why" in answer.get_data(as_text=True)
        assert len(db.session.scalars(select(Event.id)).all()) == before
        owner.post(f"/operations/{visit.id}/{what}", {**given, "reason": WHY})
        assert len(db.session.scalars(select(Event.id)).all()) > before

    @pytest.mark.parametrize("role", ["doctor", "nurse", "admin", "pm"])
    def test_others_see_no_panel_and_may_not(self, clinic: Clinic, role: str) -> None:
        visit = clinic.identified()
        person = clinic.person(role)
        assert 'id="operate"' not in person.text(f"/visits/{visit.id}")
        assert person.post(f"/operations/{visit.id}/suspend", {"reason": WHY}).status_code == 403

    def test_a_call_under_way_is_not_thrown_away(self, clinic: Clinic, owner: Person) -> None:
        (visit,) = stuck(clinic, "张伟")
        owner.post(f"/incidents/{db.session.scalars(select(Incident.id)).one()}/retry")
        jobs.claim(db.session(), "w2", 10, timedelta(seconds=30))
        db.session.commit()
        given = {"token": token(visit, "Task_Tell"), "to": f"{root(visit)}:Task_Consult", "reason": WHY}
        answer = owner.post(f"/operations/{visit.id}/move", given, follow_redirects=True)
        assert "wait for its answer" in answer.get_data(as_text=True)
        assert at(visit) == ["Task_Tell"]


class TestValues:
    def change(self, person: Person, visit: Instance, text: str, **more: str) -> Any:
        given = {"scope": root(visit), "values": text, "reason": WHY, **more}
        return person.post(f"/operations/{visit.id}/variables", given, follow_redirects=True)

    def with_changed(self, visit: Instance, **values: Any) -> str:
        return json.dumps({**json.loads(typed.written(instances.variables(db.session(), visit.id))), **values})

    def test_are_changed_with_their_types(self, clinic: Clinic, engineer: Person) -> None:
        visit = clinic.identified()
        self.change(engineer, visit, self.with_changed(visit, ticket="B007", born={"$date": "1980-05-02"}))
        db.session.rollback()
        values = instances.variables(db.session(), visit.id)
        assert (values["ticket"], values["born"].year) == ("B007", 1980)
        assert db.session.get_one(Instance, visit.id).ticket == "B007"
        event = last(visit, "variables")
        assert event.detail["before"]["ticket"] == "A001"
        assert decode(event.detail["set"]).keys() == {"ticket", "born"}, "only what changed"

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ('{"a": 1,\n "b": }', "Line 2, column 7"),
            ("[1]", "write an object"),
            ('{"a": 1, "a": 2}', "a is there twice"),
            ('{"list": [1, {"when": {"$date": "soon"}}]}', "list[1].when"),
            ('{"n": NaN}', "NaN is no JSON number"),
        ],
    )
    def test_a_mistake_is_answered_with_its_place_and_the_text_stays(self, clinic: Clinic, engineer: Person, text: str, place: str) -> None:
        visit = clinic.identified()
        before = instances.variables(db.session(), visit.id)
        answer = self.change(engineer, visit, text)
        page = html.unescape(answer.get_data(as_text=True))
        assert answer.status_code == 422
        assert place in page
        assert text in page
        assert instances.variables(db.session(), visit.id) == before

    def test_another_type_must_be_meant(self, clinic: Clinic, engineer: Person) -> None:
        visit = clinic.identified()
        text = self.with_changed(visit, ticket=7)
        assert "was a text and would become a number" in self.change(engineer, visit, text).get_data(as_text=True)
        assert "Changed: ticket" in self.change(engineer, visit, text, any_type="on").get_data(as_text=True)

    def test_one_left_out_is_no_wish_to_remove_it(self, clinic: Clinic, engineer: Person) -> None:
        visit = clinic.identified()
        assert "is missing" in self.change(engineer, visit, "{}").get_data(as_text=True)


class TestIncidents:
    def test_are_grouped_by_cause_and_tried_again_together(self, clinic: Clinic, engineer: Person) -> None:
        stuck(clinic, "张伟", "王芳", "李强")
        page = engineer.text("/incidents")
        assert "3 visits" in page
        assert page.count('class="cause"') == 1, "messages that differ in a number only are one cause"
        ids = re.findall(r'name="incident" value="(\w+)"', page)
        engineer.post("/incidents/retry", {"incident": [*ids, "gone"]})
        assert set(db.session.scalars(select(Job.state))) == {"ready"}
        answer = engineer.text("/incidents")
        assert "3 steps are being tried again." in answer
        assert "1 could not be tried again" in answer
        assert "Nothing is stuck" in answer

    def test_the_input_is_corrected_and_tried_again(self, clinic: Clinic, engineer: Person) -> None:
        stuck(clinic, "张伟")
        incident = db.session.scalars(select(Incident)).one()
        assert "张伟" in html.unescape(engineer.text(f"/incidents/{incident.id}"))
        engineer.post(f"/incidents/{incident.id}/edit", {"input": '{"patientName": "张玮"}', "reason": "misspelt"})
        job = db.session.scalars(select(Job)).one()
        assert (job.state, decode(job.input)) == ("ready", {"patientName": "张玮"})
        kept = db.session.scalars(select(Event).where(Event.kind == "resolved")).one()
        assert (kept.actor, kept.detail["edited"], kept.detail["reason"]) == ("engineer", True, "misspelt")

    def test_input_with_a_mistake_stays_on_the_page(self, clinic: Clinic, engineer: Person) -> None:
        stuck(clinic, "张伟")
        incident = db.session.scalars(select(Incident)).one()
        page = engineer.post(f"/incidents/{incident.id}/edit", {"input": "{oops", "reason": "misspelt"}).get_data(as_text=True)
        assert "Line 1, column 2" in page
        assert "{oops" in page


class TestJobs:
    def test_say_when_they_are_due_and_what_went_wrong(self, clinic: Clinic, engineer: Person) -> None:
        stuck(clinic, "张伟", kind="transient")
        page = engineer.text("/operations/jobs?state=failed")
        assert "The records system is down" in page
        assert "Nothing here" in engineer.text("/operations/jobs?state=failed&kind=timer")

    def test_what_failed_is_tried_now(self, clinic: Clinic, engineer: Person) -> None:
        stuck(clinic, "张伟")
        job = db.session.scalars(select(Job)).one()
        engineer.post(f"/operations/jobs/{job.id}/now", {"reason": "it is back"})
        db.session.expire_all()
        assert db.session.scalars(select(Job.state)).one() == "ready"

    def test_what_waits_for_its_time_is_done_now(self, clinic: Clinic, engineer: Person) -> None:
        (visit,) = stuck(clinic, "张伟")
        job = db.session.scalars(select(Job)).one()
        job.state, job.due = "ready", clock.now() + timedelta(hours=1)
        db.session.commit()
        engineer.post(f"/operations/jobs/{job.id}/now", {"reason": "it is back"})
        db.session.expire_all()
        assert db.session.get_one(Job, job.id).due <= clock.now()
        assert last(visit, "moved").detail["hastened"] == "Task_Tell"

    def test_a_project_manager_may_look_but_not_act(self, clinic: Clinic) -> None:
        stuck(clinic, "张伟")
        manager = clinic.person("pm")
        assert "/now" not in manager.text("/operations/jobs?state=failed")
        assert manager.post(f"/operations/jobs/{db.session.scalars(select(Job.id)).one()}/now", {"reason": WHY}).status_code == 403


def test_the_inbox_follows_what_is_done_by_hand(clinic: Clinic, owner: Person) -> None:
    visit = clinic.identified()
    owner.post(f"/operations/{visit.id}/move", {"token": token(visit, "Task_Vitals"), "to": f"{root(visit)}:Task_Consult", "reason": WHY})
    open_now = select(Task.element_id).where(Task.instance_id == visit.id, Task.state == "open")
    assert db.session.scalars(open_now).all() == ["Task_Consult"]
