"""The patient index: save, find, show, merge and take a merge back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, Conflict, NotFound
from engine.settings import Settings
from integrations.patients import blind
from integrations.patients.identity import IdCard, read_id_card, sound, tidy_card, tidy_id, tidy_name, tidy_phone
from integrations.patients.match import Grade, Part, compare
from integrations.patients.tables import Patient, PatientIdentifier, PatientMerge

_SEARCHED: tuple[tuple[str, str, Callable[[str], str]], ...] = (  # our field, system of the blind index, how to tidy
    ("idCard", "id_card", tidy_card),
    ("medicalCard", "medical_card", tidy_id),
    ("phone", "phone", tidy_phone),
    ("name", "name", tidy_name),
    ("name", "name_sound", sound),
    ("birthDate", "birth_date", str),
)
SYSTEMS = frozenset(system for _, system, _ in _SEARCHED)
CANDIDATES = 20
_ORDER: tuple[Grade, ...] = ("certain", "probable", "possible", "certainly-not")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known patient with how sure we are that it is the one asked for."""

    patient: Patient
    score: float
    grade: Grade
    why: str
    parts: tuple[Part, ...] = ()


def save(session: Session, settings: Settings, values: Mapping[str, Any], patient_id: str | None = None) -> Patient:
    """Adds a patient, or changes one; fields that are not given stay. `values` as in `Patient.body`.

    Raises BpmnError IDENTITY_INVALID with the reason when the ID card, or what it says of birth date or sex, cannot be right,
    and DUPLICATE_PATIENT when another patient has that ID card or medical card.
    """
    now = clock.now()
    given = {name: value for name, value in values.items() if value not in (None, "")}
    row = _kept(session, get(session, patient_id)) if patient_id else None
    body = {**(row.body if row else {}), **given}
    _check_identity(settings, body)
    _check_unique(session, settings, body, row)
    if row is None:
        row = Patient(record_number=_record_number(session, settings), body=body, created=now, changed=now)
        session.add(row)
    row.body, row.changed = body, now
    session.flush()
    _index(session, settings, row)
    return row


def find(session: Session, settings: Settings, asked: Mapping[str, Any]) -> list[Candidate]:
    """Patients that may be the one asked for, best first; those that certainly are not are left out."""
    wanted = _digests(settings, asked)
    if not wanted:
        return []
    hits = select(PatientIdentifier.patient_id).where(tuple_(PatientIdentifier.system, PatientIdentifier.digest).in_(wanted))
    rows = session.scalars(select(Patient).where(Patient.id.in_(hits), Patient.merged_into.is_(None))).all()
    verdicts = [(row, compare(asked, row.body)) for row in rows]
    found = [Candidate(row, v.score, v.grade, v.why, v.parts) for row, v in verdicts if v.grade != "certainly-not"]
    return sorted(found, key=lambda c: (_ORDER.index(c.grade), -c.score))[:CANDIDATES]


def by_identifier(session: Session, settings: Settings, system: str, value: str) -> Patient | None:
    """The one patient with that identifier; None when there is none, or more than one."""
    wanted = blind.digest(blind.key(settings), system, tidy_card(value) if system == "id_card" else tidy_id(value))
    hits = select(PatientIdentifier.patient_id).where(PatientIdentifier.system == system, PatientIdentifier.digest == wanted)
    rows = session.scalars(select(Patient).where(Patient.id.in_(hits)).limit(3)).all()
    kept = {row.merged_into or row.id for row in rows}
    return get(session, kept.pop()) if len(kept) == 1 else None


def by_record_number(session: Session, number: str) -> Patient | None:
    """The patient with that medical record number; a merged one leads to the record that was kept."""
    row = session.scalar(select(Patient).where(Patient.record_number == number))
    return None if row is None else _kept(session, row)


def get(session: Session, patient_id: str) -> Patient:
    """The patient, or NotFound."""
    row = session.get(Patient, patient_id)
    if row is None:
        raise NotFound("There is no such patient.")
    return row


def present(session: Session, patient_id: str) -> Patient:
    """The patient's present record: where it was merged, the one that was kept."""
    return _kept(session, get(session, patient_id))


