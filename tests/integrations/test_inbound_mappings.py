"""A connection names a mapping for each type of message: HL7, FHIR and webhooks go through it, and what finds no place is listed."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from engine.execution import check, instances
from engine.execution.tables import Instance, Message
from integrations import runtime
from integrations.connections import book
from integrations.fhir.server import write as fhir
from integrations.fhir.server.caller import Caller
from integrations.mappings import book as mappings
from integrations.messages import again, routes, webhook
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index
from integrations.payments import hooks
from integrations.quality import scorecard
from integrations.quality.tables import QualityFinding
from tests.integrations.conftest import World
from tests.integrations.test_messy_hl7 import take

KEY = "a-shared-key"
ORU = (
    "MSH|^~\\&|OLDLIS|LAB|CARELANE|CLINIC|20261122093000||ORU^R01^ORU_R01|{control}|P|2.5.1\rPID|1||{number}^^^CARELANE^MR||王^小明\r"
    "OBR|1|||GLU^old code|||||||||||||||||||||F\rOBX|1|NM|GLU^old glucose||{value}|mg/dL|||||F\rNTE|1||{order}\r"
)
BY_NTE = '{"orderId": NTE.f3.c1, "observations": [{"code": $code("old_lis", OBX.f3.c1), "value": $number(OBX.f5.c1), "unit": OBX.f6.c1}]}'


def publish(world: World, key: str, expression: str, format_: str = "hl7", **rows: str) -> None:
    """A mapping in its next version, with a code table of its own name where rows are given."""
    with world.sessions() as session:
        for table, pairs in rows.items():
            body = {
                "rows": [{"code": code, "value": value} for code, _, value in (pair.partition("=") for pair in pairs.split())],
                "otherwise": None,
            }
            mappings.create(session, table, "codes", name_en=table, name_zh=table, by="test", body=body)
            mappings.publish(session, table, comment="", by="test")
        body = {"format": format_, "expression": expression}
        if any(row.key == key for row in mappings.listed(session)):
            mappings.save_draft(session, key, body, by="test")
        else:
            mappings.create(session, key, "fields", name_en=key, name_zh=key, by="test", body=body)
        mappings.publish(session, key, comment="", by="test")
        session.commit()


def name(world: World, connection: str, text: str, **more: str) -> None:
    """The connection's settings name mappings."""
    with runtime.transaction() as session:
        row = book.get(session, connection)
        book.put(session, connection, row.kind, address={**row.address, "mappings": text, **more}, direction=row.direction)


def came(world: World, control: str, *, value: str = "99", order: str = "O1", code: str = "GLU") -> MessageLog:
    with world.sessions() as session:
        number = index.get(session, world.patient_id).record_number
    text = ORU.format(control=control, number=number, value=value, order=order).replace("OBX|1|NM|GLU", f"OBX|1|NM|{code}")
    return take(world.sessions, text.encode())[0]


def items(world: World) -> list[tuple[str, str]]:
    with world.sessions() as session:
        return [(item.reason, item.detail) for item in session.scalars(select(WorkItem).where(WorkItem.state == "open").order_by(WorkItem.id))]


def told(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    with world.sessions() as session:
        return [(m.name, m.key, dict(m.payload)) for m in session.scalars(select(Message).order_by(Message.id))]


def begun(world: World) -> list[dict[str, Any]]:
    """The variables of each instance that a message began."""
    with world.sessions() as session:
        return [dict(instances.variables(session, one.id)) for one in session.scalars(select(Instance).order_by(Instance.id))]


def begins(world: World, message: str) -> None:
    """A process that begins with a message."""
    xml = (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t">'
        f'<bpmn:message id="M" name="{message}"/><bpmn:process id="p_{message}" isExecutable="true">'
        '<bpmn:startEvent id="Start"><bpmn:messageEventDefinition id="D" messageRef="M"/></bpmn:startEvent><bpmn:endEvent id="End"/>'
        '<bpmn:sequenceFlow id="F" sourceRef="Start" targetRef="End"/></bpmn:process></bpmn:definitions>'
    )
    with runtime.transaction() as session:
        check.deploy(session, {f"{message}.bpmn": xml.encode()}, by="test")


# ── what a connection says ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("ADT^A04", ("his", 3)),
        ("ADT^A08", ("adt", None)),
        ("ORU^R01", ("lis", None)),
        ("fhir.Patient", ("person", 2)),
        ("MDM^T02", ("any", None)),
    ],
)
def test_the_nearest_type_decides(world: World, kind: str, wanted: tuple[str, int | None]) -> None:
    name(world, "mllp", "ADT^A04 = his@3, ADT = adt; ORU=lis, Patient = person@2, * = any")
    route = routes.of("mllp", kind)
    assert route is not None
    assert (route.key, route.version) == wanted


def test_without_a_mapping_nothing_changes(world: World) -> None:
    assert routes.of("mllp", "ADT^A04") is None
    name(world, "mllp", "ADT = his")
    assert routes.of("mllp", "ORU^R01") is None
    assert routes.of("nowhere", "ORU^R01") is None


