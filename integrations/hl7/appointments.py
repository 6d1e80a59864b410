"""Appointments that another system books, moves or cancels (SIU S12–S26): kept as FHIR Appointments and in the clinic's own book."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import hl7
from sqlalchemy.orm import Session

from engine import clock
from engine.settings import Settings
from integrations import outcomes
from integrations.fhir.server import store
from integrations.hl7 import identity
from integrations.hl7.read import Message
from integrations.messages.tables import MessageLog
from integrations.queues.tables import Appointment

KINDS = tuple(f"SIU^S{number}" for number in (*range(12, 25), 26))
# By trigger where SCH-25 (HL7 table 0278) is empty; FHIR R4 appointmentstatus
_BY_TRIGGER = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
_BY_STATUS = {
    "booked": "booked", "pending": "pending", "waitlist": "waitlist", "started": "arrived", "complete": "fulfilled", "cancelled": "cancelled",
    "dc": "cancelled", "deleted": "entered-in-error", "noshow": "noshow", "overbook": "booked", "blocked": "pending",
}  # fmt: skip


def place(session: Session, settings: Settings, row: MessageLog, message: Message) -> tuple[str, str] | None:
    """Keeps the appointment and offers it to processes as `appointment`; else why a person must look."""
    sch = message.first("SCH")
    if sch is None:
        return "incomplete", "It has no SCH segment."
    number = message.of(sch, 2) or message.of(sch, 1)
    if not number:
        return "incomplete", "It names no appointment (SCH-1, SCH-2)."
    start, end = _slot(message, sch, settings.clinic_zone)
    if start is None and message.get("MSH", 9, 2) not in _BY_TRIGGER:
        return "incomplete", "It does not say when (SCH-11, TQ1-7, AIL-6, AIS-4)."
    patient, why = identity.match(session, settings, message)
    if patient is None:
        return "unknown_patient", why
    row.patient_id, row.reference = patient.id, number[:120]
    status = _status(message, sch)
    department = next((text for text in (message.get("AIL", 3), message.get("PV1", 3), message.get("AIS", 3)) if text), "")
    body = _appointment(message, sch, status, (start, end), patient.id, department)
    known = store.by_identifier(session, settings, "Appointment", message.sender, number)
    kept = store.put(
        session, settings, body, source=row.connection, fhir_id=known[0].fhir_id if known else "", patient_id=patient.id
    )  # fmt: skip
    _book(session, kept.fhir_id, patient.id, department, start, status)
    row.mapped = {"appointmentId": kept.fhir_id, "number": number, "status": status, "patientId": patient.id, "department": department,
                  "start": start.isoformat() if start else None}  # fmt: skip
    outcomes.begin(session, row, "appointment", number[:200], row.mapped, actor=row.connection)
    return None


def _status(message: Message, sch: hl7.Segment) -> str:
    said = re.sub(r"[^a-z]", "", message.of(sch, 25).lower())
    return _BY_STATUS.get(said) or _BY_TRIGGER.get(message.get("MSH", 9, 2), "booked")


def _slot(message: Message, sch: hl7.Segment, zone: str) -> tuple[datetime | None, datetime | None]:
    candidates = (message.of(sch, 11, 4), message.get("TQ1", 7), message.get("AIL", 6), message.get("AIS", 4), message.get("AIP", 6))
    start = next((moment for text in candidates if (moment := when(text, zone)) is not None), None)
    end = when(message.of(sch, 11, 5), zone) or when(message.get("TQ1", 8), zone)
    minutes = message.of(sch, 9)
    if start is not None and end is None and re.fullmatch(r"\d{1,4}", minutes):
        end = start + timedelta(minutes=int(minutes))
    return start, end


def when(text: str, zone: str) -> datetime | None:
    """An HL7 TS with an hour at least; in the clinic's zone where it names none."""
    found = re.fullmatch(r"(\d{8})(\d\d)(\d\d)?(\d\d)?(?:\.\d+)?([+-]\d{4})?", text)
    if found is None:
        return None
    try:
        moment = datetime.strptime(f"{found[1]}{found[2]}{found[3] or '00'}{found[4] or '00'}{found[5] or '+0000'}", "%Y%m%d%H%M%S%z")
        moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return moment if found[5] else moment.replace(tzinfo=ZoneInfo(zone))


def _appointment(
    message: Message, sch: hl7.Segment, status: str, slot: tuple[datetime | None, datetime | None], patient_id: str, department: str
) -> dict[str, Any]:
    numbers = [(message.sender, message.of(sch, 2)), (message.sender, message.of(sch, 1))]
    made: dict[str, Any] = {
        "resourceType": "Appointment",
        "identifier": [{"system": system, "value": value} for system, value in dict.fromkeys(numbers) if value],
        "status": status,
        "participant": [{"actor": {"reference": f"Patient/{patient_id}"}, "status": "accepted"}],
    }
    if slot[0] is not None:
        made["start"] = slot[0].isoformat()
    if slot[1] is not None:
        made["end"] = slot[1].isoformat()
    if department:
        made["serviceType"] = [{"coding": [{"system": "urn:carelane:department", "code": department}]}]
    if reason := message.of(sch, 7, 2) or message.of(sch, 7):
        made["reasonCode"] = [{"text": reason}]
    return made


def _book(session: Session, id_: str, patient_id: str, department: str, start: datetime | None, status: str) -> None:
    row = session.get(Appointment, id_)
    if row is None and start is not None:
        row = Appointment(id=id_, created=clock.now(), start=start, department="", patient_id=patient_id)
        session.add(row)
    if row is not None:
        row.patient_id, row.department, row.status = patient_id, (department or row.department)[:50], status
        row.start = start or row.start