def add_identifier(session: Session, settings: Settings, patient_id: str, system: str, value: str) -> None:
    """Notes another system's number of a patient."""
    wanted = blind.digest(blind.key(settings), system, tidy_id(value))
    if not session.scalar(select(PatientIdentifier).filter_by(patient_id=patient_id, system=system, digest=wanted)):
        session.add(PatientIdentifier(patient_id=patient_id, system=system, digest=wanted))
        session.flush()


def merge(session: Session, keep: str, lose: str, *, why: str, by: str) -> PatientMerge:
    """Makes `lose` a former record of `keep`. Both stay as they are, so that it can be taken back."""
    kept, lost = get(session, keep), get(session, lose)
    if kept.id == lost.id or kept.merged_into or lost.merged_into:
        raise Conflict("One of the two records is already merged, or they are the same record.")
    lost.merged_into = kept.id
    made = PatientMerge(kept_id=kept.id, merged_id=lost.id, why=why, by=by, at=clock.now())
    session.add(made)
    session.flush()
    return made


def unmerge(session: Session, merge_id: str, *, by: str, why: str = "") -> PatientMerge:
    """Takes a merge back: the record stands on its own again."""
    done = session.get(PatientMerge, merge_id)
    if done is None:
        raise NotFound
    if done.undone is not None:
        raise Conflict("This merge was already taken back.")
    get(session, done.merged_id).merged_into = None
    done.undone, done.undone_by, done.undone_why = clock.now(), by, why
    session.flush()
    return done


def reindex(session: Session, settings: Settings, row: Patient) -> None:
    """Renews what a patient is found by; for records from before a way of searching was added."""
    _index(session, settings, row)


def id_card_problem(settings: Settings, text: str | None) -> str | None:
    """Why this cannot be a resident ID card, in words; None when it can or none was given."""
    card = read_id_card(text, _today(settings)) if text else None
    return card if isinstance(card, str) else None


def _check_identity(settings: Settings, body: Mapping[str, Any]) -> None:
    if not body.get("idCard"):
        return
    card = read_id_card(str(body["idCard"]), _today(settings))
    if isinstance(card, str):
        raise BpmnError("IDENTITY_INVALID", card)
    assert isinstance(card, IdCard)
    if body.get("birthDate") and str(body["birthDate"]) != card.birth_date.isoformat():
        raise BpmnError("IDENTITY_INVALID", "The birth date is not the one on the ID card.")
    if body.get("sex") in ("male", "female") and body["sex"] != card.sex:
        raise BpmnError("IDENTITY_INVALID", "The sex is not the one on the ID card.")


def _check_unique(session: Session, settings: Settings, body: Mapping[str, Any], row: Patient | None) -> None:
    for field, system in (("idCard", "id_card"), ("medicalCard", "medical_card")):
        other = by_identifier(session, settings, system, str(body[field])) if body.get(field) else None
        if other is not None and (row is None or other.id != row.id):
            text = f"The patient {other.record_number} has this {'ID card' if field == 'idCard' else 'medical card'} already."
            raise BpmnError("DUPLICATE_PATIENT", text, {"duplicateOf": other.id})


def _kept(session: Session, row: Patient) -> Patient:
    while row.merged_into:
        row = get(session, row.merged_into)
    return row


def _today(settings: Settings) -> date:
    return clock.now().astimezone(ZoneInfo(settings.clinic_zone)).date()


def _record_number(session: Session, settings: Settings) -> str:
    """Year and a running number, as on the clinic's paper: 2026-000123."""
    year = _today(settings).year
    last = session.scalar(
        select(Patient.record_number).where(Patient.record_number.like(f"{year}-%")).order_by(Patient.record_number.desc()).limit(1)
    )
    return f"{year}-{int(last.split('-')[1]) + 1 if last else 1:06d}"


def _digests(settings: Settings, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    key = blind.key(settings)
    return [(system, blind.digest(key, system, tidy(str(body[field])))) for field, system, tidy in _SEARCHED if body.get(field)]


def _index(session: Session, settings: Settings, row: Patient) -> None:
    wanted = set(_digests(settings, row.body))
    present_rows = session.scalars(select(PatientIdentifier).where(PatientIdentifier.patient_id == row.id)).all()
    for old in present_rows:
        if old.system in SYSTEMS and (old.system, old.digest) not in wanted:
            session.delete(old)
    for system, hashed in wanted - {(old.system, old.digest) for old in present_rows}:
        session.add(PatientIdentifier(patient_id=row.id, system=system, digest=hashed))
    session.flush()