@pytest.mark.parametrize("text", ["ADT", "ADT=", "ADT=A B", "ADT = his@0", "ADT = Big", "ADT = a, ADT = b"])
def test_a_setting_that_cannot_be_read_is_none(text: str) -> None:
    assert routes.read(text) is None


# ── HL7 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_old_laboratorys_result_reaches_its_order_in_the_clinics_codes(world: World) -> None:
    publish(world, "old_lis_oru", BY_NTE, old_lis="GLU=2345-7 K=2823-3")
    name(world, "mllp", "ORU = old_lis_oru")
    world.call("hl7.oml_o21", "i1:t1:1", patientId=world.patient_id, visitNumber="V1", orderId="O1", tests=[{"code": "2345-7", "name": "血糖"}])
    row = came(world, "C1")
    assert (row.state, row.reference, items(world)) == ("matched", "O1", [])
    ((message, key, payload),) = told(world)
    assert (message, key, payload["observations"]) == ("lab_result", "O1", [{"code": "2345-7", "value": 99, "unit": "mg/dL"}])
    assert row.mapped[0]["observations"][0]["code"] == "2345-7", "the mapped stage is in the log"


def test_what_the_mapping_cannot_place_is_listed_with_its_place_and_found_once_the_table_knows_it(world: World) -> None:
    publish(world, "old_lis_oru", BY_NTE, old_lis="GLU=2345-7")
    name(world, "mllp", "ORU = old_lis_oru")
    world.call("hl7.oml_o21", "i1:t1:1", patientId=world.patient_id, visitNumber="V1", orderId="O1", tests=[{"code": "2823-3", "name": "钾"}])
    row = came(world, "C1", code="K")
    ((reason, detail),) = items(world)
    assert (reason, detail.split(": ")[0], "K is not in the code table" in detail) == ("unmapped", "old_lis_oru v1", True)
    assert (row.state, told(world)) == ("unmatched", [])
    with world.sessions() as session:
        mappings.save_draft(session, "old_lis", {"rows": [{"code": "K", "value": "2823-3"}], "otherwise": None}, by="test")
        mappings.publish(session, "old_lis", comment="", by="test")
        session.commit()
    with world.sessions() as session:
        again.retry(session, row.id, by="engineer", why="the table knows it now")
        session.commit()
    assert (items(world), told(world)[0][2]["observations"][0]["code"]) == ([], "2823-3")


def test_a_version_that_is_named_stays_whatever_is_published_later(world: World) -> None:
    publish(world, "his", '{"phone": "13700000001"}')
    publish(world, "his", '{"phone": "13700000002"}')
    for text, phone in (("ADT = his@1", "13700000001"), ("ADT = his", "13700000002")):
        name(world, "mllp", text)
        with world.sessions() as session:
            number = index.get(session, world.patient_id).record_number
        message = f"MSH|^~\\&|HIS|H|C|C|2026||ADT^A08|{phone}|P|2.5.1\rPID|1||{number}^^^CARELANE^MR||王^小明\r"
        (row,) = take(world.sessions, message.encode())
        with world.sessions() as session:
            assert (row.state, index.get(session, world.patient_id).body["phone"]) == ("matched", phone)


def test_a_mapping_that_is_not_published_is_a_reason_on_the_work_list(world: World) -> None:
    name(world, "mllp", "ORU = gone@7")
    came(world, "C1")
    assert items(world) == [("no_mapping", "The connection names a mapping that is not published (gone@7)")]


def test_a_message_that_only_the_clinic_understands_reaches_who_waits_for_it(world: World) -> None:
    publish(world, "zqm", '{"orderId": ZQM.f1.c1, "findings": ZQM.f2.c1}')
    name(world, "mllp", "ZQM = zqm")
    message = "MSH|^~\\&|X|Y|C|C|2026||ZQM^Z01|{0}|P|2.5.1\rZQM|Q7|fine\r"
    take(world.sessions, message.format("Z1").encode())
    assert [reason for reason, _ in items(world)] == ["no_receiver"]
    begins(world, "hl7_ZQM_Z01")
    (row,) = take(world.sessions, message.format("Z2").encode())
    assert (row.state, begun(world)) == ("matched", [{"orderId": "Q7", "findings": "fine"}])


# ── FHIR ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

REQUEST = {
    "resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/p"},
    "reasonCode": [{"text": "手术"}], "identifier": [{"system": "urn:x", "value": "SR-1"}],
}  # fmt: skip


def sent(world: World, body: dict[str, Any]) -> MessageLog:
    with runtime.transaction() as session:
        desk = fhir.Desk(session, world.settings, Caller("partner", "partner"), "")
        body = {**body, "subject": {"reference": f"Patient/{world.patient_id}"}}
        fhir.create(desk, body["resourceType"], body).after()
        return session.scalars(
            select(MessageLog).where(MessageLog.kind == f"fhir.{body['resourceType']}").order_by(MessageLog.id.desc())
        ).first()  # type: ignore[return-value]


