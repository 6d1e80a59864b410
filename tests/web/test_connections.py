"""Pages of the integration engineer: connections, the message log, the work list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask_babel import force_locale
from sqlalchemy import select

import integrations
from engine import clock
from engine import db as ground
from engine.execution.tables import Incident, Instance, Job, Subscription
from integrations.connections import book, history
from integrations.hl7 import inbound
from integrations.messages.tables import MessageAction, MessageLog, WorkItem
from integrations.patients import index
from tests.web.clinic import Clinic, Person
from web.connections.sentences import said
from web.db import db
from web.records.tables import AccessRecord

NAME = "欧阳秘密"
HL7 = (
    "MSH|^~\\&|LAB|H|CARELANE|CLINIC|20261122||ORU^R01^ORU_R01|{control}|P|2.5.1\rPID|1||{number}^^^CARELANE^MR||欧阳^秘密\r"
    "ORC|RE|{order}\rOBR|1|{order}||718-7^HGB^LN|||||||||||||||||||||F\rOBX|1|NM|718-7^HGB^LN||13.1|g/dL|12-16|N|||F\r"
)


@pytest.fixture(autouse=True)
def loaded(clinic: Clinic) -> Iterator[None]:
    """The clinic with its connectors and two connections."""
    engine = ground.open_engine(clinic.app.config["CARELANE"])
    integrations.load(sessions=ground.sessions(engine), settings=clinic.app.config["CARELANE"])
    session = db.session()
    book.put(session, "lis", "mllp", address={"host": "127.0.0.1", "port": 9, "idempotent": True}, secrets={"ca_certificate": "CANARY-PEM"})
    book.put(session, "mllp", "mllp_listener", address={"host": "127.0.0.1", "port": 2575}, direction="in")
    session.commit()
    yield
    book.forget()
    engine.dispose()


def engineer(clinic: Clinic) -> Person:
    return clinic.person("engineer")


def came(order: str, control: str = "C1", number: str = "", state: str = "placed") -> MessageLog:
    """A result that came in and was placed as far as it could be."""
    (received,) = inbound.store(db.session(), "mllp", HL7.format(order=order, control=control, number=number).encode())
    if state == "placed":
        inbound.place(db.session(), received.row.id)
    db.session.commit()
    return received.row


def sent(visit: Instance, reference: str, state: str = "answered", key: str | None = None) -> MessageLog:
    row = MessageLog(
        direction="out", connection="lis", control=f"X{reference}", kind="OML^O21", reference=reference, instance_id=visit.id,
        patient_id=visit.subject, state=state, sent=HL7.format(order=reference, control="C9", number="1"), at=clock.now(), call_key=key,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def waits(visit: Instance, order: str) -> Subscription:
    """Stands for a visit that waits for its laboratory result."""
    made = Subscription(kind="message", name="lab_result", key=order, instance_id=visit.id, token="t9", element_id="Event_Result",
                        definition_id=visit.definition_id, created=clock.now())  # fmt: skip
    db.session.add(made)
    db.session.commit()
    return made


def failed_job(visit: Instance, state: str = "failed") -> Job:
    """A call of the visit that has failed, with its incident."""
    job = Job(kind="call", state=state, instance_id=visit.id, token="t0", element_id="Task_Tell", process_id=visit.process_id,
              type="hl7.oml_o21", key=f"{visit.id}:t0:1", input={"orderId": "O1"}, due=clock.now() + timedelta(hours=1), created=clock.now())  # fmt: skip
    db.session.add(job)
    db.session.flush()
    db.session.add(Incident(instance_id=visit.id, token="t0", job_id=job.id, process_id=visit.process_id, element_id="Task_Tell",
                            kind="job", message="down", created=clock.now()))  # fmt: skip
    db.session.commit()
    return job


def fresh(row: MessageLog) -> MessageLog:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(MessageLog, row.id)


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_shows_how_each_connection_does(clinic: Clinic) -> None:
    sent(clinic.identified(NAME), "O1", state="failed")
    text = engineer(clinic).text("/connections")
    assert all(word in text for word in ("lis", "mllp", "running", "normal", "100%"))


def test_stopping_and_starting_is_kept_with_who_did_it(clinic: Clinic) -> None:
    person = engineer(clinic)
    person.post("/connections/lis/stop")
    assert "stopped" in person.text("/connections/lis")
    person.post("/connections/lis/start")
    assert [(c.what, c.by) for c in history.of(db.session(), "lis")][:2] == [("started", "engineer"), ("stopped", "engineer")]


def test_a_stopped_connection_asks_webhooks_to_come_again(clinic: Clinic) -> None:
    book.put(db.session(), "card", "gateway", address={"url": "http://127.0.0.1:9"}, secrets={"shared_key": "k"}, direction="both")
    book.switch(db.session(), "card", "stopped", by="test")
    db.session.commit()
    answer = clinic.stranger().client.post("/hooks/card", data=b"{}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")


def test_a_stopped_partner_is_asked_to_come_again(clinic: Clinic) -> None:
    book.put(db.session(), "partner", "fhir", address={"url": "http://127.0.0.1:9"}, secrets={"inbound_token": "tok"}, direction="both")
    book.switch(db.session(), "partner", "stopped", by="test")
    db.session.commit()
    answer = clinic.stranger().client.put("/fhir/Task/1", json={"resourceType": "Task", "id": "1"}, headers={"Authorization": "Bearer tok"})
    assert answer.status_code == 503


def test_settings_are_checked_saved_and_kept_in_the_history(clinic: Clinic) -> None:
    person = engineer(clinic)
    assert person.post("/connections/lis", {"address.host": "", "address.port": "70000"}).status_code == 422
    assert db.session.get_one(type(book.get(db.session(), "lis")), book.get(db.session(), "lis").id).address["port"] == 9
    given = {"address.host": "10.0.0.5", "address.port": "6661", "address.idempotent": "1", "keep_days": "90", "alert_minutes": "5"}
    assert person.post("/connections/lis", given).status_code == 302
    db.session.expire_all()
    row = book.get(db.session(), "lis")
    assert (row.address["host"], row.address["port"], row.keep_days, row.alert_minutes, row.changed_by) == ("10.0.0.5", 6661, 90, 5, "engineer")
    assert history.of(db.session(), "lis")[0].detail["address.port"] == [9, 6661]
    assert "9 → 6661" in person.text("/connections/lis")


def test_secrets_go_in_and_never_come_out(clinic: Clinic) -> None:
    person = engineer(clinic)
    given = {"address.host": "h", "address.port": "1", "secret.ca_certificate": "NEW-CANARY"}
    person.post("/connections/lis", given)
    person.post("/connections/lis", {**given, "address.port": "2", "secret.ca_certificate": ""})
    db.session.expire_all()
    assert book.get(db.session(), "lis").secrets == {"ca_certificate": "NEW-CANARY"}, "what is left empty stays"
    for path in ("/connections", "/connections/lis", "/connections/new?kind=mllp"):
        assert "CANARY" not in person.text(path)
    assert not any("CANARY" in str(change.detail) for change in history.of(db.session(), "lis"))


def test_a_new_connection_begins_stopped(clinic: Clinic) -> None:
    person = engineer(clinic)
    assert person.post("/connections", {"name": "A b", "kind": "mllp"}).status_code == 422
    given = {"name": "ehr", "kind": "mllp", "title.en": "Record", "address.host": "h", "address.port": "2576"}
    assert person.post("/connections", given).status_code == 302
    assert book.get(db.session(), "ehr").state == "stopped"


def test_a_test_says_what_it_found_and_notes_it(clinic: Clinic) -> None:
    person = engineer(clinic)
    person.post("/connections/lis/test")
    assert "does not answer" in person.text("/connections/lis")
    db.session.expire_all()
    assert book.get(db.session(), "lis").last_bad is not None


def test_what_fails_for_ten_minutes_is_an_alarm_here_and_in_the_metrics(clinic: Clinic) -> None:
    row = book.get(db.session(), "lis")
    row.last_bad, row.last_good = clock.now(), clock.now() - timedelta(minutes=11)
    row.expires = clock.now() + timedelta(days=3, minutes=1)
    db.session.commit()
    text = engineer(clinic).text("/connections")
    assert "still failing after 11 min" in text
    assert "certificate ends in 3 days" in text
    metrics = clinic.stranger().text("/metrics")
    assert 'carelane_connection_alarm{connection="lis",kind="failing"} 1.0' in metrics
    for name in ("waiting", "oldest_seconds", "error_rate", "circuit_open", "running"):
        assert f'carelane_connection_{name}{{connection="lis"}}' in metrics


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_are_found_by_patient_order_control_state_and_words(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    number = db.session.get_one(index.Patient, visit.subject).record_number
    sent(visit, "ORDER-7")
    came("ORDER-8", "C8")
    person = engineer(clinic)
    for query in (
        "text=ORDER-7",
        "text=XORDER-7",
        f"text={visit.business_key}",
        f"patient={number}",
        f"patient={NAME}",
        "connection=lis",
        "direction=out",
    ):
        text = person.text(f"/messages?{query}")
        assert "ORDER-7" in text, query
        assert "LAB|C8" not in text.replace("&#124;", "|"), query
    assert "C8" in person.text("/messages?content=ORDER-8&state=unmatched")
    assert "C8" not in person.text("/messages?until=2020-01-01T00:00")


def test_pages_go_by_cursor_and_filters_survive_going_to_a_message_and_back(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    for n in range(120):
        db.session.add(
            MessageLog(direction="out", connection="lis", control=f"N{n:03}", state="answered", at=clock.now(), instance_id=visit.id)
        )
    db.session.commit()
    person = engineer(clinic)
    seen, path = [], "/messages?connection=lis&amp;state=answered"
    while path:
        text = person.text(path.replace("&amp;", "&"))
        seen += re.findall(r'title="(N\d+)"', text)
        older = re.search(r'href="(/messages\?[^"]*after=[^"]*)">Older', text)
        link = re.search(r'href="(/messages/\w+\?[^"]*)"', text)
        assert link
        back = person.text(link[1].replace("&amp;", "&"))
        assert re.search(r'href="/messages\?[^"]*connection=lis[^"]*"', back)
        path = older[1] if older else ""
    assert sorted(seen) == [f"N{n:03}" for n in range(120)]
    assert len(seen) == 120


def test_content_is_masked_until_it_is_shown_and_that_is_recorded(clinic: Clinic) -> None:
    row = sent(clinic.identified(NAME), "O1")
    person = engineer(clinic)
    masked = person.text(f"/messages/{row.id}")
    assert "OBX|1|NM|718-7^HGB^LN" in masked.replace("&#124;", "|")
    assert not any(part in re.sub(r"<dl.*?</dl>", "", masked, flags=re.DOTALL) for part in ("欧阳", "秘密", "13.1"))
    assert "欧阳^秘密" in person.text(f"/messages/{row.id}?show=1")
    assert db.session.scalars(select(AccessRecord.action).where(AccessRecord.actor == "engineer")).all() == ["messages.view"]


def test_who_may_not_see_patients_sees_structure_only(clinic: Clinic) -> None:
    row = sent(clinic.identified(NAME), "O1")
    owner = clinic.person("owner")
    for path in ("/messages", f"/messages/{row.id}", f"/messages/{row.id}?show=1", "/messages?content=秘密", f"/messages?patient={NAME}"):
        text = owner.text(path)
        assert "欧阳" not in re.sub(r'value="[^"]*"', "", text)
    assert owner.post(f"/messages/{row.id}/replay", {"why": "because"}).status_code == 403
    assert clinic.person("nurse").get("/messages").status_code == 403


def test_a_failed_call_is_tried_again_with_a_reason_only(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    job = failed_job(visit)
    row = sent(visit, "O1", state="failed", key=job.key)
    person = engineer(clinic)
    assert "XO1" in person.text("/messages?state=dead")
    assert person.post(f"/messages/{row.id}/retry", {"why": " "}).status_code == 422
    assert person.post(f"/messages/{row.id}/retry", {"why": "LIS is back"}).status_code == 302
    db.session.expire_all()
    assert db.session.get_one(Job, job.id).state == "ready"
    (kept,) = db.session.scalars(select(MessageAction))
    assert (kept.what, kept.why, kept.by) == ("retry", "LIS is back", "engineer")
    assert "LIS is back" in person.text(f"/messages/{row.id}")


def test_an_unknown_outcome_is_tried_again_only_by_somebody_who_looked(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    row = sent(visit, "O1", state="unknown", key=failed_job(visit).key)
    person = engineer(clinic)
    assert person.post(f"/messages/{row.id}/retry", {"why": "again"}).status_code == 422
    assert person.post(f"/messages/{row.id}/retry", {"why": "again", "sure": "1"}).status_code == 302


def test_many_are_tried_again_at_once_and_those_that_cannot_be_are_named(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    good = sent(visit, "O1", state="failed", key=failed_job(visit).key)
    other = sent(visit, "O2")
    person = engineer(clinic)
    person.post("/messages/act?connection=lis", {"what": "retry", "why": "LIS is back", "all": "1"})
    text = person.text("/messages?connection=lis")
    assert "1 message is under way." in text
    assert "1 could not be" in text
    assert {a.message_id for a in db.session.scalars(select(MessageAction))} == {good.id}
    assert other.id


def test_an_edited_call_goes_on_with_its_new_input(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    job = failed_job(visit)
    row = sent(visit, "O1", state="refused", key=job.key)
    person = engineer(clinic)
    assert person.post(f"/messages/{row.id}/edit", {"why": "wrong code", "content": "no json"}).status_code == 422
    person.post(f"/messages/{row.id}/edit", {"why": "wrong code", "content": '{"orderId": "O1", "tests": []}'})
    db.session.expire_all()
    edited = db.session.get_one(Job, job.id)
    assert (edited.state, edited.input, edited.key) == ("ready", {"orderId": "O1", "tests": []}, f"{visit.id}:t0:1~1")


# ── work list ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_of_the_work_list_is_assigned_to_a_visit(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    wait = waits(visit, "O77")
    row = came("UNKNOWN-1")
    item = db.session.scalars(select(WorkItem)).one()
    person = engineer(clinic)
    assert "names an order that we never sent" in person.text("/worklist")
    assert "O77" in person.text(f"/worklist/{item.id}"), "its own PID leads to the patient"
    assert "O77" in person.text(f"/worklist/{item.id}?q={visit.business_key}")
    assert "Nobody was found" in person.text(f"/worklist/{item.id}?q=nobody")
    db.session.delete(wait)  # the real wait of this visit is another: publishing must not fire this stand-in
    db.session.commit()
    person.post(f"/worklist/{item.id}/assign", {"wait": wait.id})
    assert "no longer waits" in person.text(f"/worklist/{item.id}")
    person.post(f"/worklist/{item.id}/assign", {"patient": visit.subject})
    assert (fresh(row).state, row.patient_id) == ("matched", visit.subject)
    assert "Every message found its place" in person.text("/worklist")
    assert person.get(f"/worklist/{item.id}").status_code == 409


def test_a_message_is_dismissed_with_a_reason_and_stays_in_the_log(clinic: Clinic) -> None:
    row = came("UNKNOWN-1")
    item = db.session.scalars(select(WorkItem)).one()
    person = engineer(clinic)
    assert person.post(f"/worklist/{item.id}/dismiss", {"why": ""}).status_code == 422
    person.post(f"/worklist/{item.id}/dismiss", {"why": "a test of the laboratory's"})
    assert "a test of the laboratory" in person.text(f"/messages/{row.id}")


def test_once_its_order_is_there_a_message_finds_its_place(clinic: Clinic) -> None:
    row = came("LATE-1")
    visit = clinic.identified(NAME)
    sent(visit, "LATE-1")
    item = db.session.scalars(select(WorkItem)).one()
    engineer(clinic).post(f"/worklist/{item.id}/again")
    assert (fresh(row).state, row.instance_id) == ("matched", visit.id)


def test_reasons_and_their_details_are_in_the_readers_language(clinic: Clinic) -> None:
    detail = came("NOBODY").error
    assert str(detail) in engineer(clinic).text("/worklist"), "these people read English"
    with clinic.app.test_request_context(), force_locale("zh"):
        assert said(detail) == "本系统没有发出过该医嘱（NOBODY）"
        assert said("old_lis v3: birthDate: 19 is no date") == "old_lis v3: birthDate: 19 不是日期"
        assert said("his:6661 cannot be reached: timed out") == "无法连接 his:6661：timed out"
        assert said("the far end's own words") == "the far end's own words"


def test_a_setting_that_names_no_published_mapping_is_not_saved(clinic: Clinic) -> None:
    person = engineer(clinic)
    given = {"address.host": "127.0.0.1", "address.port": "2575", "address.mappings": "ADT = gone"}
    page = person.post("/connections/mllp", given)
    assert page.status_code == 422
    assert "names a mapping that is not published" in page.get_data(as_text=True)
    db.session.rollback()
    assert "mappings" not in book.get(db.session(), "mllp").address
