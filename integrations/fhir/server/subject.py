"""Whom is a resource about? By reference, by identifier, or by what a contained Patient says: matched to the patient index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from engine.errors import BpmnError
from engine.settings import Settings
from integrations.fhir.identifiers import ID_CARD, MEDICAL_CARD, RECORD, index_system, pairs
from integrations.fhir.refusal import refuse
from integrations.fhir.server import own, params, store
from integrations.patients import index
from integrations.patients.tables import Patient

_SYSTEMS = {ID_CARD: "id_card", MEDICAL_CARD: "medical_card"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient that was found, or in words why none was. Neither: the resource names nobody."""

    patient_id: str | None = None
    why: str = ""


def of(session: Session, settings: Settings, resource: Mapping[str, Any]) -> Subject:
    """The patient that a resource is about."""
    for reference in _mentions(resource):
        found = _resolve(session, settings, resource, reference)
        if found.patient_id or found.why:
            return found
    return Subject()


def save(session: Session, settings: Settings, resource: Mapping[str, Any], *, source: str, patient_id: str | None = None) -> Patient:
    """Adds or changes a patient of the index as a FHIR Patient says.

    FhirRefused 422 for an ID card that cannot be right, 409 with the other's record number for one that another patient has.
    """
    values = own.demographics(resource)
    if not values.get("name") and patient_id is None:
        raise refuse(422, "required", "A patient needs a name.", "Patient.name")
    try:
        row = index.save(session, settings, values, patient_id)
    except BpmnError as error:
        duplicate = error.code == "DUPLICATE_PATIENT"
        raise refuse(409 if duplicate else 422, "duplicate" if duplicate else "value", error.message, "Patient.identifier") from error
    for system, value in pairs(resource.get("identifier")):
        if system and system not in (RECORD, ID_CARD, MEDICAL_CARD):
            index.add_identifier(session, settings, row.id, index_system(system), value)
    more = {k: v for k, v in resource.items() if k not in ("active", "link")}
    store.put(session, settings, more, source=source, fhir_id=row.id, patient_id=row.id)
    return row


def by_identifiers(session: Session, settings: Settings, element: Any) -> Patient | None:
    """The one patient with any of these identifiers; None when there is none or they name several."""
    found: dict[str, Patient] = {}
    for system, value in pairs(element):
        row = index.by_record_number(session, value) if system in (RECORD, "") else None
        names = [_SYSTEMS[system]] if system in _SYSTEMS else [index_system(system)] if system else []
        for name in names:
            row = row or index.by_identifier(session, settings, name, value)
        if row is not None:
            found[row.id] = index.present(session, row.id)
    kept = {row.id: row for row in found.values()}
    return next(iter(kept.values())) if len(kept) == 1 else None


def _mentions(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [resource.get("subject"), resource.get("for"), resource.get("patient")]
    found += [part.get("actor") for part in resource.get("participant") or () if isinstance(part, Mapping)]
    return [item for item in found if isinstance(item, Mapping)]


def _resolve(session: Session, settings: Settings, resource: Mapping[str, Any], reference: Mapping[str, Any]) -> Subject:
    if identifier := reference.get("identifier"):
        row = by_identifiers(session, settings, [identifier])
        if row is not None:
            return Subject(row.id)
    text = str(reference.get("reference") or "")
    if text.startswith("#"):
        inner = next((c for c in resource.get("contained") or () if c.get("id") == text[1:] and c.get("resourceType") == "Patient"), None)
        return _matched(session, settings, inner) if inner else Subject()
    kind, id_ = params.reference(text)
    if kind == "Patient":
        known = session.get(Patient, id_)
        return Subject(index.present(session, known.id).id) if known is not None else Subject(why=f"There is no Patient/{id_[:64]} here")
    return Subject(why="Nobody here has this identifier") if reference.get("identifier") and not kind else Subject()


def _matched(session: Session, settings: Settings, patient: Mapping[str, Any]) -> Subject:
    row = by_identifiers(session, settings, patient.get("identifier"))
    if row is not None:
        return Subject(row.id)
    candidates = index.find(session, settings, own.demographics(patient))
    certain = [c for c in candidates if c.grade == "certain"]
    if len(certain) == 1:
        return Subject(certain[0].patient.id)
    grade = f"the best of {len(candidates)} candidates is {candidates[0].grade}" if candidates else "nobody here resembles them"
    return Subject(why=f"The contained patient is not known with certainty: {grade}")