def test_a_resource_is_mapped_by_its_type_for_the_process_that_begins_with_it(world: World) -> None:
    publish(world, "partner_request", '{"referralReason": reasonCode[0].text}', "fhir")
    name(world, "partner", "ServiceRequest = partner_request")
    begins(world, "fhir_ServiceRequest")
    row = sent(world, REQUEST)
    (variables,) = begun(world)
    assert (variables["referralReason"], variables["patientId"], row.mapped) == ("手术", world.patient_id, {"referralReason": "手术"})


def test_a_resource_whose_mapping_fails_is_kept_listed_and_handed_on_once_it_is_mended(world: World) -> None:
    publish(world, "partner_request", '{"birthDate": reasonCode[0].text}', "fhir")
    name(world, "partner", "ServiceRequest = partner_request")
    begins(world, "fhir_ServiceRequest")
    row = sent(world, REQUEST)
    assert (row.state, items(world), begun(world)) == ("unmatched", [("unmapped", "partner_request v1: birthDate: 手术 is no date")], [])
    publish(world, "partner_request", '{"referralReason": reasonCode[0].text}', "fhir")
    with runtime.transaction() as session:
        assert again.possible(session, session.get_one(MessageLog, row.id)) == ("retry",)
        again.retry(session, row.id, by="engineer", why="mended")
    assert (items(world), begun(world)[0]["referralReason"]) == ([], "手术")


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def hook(world: World, content: Any, *, key: str = KEY, at: int = 0) -> int:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    timestamp = str(at or int(time.time()))
    headers = {"X-Timestamp": timestamp, "X-Signature": webhook.signature(key, timestamp, body)}
    with world.sessions() as session:
        status, answer = hooks.receive(session, "homecare", headers, body)
        assert json.dumps(answer)
        session.commit()
    return status


@pytest.fixture
def homecare(world: World) -> World:
    """A partner that calls us with JSON of its own."""
    with runtime.transaction() as session:
        book.put(
            session, "homecare", "webhook", address={"message": "visit_done", "key": "orderId"}, secrets={"shared_key": KEY}, direction="in"
        )
    publish(world, "homecare", '{"orderId": no, "phone": tel, "pain": score}', "json")
    name(world, "homecare", "visit.done = homecare")
    return world


def test_a_webhook_is_proved_mapped_and_handed_on_once(homecare: World) -> None:
    begins(homecare, "visit_done")
    for _ in range(2):
        assert hook(homecare, {"id": "n1", "event": "visit.done", "no": "H7", "tel": "138 0013 8000", "score": "3"}) == 200
    assert begun(homecare) == [{"orderId": "H7", "phone": "13800138000", "pain": 3}]
    with homecare.sessions() as session:
        (row,) = session.scalars(select(MessageLog).where(MessageLog.connection == "homecare")).all()
    assert (row.state, row.attempts, row.kind, row.mapped["pain"]) == ("matched", 2, "visit.done", 3)


@pytest.mark.parametrize("how", [{"key": "another"}, {"at": 1_000_000_000}])
def test_a_webhook_that_is_not_proved_changes_nothing(homecare: World, how: dict[str, Any]) -> None:
    assert hook(homecare, {"id": "n1", "event": "visit.done", "no": "H7"}, **how) == 401
    with homecare.sessions() as session:
        assert session.scalars(select(MessageLog).where(MessageLog.connection == "homecare")).all() == []


def test_what_a_webhook_says_wrongly_is_listed_with_its_place(homecare: World) -> None:
    assert hook(homecare, {"id": "n1", "event": "visit.done", "no": "H7", "score": "much"}) == 200
    assert hook(homecare, b"<xml/>") == 200
    assert hook(homecare, {"id": "n2", "event": "visit.done", "no": "H8"}) == 200
    assert items(homecare) == [
        ("unmapped", "homecare v1: pain: much is no number"), ("unreadable", "It is no JSON object."),
        ("no_receiver", "No process begins with visit_done or waits for it (H8)"),
    ]  # fmt: skip


# ── data quality ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_scorecard_counts_what_became_no_record(homecare: World) -> None:
    hook(homecare, {"id": "n1", "event": "visit.done", "no": "H7", "score": "much"})
    hook(homecare, b"<xml/>")
    hook(homecare, {"id": "n3", "event": "visit.done", "no": "H9", "score": "2"})
    with homecare.sessions() as session:
        scorecard.tend(session, homecare.settings)
        (row,) = scorecard.days(session, scorecard.today(homecare.settings), 1)
        places = sorted((f.kind, f.place, f.detail) for f in session.scalars(select(QualityFinding)) if f.kind in row.counts)
    assert (row.source, row.records, row.failed) == ("homecare", 3, 2)
    assert (row.counts["unmapped"], row.counts["unreadable"]) == (1, 1)
    assert ("unmapped", "pain", "") in places, "where, and not the patient's value"
