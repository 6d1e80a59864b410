"""Takes back what a row of a batch made: its case, its patient, what it added to one; refused in words where work has gone on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from engine.errors import CarelaneError
from engine.execution import imported
from engine.execution.tables import Instance
from engine.settings import Settings
from integrations.legacy.tables import LegacyCase, LegacyMigration, LegacyRow
from integrations.messages.tables import MessageLog
from integrations.patients import blind, index
from integrations.patients.identity import tidy_id
from integrations.patients.tables import Patient, PatientIdentifier, PatientMerge, PatientReview, PatientScreening


class _Kept(CarelaneError):
    """The patient stays."""


def take_back(session: Session, settings: Settings, migration: LegacyMigration, row: LegacyRow) -> str:
    """Takes a row's case away; Refused where work has gone on. Returns why its patient stays as it is now, where it does."""
    if row.instance_id:
        imported.take_away(session, row.instance_id)
    session.execute(delete(LegacyCase).where(LegacyCase.row_id == row.id))
    patient_id, made = row.patient_id, dict(row.made or {})
    row.state, row.instance_id, row.patient_id, row.made = "returned", None, None, None
    session.flush()
    if not patient_id:
        return ""
    if other := _heir(session, patient_id, row):  # other rows of the batch are about this patient: the last one takes it back
        other.made = {**(other.made or {}), "owed": [*dict(other.made or {}).get("owed", []), made, *made.get("owed", [])]}
        session.flush()
        return ""
    return _patient_back(session, settings, migration, patient_id, [made, *made.get("owed", [])])


def _heir(session: Session, patient_id: str, row: LegacyRow) -> LegacyRow | None:
    query = select(LegacyRow).where(LegacyRow.patient_id == patient_id, LegacyRow.state == "moved", LegacyRow.id != row.id)
    return session.scalars(query.order_by(LegacyRow.number.desc()).limit(1)).first()


def _patient_back(session: Session, settings: Settings, migration: LegacyMigration, patient_id: str, debts: list[dict[str, Any]]) -> str:
    patient = session.get(Patient, patient_id)
    if patient is None:
        return ""
    new = any(debt.get("patient") == "new" for debt in debts)
    if new and (why := _needed(session, patient_id)):
        return f"{patient.record_number} stays: {why}"
    for debt in debts:
        if debt.get("number"):
            _forget_number(session, settings, patient_id, migration.source, str(debt["number"]))
    if new:
        _delete(session, patient_id)
        return ""
    return _fields_back(session, settings, patient, debts)


def _needed(session: Session, patient_id: str) -> str:
    """Why a patient that the batch made is not taken away."""
    if session.scalars(select(Instance.id).where(Instance.subject == patient_id).limit(1)).first():
        return "there are other visits of this patient."
    if session.scalars(select(MessageLog.id).where(MessageLog.patient_id == patient_id).limit(1)).first():
        return "messages about this patient were exchanged."
    merges = select(PatientMerge.id).where(or_(PatientMerge.kept_id == patient_id, PatientMerge.merged_id == patient_id))
    if session.scalars(merges.limit(1)).first():
        return "the record was merged with another."
    return ""


def _delete(session: Session, patient_id: str) -> None:
    pair = or_(PatientReview.first_id == patient_id, PatientReview.second_id == patient_id)
    session.execute(delete(PatientReview).where(pair))
    session.execute(delete(PatientScreening).where(PatientScreening.patient_id == patient_id))
    session.execute(delete(PatientIdentifier).where(PatientIdentifier.patient_id == patient_id))
    session.execute(delete(Patient).where(Patient.id == patient_id))
    session.expire_all()


def _forget_number(session: Session, settings: Settings, patient_id: str, system: str, number: str) -> None:
    digest = blind.digest(blind.key(settings), system, tidy_id(number))
    session.execute(delete(PatientIdentifier).filter_by(patient_id=patient_id, system=system, digest=digest))


def _fields_back(session: Session, settings: Settings, patient: Patient, debts: list[dict[str, Any]]) -> str:
    """Fields that the batch filled are empty again, unless somebody has changed them since."""
    body, kept = dict(patient.body), []
    for debt in debts:
        for name, value in (debt.get("after") or {}).items():
            if body.get(name) == value:
                body.pop(name, None)
            elif name in body:
                kept.append(name)
    if body != patient.body:
        patient.body = body
        session.flush()
        index.reindex(session, settings, patient)
    return f"{patient.record_number} keeps {', '.join(sorted(kept))}: changed by a person since." if kept else ""
