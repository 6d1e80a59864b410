"""Referrals over HL7 v2.5.1 chapter 11: REF^I12 asks, RRI^I12 answers. RF1-1 (table 0283) is A accepted, P pending, R rejected, E expired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from engine.settings import Settings
from integrations import outcomes
from integrations.hl7 import identity, write
from integrations.hl7.read import Message
from integrations.messages import log
from integrations.messages.tables import MessageLog
from integrations.patients import index

REQUESTS, ANSWERS = ("REF^I12",), ("RRI^I12",)
NEWS: Mapping[str, str] = {"A": "accepted", "R": "rejected", "E": "rejected"}
STATUS = {"A": "Accepted", "P": "Pending", "R": "Rejected", "E": "Expired"}
PRIORITY = {"routine": "R", "urgent": "A", "asap": "A", "stat": "S", "emergency": "S"}  # RF1-2, table 0280
_PRIORITY = {"R": "routine", "A": "urgent", "S": "stat"}


def request(session: Session, settings: Settings, row: MessageLog, message: Message) -> tuple[str, str] | None:
    """A hospital refers a patient to us: offered to the process that begins with `referral_request`, else to a person."""
    number = message.get("RF1", 6)
    if not number:
        return "incomplete", "It names no referral (RF1-6)."
    patient, why = identity.match(session, settings, message)
    row.reference, row.patient_id = number[:120], patient.id if patient else None
    if patient is None:
        return "unknown_patient", why
    row.mapped = asked(message, patient.id)
    if not outcomes.begin(session, row, "referral_request", number[:200], row.mapped, actor=row.connection):
        return "no_receiver", f"No process begins with referral_request ({number[:60]})"
    return None


def answered(session: Session, row: MessageLog, message: Message) -> tuple[str, str] | None:
    """A hospital answers our referral: its process hears `referral_update`."""
    number = message.get("RF1", 6)
    sent = log.by_reference(session, number) if number else None
    if sent is None:
        return "unknown_order", f"We sent no such referral ({number[:60]})"
    row.reference, row.instance_id, row.element_id, row.patient_id = number[:120], sent.instance_id, sent.element_id, sent.patient_id
    pid = message.first("PID")
    if pid is not None and sent.patient_id:
        rows = [index.by_record_number(session, value) for system, value in identity.numbers(message, pid) if system == "record"]
        if any(found is not None and found.id != index.present(session, sent.patient_id).id for found in rows):
            return "other_patient", f"Its patient is not the one that was referred ({number[:60]})"
    told = news(message)
    if told is None:
        row.state = "ignored"
        return None
    row.mapped = told
    outcomes.hand_on(session, row, "referral_update", number, told, actor=row.connection)
    return None


def news(message: Message) -> dict[str, Any] | None:
    """What an RRI says to the waiting process; None while the referral is pending."""
    status = NEWS.get(message.get("RF1", 1).upper())
    if status is None:
        return None
    notes = [message.whole(note, 3) for note in message.segments("NTE")]
    reason = "\n".join(note for note in notes if note) or message.get("RF1", 10, 2) or message.get("MSA", 3)
    if message.get("RF1", 1).upper() == "E":
        reason = reason or "expired"
    return {"status": status, "reason": reason or None, "report": None, "referralId": message.get("RF1", 6)}


def asked(message: Message, patient_id: str) -> dict[str, Any]:
    """What a REF asks of us, as process variables."""
    notes = [message.whole(note, 3) for note in message.segments("NTE")]
    found = [(message.of(obx, 3, 2) or message.of(obx, 3), message.whole(obx, 5)) for obx in message.segments("OBX")]
    return {
        "referralId": message.get("RF1", 6), "patientId": patient_id, "from": message.sender,
        "priority": _PRIORITY.get(message.get("RF1", 2).upper(), "routine"),
        "reason": message.get("RF1", 10, 2) or message.get("RF1", 10) or message.get("DG1", 4) or message.get("DG1", 3, 2) or None,
        "diagnosis": message.get("DG1", 3, 2) or message.get("DG1", 4) or None,
        "summary": "\n".join([note for note in notes if note] + [f"{name}: {value}" for name, value in found if value]) or None,
        "deadline": message.get("RF1", 8) or None,
    }  # fmt: skip


def reply_segments(message: Message, status: str, ours: str = "") -> list[str]:
    """What follows MSA in an RRI: the referral's status with both numbers, the provider it came from, and its patient as it was sent."""
    words = STATUS[status]
    made = [write.segment("RF1", {1: [status, words, "HL70283"], 6: message.get("RF1", 6), 11: ours or None})]
    made += [str(segment) for segment in message.segments("PRD")][:1] or [write.segment("PRD", {1: ["RT", "Referred to", "HL70286"]})]
    return [*made, *(str(segment) for segment in message.segments("PID"))]
