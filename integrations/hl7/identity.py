"""Whom is an HL7 message about? PID to the patient index, by numbers first, by name and birth date only when that is certain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

import hl7
from sqlalchemy.orm import Session

from engine.settings import Settings
from integrations.fhir.identifiers import index_system
from integrations.hl7.read import Message
from integrations.hl7.write import OURS
from integrations.patients import index
from integrations.patients.tables import Patient

_ID_CARD = ("NNCHN", "NNCN", "NI")  # HL7 table 0203: national number of China
_SEX = {"M": "male", "F": "female", "O": "other", "A": "other", "U": "unknown", "N": "unknown"}
DEMOGRAPHICS = ("name", "sex", "birthDate", "idCard", "medicalCard", "phone", "address", "allergies")  # of the patient index
_NULL = '""'  # HL7's explicit null: the sender has deleted it; our record keeps what it has


def numbers(message: Message, segment: hl7.Segment, field: int = 3) -> Iterator[tuple[str, str]]:
    """System and value of each identifier (CX): ours, the ID card, or the number of the authority or the sender."""
    for repeat in range(1, message.repeats(segment, field) + 1):
        value = message.of(segment, field, 1, 1, repeat)
        authority, kind = message.of(segment, field, 4, 1, repeat), message.of(segment, field, 5, 1, repeat)
        if not value or value == _NULL:
            continue
        if kind in _ID_CARD:
            yield "id_card", value
        elif authority == OURS[0]:
            yield ("medical_card" if kind == "PI" else "record"), value
        else:
            yield index_system(authority or message.sender), value


def known(session: Session, settings: Settings, message: Message, segment: hl7.Segment, field: int = 3) -> Patient | None:
    """The one patient that the segment's numbers name; None when they name nobody, or several."""
    found: dict[str, Patient] = {}
    for system, value in numbers(message, segment, field):
        row = None if system == "record" else index.by_identifier(session, settings, system, value)
        if row is None and system not in ("id_card", "medical_card"):
            row = index.by_record_number(session, value)  # many senders name no authority beside our number
        if row is not None:
            kept = index.present(session, row.id)
            found[kept.id] = kept
    return next(iter(found.values())) if len(found) == 1 else None


def match(session: Session, settings: Settings, message: Message, values: Mapping[str, str] | None = None) -> tuple[Patient | None, str]:
    """The patient of PID, or in words why none is certain. `values`: its demographics where somebody knows them better."""
    pid = message.first("PID")
    if pid is None:
        return None, "It has no PID segment."
    if (row := known(session, settings, message, pid)) is not None:
        return row, ""
    values = demographics(message, pid) if values is None else values
    candidates = index.find(session, settings, values)
    certain = [candidate for candidate in candidates if candidate.grade == "certain"]
    if len(certain) == 1:
        return certain[0].patient, ""
    if candidates:
        return None, f"Nobody has these numbers; the best of {len(candidates)} candidates by name and birth date is {candidates[0].grade}"
    return None, "Nobody here has these numbers or resembles this patient"


def demographics(message: Message, pid: hl7.Segment) -> dict[str, str]:
    """What PID says, under the patient index's names; what is missing or null is left out."""
    family, given = message.of(pid, 5, 1), message.of(pid, 5, 2)
    chinese = any("\u4e00" <= character <= "\u9fff" for character in family + given)
    name = f"{family}{given}" if chinese else f"{given} {family}".strip()
    found = {
        "name": name, "sex": _SEX.get(message.of(pid, 8).upper(), ""), "birthDate": birth_date(message.of(pid, 7)),
        "address": "".join(message.of(pid, 11, part) for part in (4, 3, 1)) or message.of(pid, 11),
        "phone": message.of(pid, 13) or message.of(pid, 13, 12),
    }  # fmt: skip
    for system, value in numbers(message, pid):
        if system == "id_card":
            found["idCard"] = value
    return {key: value for key, value in found.items() if value and _NULL not in value}


def birth_date(text: str) -> str:
    """An HL7 date as ISO 8601; empty when it is none, or less exact than a day."""
    found = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", text)
    if found is None:
        return ""
    try:
        return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return ""
