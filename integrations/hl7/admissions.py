"""Patient messages that come in: registered, changed (ADT A01–A08, A28, A31) and merged (A18, A34, A40)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from engine.errors import BpmnError, Conflict
from engine.settings import Settings
from integrations.hl7 import identity
from integrations.hl7.read import Message
from integrations.messages.tables import MessageLog
from integrations.patients import index

CHANGES = ("ADT^A08", "ADT^A31")
ARRIVALS = ("ADT^A01", "ADT^A04", "ADT^A05", "ADT^A28")
MERGES = ("ADT^A18", "ADT^A34", "ADT^A40")

Unplaced = tuple[str, str]  # reason and detail for the work list


def change(session: Session, settings: Settings, row: MessageLog, message: Message, record: Mapping[str, Any] | None = None) -> Unplaced | None:
    """Updates the patient of PID; an arrival of somebody whom nobody resembles is a new patient. Else why a person must look.

    What a mapping's `record` says of the patient counts more than PID's own fields.
    """
    pid = message.first("PID")
    if pid is None:
        return "unknown_patient", "It has no PID segment."
    own = {name: str(value) for name, value in (record or {}).items() if name in identity.DEMOGRAPHICS and value}
    values = {**identity.demographics(message, pid), **own}
    found, why = identity.match(session, settings, message, values)
    if found is None and message.kind in CHANGES:
        return "unknown_patient", why
    if found is None and index.find(session, settings, values):
        return "possible_patient", why
    if found is None and not values.get("name"):
        return "unknown_patient", "A new patient needs a name (PID-5)."
    try:
        saved = index.save(session, settings, values, found.id if found else None)
    except BpmnError as error:
        return "identity", error.message
    for system, value in identity.numbers(message, pid):
        if system not in ("record", "id_card", "medical_card"):
            index.add_identifier(session, settings, saved.id, system, value)
    row.patient_id, row.mapped = saved.id, {**(record or {}), **values}
    return None


def merge(session: Session, settings: Settings, row: MessageLog, message: Message) -> Unplaced | None:
    """Makes the record of MRG-1 a former one of PID-3's; done before, it changes nothing. It can be taken back by a person."""
    pid, mrg = message.first("PID"), message.first("MRG")
    if pid is None or mrg is None:
        return "incomplete", f"A merge needs PID and MRG; {'PID' if pid is None else 'MRG'} is missing."
    kept = identity.known(session, settings, message, pid)
    lost = identity.known(session, settings, message, mrg, 1)
    if kept is None or lost is None:
        missing = " and ".join(name for name, found in (("PID-3", kept), ("MRG-1", lost)) if found is None)
        return "unknown_patient", f"Nobody here has the numbers in {missing}, so nothing was merged"
    row.patient_id = kept.id
    if kept.id != lost.id:
        try:
            index.merge(session, kept.id, lost.id, why=f"{message.kind} of {message.sender}", by=row.connection)
        except Conflict as error:
            return "identity", error.message
    return None
