"""Patients, appointments and referrals that other systems send over HL7, and what becomes of results that change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from engine.execution.tables import Message
from integrations.fhir.server import store
from integrations.fhir.tables import FhirResource
from integrations.hl7 import read, referrals, write
from integrations.hl7.appointments import when
from integrations.messages import worklist
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index
from integrations.patients.tables import Patient, PatientMerge
from integrations.queues.tables import Appointment
from tests.integrations.conftest import World
from tests.integrations.test_messy_hl7 import take

MSH = "MSH|^~\\&|HIS|HOSPITAL|CARELANE|CLINIC|20261122080000||{kind}|{control}|P|2.5.1"
WANG = "PID|1||{number}^^^CARELANE^MR~H77^^^HIS^PI||王^小明||19850312|M|||新街 1 号^^上海||13900139000"


def came(world: World, kind: str, *segments: str, control: str = "C1") -> MessageLog:
    """A message that came in and was placed."""
    number = patient(world).record_number
    text = "\r".join([MSH.format(kind=kind, control=control), *(s.replace("{number}", number) for s in segments)]) + "\r"
    (row,) = take(world.sessions, text.encode())
    return row


def patient(world: World, id_: str = "") -> Patient:
    with world.sessions() as session:
        return index.get(session, id_ or world.patient_id)


def reasons(world: World) -> list[str]:
    with world.sessions() as session:
        return [item.reason for item in session.scalars(select(WorkItem).where(WorkItem.state == "open"))]


def told(world: World, name: str) -> list[dict[str, Any]]:
    with world.sessions() as session:
        return [m.payload for m in session.scalars(select(Message).where(Message.name == name).order_by(Message.id))]


# ── patients ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_changed_patient_is_changed_in_the_index(world: World) -> None:
    row = came(world, "ADT^A08^ADT_A01", "EVN|A08", WANG)
    assert (row.state, row.patient_id) == ("matched", world.patient_id)
    body = patient(world).body
    assert (body["phone"], body["address"], body["idCard"]) == ("13900139000", "上海新街 1 号", "110101198503120017")


def test_the_senders_own_number_is_known_from_then_on(world: World) -> None:
    came(world, "ADT^A08^ADT_A01", WANG)
    row = came(world, "ADT^A31^ADT_A05", "PID|1||H77^^^HIS^PI||王^小明||||||||13700137000", control="C2")
    assert (row.state, patient(world).body["phone"]) == ("matched", "13700137000")


def test_what_the_sender_nulls_or_leaves_out_stays(world: World) -> None:
    came(world, "ADT^A08^ADT_A01", 'PID|1||{number}^^^CARELANE^MR||""||""|U||||||""')
    body = patient(world).body
    assert (body["name"], body["birthDate"], body["phone"]) == ("王小明", "1985-03-12", "13800138000")


def test_an_arrival_of_somebody_new_is_a_new_patient_and_of_somebody_alike_a_question(world: World) -> None:
    row = came(world, "ADT^A04^ADT_A01", "PID|1||H88^^^HIS^PI||李^四||19700101|F", "PV1|1|O")
    assert patient(world, str(row.patient_id)).body["name"] == "李四"
    came(world, "ADT^A04^ADT_A01", "PID|1||H99^^^HIS^PI||王^小明||19850312|M", control="C2")
    assert reasons(world) == ["possible_patient"]


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (("PID|1||NOBODY^^^CARELANE^MR||赵^六||19500505|M",), "unknown_patient"),
        ((), "unknown_patient"),
        (("PID|1||{number}^^^CARELANE^MR~110101198503120018^^^PRC^NNCHN||王^小明",), "identity"),
    ],
)
def test_a_change_that_cannot_be_made_is_listed_with_its_reason(world: World, segments: tuple[str, ...], reason: str) -> None:
    assert came(world, "ADT^A08^ADT_A01", *segments).state == "unmatched"
    assert reasons(world) == [reason]


def test_a_merge_joins_the_records_once_and_can_be_taken_back(world: World) -> None:
    other = world.call("patient.save", "other", name="王晓明", birthDate="1985-03-12")
    for control in ("C1", "C2"):
        row = came(world, "ADT^A40^ADT_A39", "EVN|A40", WANG, f"MRG|{other['medicalRecordNumber']}^^^CARELANE^MR", control=control)
        assert row.state == "matched", row.error
    assert patient(world, str(other["patientId"])).merged_into == world.patient_id
    with world.sessions() as session:
        done = session.scalars(select(PatientMerge)).one()
        index.unmerge(session, done.id, by="engineer")
        assert index.get(session, str(other["patientId"])).merged_into is None


def test_a_merge_with_somebody_unknown_merges_nobody(world: World) -> None:
    came(world, "ADT^A40^ADT_A39", WANG, "MRG|NOBODY^^^CARELANE^MR")
    came(world, "ADT^A40^ADT_A39", WANG, control="C2")
    assert reasons(world) == ["unknown_patient", "incomplete"]


# ── appointments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_appointment_is_booked_moved_and_cancelled(world: World) -> None:
    sch = "SCH|P1|F1||||CHECKUP^^HL70276|REVIEW^复诊||20|min|^^^{start}||||||||||||||{status}"
    for control, kind, start, status in (
        ("C1", "S12", "20261123090000+0800", "Booked"),
        ("C2", "S13", "20261124090000+0800", "Booked"),
        ("C3", "S15", "20261124090000+0800", ""),
    ):
        row = came(world, f"SIU^{kind}^SIU_S12", sch.format(start=start, status=status), WANG, "PV1|1|O|ent", control=control)
        assert row.state == "matched", row.error
    with world.sessions() as session:
        booked = session.scalars(select(Appointment)).one()
        kept = session.scalars(select(FhirResource).where(FhirResource.kind == "Appointment")).one()
    assert (booked.status, booked.department, booked.start) == ("cancelled", "ent", datetime(2026, 11, 24, 1, tzinfo=UTC))
    assert (kept.version, kept.status, store.shown(kept)["end"]) == (3, "cancelled", "2026-11-24T09:20:00+08:00")


@pytest.mark.parametrize(
    ("trigger", "said", "status"), [("S26", "", "noshow"), ("S12", "Complete", "fulfilled"), ("S14", "Started", "arrived")]
)
def test_the_status_is_sch_25_or_else_the_triggers(world: World, trigger: str, said: str, status: str) -> None:
    came(world, f"SIU^{trigger}^SIU_S12", write.segment("SCH", {1: "P1", 25: said}), "TQ1|1||||||20261123090000", WANG)
    with world.sessions() as session:
        assert session.scalars(select(Appointment)).one().status == status


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (("SCH|P1", WANG), "incomplete"),
        ((WANG,), "incomplete"),
        (("SCH||||||||||^^^20261123090000", WANG), "incomplete"),
        ((write.segment("SCH", {1: "P1", 11: ["", "", "", "20261123090000"]}), "PID|1||NOBODY^^^X^PI||赵^六"), "unknown_patient"),
    ],
)
def test_an_appointment_without_time_number_or_patient_is_listed(world: World, segments: tuple[str, ...], reason: str) -> None:
    came(world, "SIU^S12^SIU_S12", *segments)
    assert reasons(world) == [reason]


@pytest.mark.parametrize("text", ["", "2026", "20261399090000", "99991231235959-1400", "00000000000000", "soon", "202611230"])
def test_a_time_that_is_none_is_none(text: str) -> None:
    found = when(text, "Asia/Shanghai")
    assert found is None or found.year == 9999


# ── referrals ────────────────────────────────────────────────────────────────────────────────────────────────────────────

REF = (
    "RF1|P^Pending^HL70283|A^ASAP^HL70280||||R-77|20261122||||",
    "PRD|RP^Referring^HL70286|赵^医生",
    WANG,
    "DG1|1||J18.9^肺炎^I10",
    "NTE|1||右下肺炎",
)


def test_a_referral_to_us_waits_for_a_person_where_no_process_begins_with_it(world: World) -> None:
    row = came(world, "REF^I12^REF_I12", *REF)
    assert (row.state, row.patient_id, row.reference) == ("unmatched", world.patient_id, "R-77")
    assert reasons(world) == ["no_receiver"]
    assert row.mapped == {
        "referralId": "R-77", "patientId": world.patient_id, "from": "HIS/HOSPITAL", "priority": "urgent", "reason": "肺炎", "diagnosis": "肺炎",
        "summary": "右下肺炎", "deadline": None,
    }  # fmt: skip


def test_a_referral_to_us_starts_the_process_that_begins_with_it(world: World) -> None:
    from engine.execution import check, instances

    model = (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        'targetNamespace="t"><bpmn:message id="M" name="referral_request"/><bpmn:process id="incoming" isExecutable="true">'
        '<bpmn:startEvent id="S"><bpmn:outgoing>F</bpmn:outgoing><bpmn:messageEventDefinition id="D" messageRef="M"/></bpmn:startEvent>'
        '<bpmn:userTask id="T" name="Decide"><bpmn:extensionElements><zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="referral_coordinator"/>'
        "</bpmn:extensionElements><bpmn:incoming>F</bpmn:incoming></bpmn:userTask>"
        '<bpmn:sequenceFlow id="F" sourceRef="S" targetRef="T"/></bpmn:process></bpmn:definitions>'
    )
    with world.sessions() as session:
        check.deploy(session, {"incoming.bpmn": model.encode()}, by="test")
        session.commit()
    row = came(world, "REF^I12^REF_I12", *REF)
    assert (row.state, reasons(world)) == ("matched", [])
    with world.sessions() as session:
        assert instances.variables(session, str(row.instance_id))["diagnosis"] == "肺炎"


@pytest.mark.parametrize(("status", "word"), [("A", "accepted"), ("R", "rejected"), ("E", "rejected"), ("P", None)])
def test_an_answer_to_our_referral_reaches_its_process(world: World, status: str, word: str | None) -> None:
    sent(world, "R-1")
    row = came(world, "RRI^I12^RRI_I12", "MSA|AA|X", f"RF1|{status}|||||R-1", WANG, "NTE|1||无床位")
    assert row.state == ("matched" if word else "ignored")
    assert [(p["status"], p["reason"]) for p in told(world, "referral_update")] == ([(word, "无床位")] if word else [])


def test_an_answer_to_no_referral_of_ours_is_listed(world: World) -> None:
    came(world, "RRI^I12^RRI_I12", "MSA|AA|X", "RF1|A|||||R-9", WANG)
    came(world, "RRI^I12^RRI_I12", "MSA|AA|X", WANG, control="C2")
    assert reasons(world) == ["unknown_order", "unknown_order"]


def sent(world: World, number: str) -> None:
    """A referral that we sent."""
    from engine import clock

    with world.sessions() as session:
        session.add(
            MessageLog(
                direction="out", connection="referral_hl7", kind="REF^I12", control=number, reference=number, patient_id=world.patient_id,
                instance_id="i1", element_id="Task_1", state="answered", attempts=1, at=clock.now(),
            )
        )  # fmt: skip
        session.commit()


# ── results that change ──────────────────────────────────────────────────────────────────────────────────────────────────


def ordered(world: World) -> None:
    tests = [{"code": "2823-3", "name": "钾"}]
    world.call("hl7.oml_o21", "k1", patientId=world.patient_id, visitNumber="V1", orderId="ORDER-1", tests=tests)


def report(world: World, control: str, status: str, value: str, obx: str = "F") -> MessageLog:
    obr = f"OBR|1|ORDER-1||2823-3^K^LN|||||||||||||||||||||{status}"
    return came(world, "ORU^R01^ORU_R01", WANG, obr, f"OBX|1|NM|2823-3^K^LN||{value}|mmol/L|3.5-5.3|H|||{obx}", control=control)


def test_partial_then_final_is_one_report_and_one_message(world: World) -> None:
    ordered(world)
    report(world, "C1", "P", "6.0", "P")
    assert told(world, "lab_result") == []
    report(world, "C2", "F", "6.1")
    assert [p["observations"][0]["value"] for p in told(world, "lab_result")] == [6.1]
    with world.sessions() as session:
        kept = {row.kind: row for row in session.scalars(select(FhirResource))}
    assert (kept["DiagnosticReport"].version, kept["DiagnosticReport"].status) == (2, "final")
    assert kept["ServiceRequest"].status == "completed"
    assert store.shown(kept["Observation"])["valueQuantity"] == {"value": 6.1, "unit": "mmol/L"}
    assert kept["Observation"].patient_id == world.patient_id


def test_a_correction_that_comes_too_late_is_listed_and_told_to_the_doctors(world: World) -> None:
    ordered(world)
    report(world, "C1", "F", "6.1")
    with world.sessions() as session:  # the process took it
        session.scalars(select(Message)).one().state = "correlated"
        session.commit()
    row = report(world, "C2", "C", "4.1", "C")
    assert (row.state, reasons(world)) == ("unmatched", ["after_the_fact"])
    from integrations.notices import board

    with world.sessions() as session:
        assert [alert.level for alert in board.unseen(session, roles=["doctor"])] == ["warning"]


@pytest.mark.parametrize("letter", ["D", "W"])
def test_a_value_that_was_withdrawn_is_never_shown(world: World, letter: str) -> None:
    ordered(world)
    report(world, "C1", "F", "9.9", letter)
    (payload,) = told(world, "lab_result")
    assert (payload["observations"], payload["status"]) == ([], "corrected")


@pytest.mark.parametrize("value", ["9" * 400, "nan", "inf", "1e300", "-"])
def test_a_number_that_no_database_holds_stays_text(world: World, value: str) -> None:
    ordered(world)
    assert report(world, "C1", "F", value).state == "matched"
    assert told(world, "lab_result")[0]["observations"][0]["value"] == value


def test_the_reply_to_a_referral_says_how_it_stands() -> None:
    message = read.parse(MSH.format(kind="REF^I12^REF_I12", control="1") + "\r" + "\r".join(REF) + "\r")
    rf1, prd, pid = referrals.reply_segments(message, "P", "ours")
    assert rf1.startswith("RF1|P^Pending^HL70283|||||R-77|||||ours")
    assert (prd[:3], pid[:3]) == ("PRD", "PID")


def test_the_list_shows_each_reason_in_words(world: World) -> None:
    came(world, "ADT^A40^ADT_A39", WANG)
    with world.sessions() as session:
        ((item, _),) = worklist.open_items(session)
    assert item.detail == "A merge needs PID and MRG; MRG is missing."
