"""What our own work looks like in FHIR: patients of the index, visits as encounters, user tasks as tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from engine.execution.tables import Event, Instance, Task
from engine.settings import Settings
from integrations.fhir.identifiers import ID_CARD, MEDICAL_CARD, RECORD, VISIT, index_system, pairs
from integrations.fhir.server import params, store
from integrations.fhir.server.params import Filter
from integrations.patients import blind, index
from integrations.patients.identity import tidy_id, tidy_name, tidy_phone
from integrations.patients.tables import Patient, PatientIdentifier

ELEMENT, DEPARTMENT = "urn:carelane:element", "urn:carelane:department"
_SEX = ("male", "female", "other", "unknown")
_ALIVE = ("running", "suspended", "incident")
_TEXTS = {"name": ("name", tidy_name), "birthdate": ("birth_date", str), "phone": ("phone", tidy_phone), "telecom": ("phone", tidy_phone)}
_SYSTEMS = {ID_CARD: "id_card", MEDICAL_CARD: "medical_card"}

_last_event = select(func.max(Event.at)).where(Event.instance_id == Instance.id).correlate(Instance).scalar_subquery()
_seen_by_clinician = exists().where(Event.instance_id == Instance.id, Event.tag == "firstClinicianContact", Event.kind == "entered")
TABLES: Mapping[str, Any] = {"Patient": Patient, "Encounter": Instance, "Task": Task}
UPDATED: Mapping[str, Any] = {
    "Patient": Patient.changed,
    "Encounter": func.coalesce(Instance.ended, _last_event, Instance.started),
    "Task": func.coalesce(Task.ended, Task.claimed, Task.created),
}
EXPOSED: Mapping[str, ColumnElement[bool]] = {
    "Patient": Patient.id.is_not(None),
    "Encounter": Instance.subject.is_not(None),
    "Task": Task.subject.is_not(None),
}


def read(session: Session, kind: str, id_: str) -> dict[str, Any] | None:
    """One of our own things as a resource; None when there is no such thing."""
    table = TABLES.get(kind)
    row = session.scalar(select(table).where(table.id == id_, EXPOSED[kind])) if table is not None else None
    if isinstance(row, Patient):
        return patient(session, row)
    if isinstance(row, Instance):
        return _encounter(session, row)
    return _task(row) if isinstance(row, Task) else None


def condition(session: Session, settings: Settings, kind: str, asked: Filter) -> ColumnElement[bool]:
    """A search parameter as a condition on our own rows."""
    table = TABLES[kind]
    if asked.type == "id":
        return table.id.in_(asked.values)  # type: ignore[no-any-return]
    if asked.type == "updated":
        return params.dated(asked, UPDATED[kind], UPDATED[kind], settings.clinic_zone)
    if kind == "Patient":
        return _patient_condition(settings, asked)
    if asked.type == "status":
        return or_(*(_status(kind, params.token(value)[1]) for value in asked.values))
    if asked.type == "date":
        bounds = (Instance.started, Instance.ended) if kind == "Encounter" else (Task.created, Task.created)
        return params.dated(asked, *bounds, settings.clinic_zone)
    if asked.type == "token":
        return or_(*(_token(kind, asked.name, *params.token(value)) for value in asked.values))
    if asked.name == "encounter" and kind == "Task":
        return Task.instance_id.in_([params.reference(value)[1] for value in asked.values])
    return false()


def patient_ids(session: Session, settings: Settings, asked: Filter) -> set[str]:
    """The ids that a `patient`, `subject` or `patient.identifier` parameter means, former records of the same person included."""
    if asked.name == "patient.identifier":
        found = set(session.scalars(select(Patient.id).where(_identified(settings, asked))))
    else:
        given = [params.reference(value) for value in asked.values]
        found = {id_ for kind, id_ in given if kind in ("", "Patient")}
    for id_ in list(found):
        row = session.get(Patient, id_)
        if row is not None:
            found.add(index.present(session, row.id).id)
    merged = session.scalars(select(Patient.id).where(Patient.merged_into.in_(found))) if found else ()
    return found | set(merged)


def patient(session: Session, row: Patient) -> dict[str, Any]:
    """A patient of the index; what else a system told of them is kept beside it."""
    kept = store.get(session, "Patient", row.id)
    more = dict(kept.body) if kept is not None else {}
    body = row.body
    own = [(RECORD, row.record_number), *((system, body.get(name)) for system, name in ((ID_CARD, "idCard"), (MEDICAL_CARD, "medicalCard")))]
    others = [item for item in more.get("identifier") or () if item.get("system") not in (RECORD, ID_CARD, MEDICAL_CARD)]
    made: dict[str, Any] = {
        **more,
        "resourceType": "Patient",
        "id": row.id,
        "meta": {"versionId": str(int(row.changed.timestamp() * 1000)), "lastUpdated": store.instant(row.changed)},
        "identifier": [*({"system": system, "value": value} for system, value in own if value), *others],
        "active": row.merged_into is None,
        "name": [{"text": str(body.get("name") or "")}],
        "gender": body.get("sex") if body.get("sex") in _SEX else "unknown",
    }
    if body.get("birthDate"):
        made["birthDate"] = str(body["birthDate"])[:10]
    if body.get("phone"):
        made["telecom"] = [{"system": "phone", "value": str(body["phone"])}]
    if body.get("address"):
        made["address"] = [{"text": str(body["address"])}]
    if row.merged_into:
        made["link"] = [{"other": {"reference": f"Patient/{row.merged_into}"}, "type": "replaced-by"}]
    return made


def _patient_condition(settings: Settings, asked: Filter) -> ColumnElement[bool]:
    if asked.name == "identifier":
        return _identified(settings, asked)
    system, tidy = _TEXTS[asked.name]
    key = blind.key(settings)
    values = [params.token(value)[1] if asked.name == "telecom" else value for value in asked.values]
    digests = [blind.digest(key, system, tidy(value)) for value in values]
    return Patient.id.in_(select(PatientIdentifier.patient_id).where(PatientIdentifier.system == system, PatientIdentifier.digest.in_(digests)))


def _identified(settings: Settings, asked: Filter) -> ColumnElement[bool]:
    key = blind.key(settings)
    found: list[ColumnElement[bool]] = []
    for system, value in map(params.token, asked.values):
        if system in (RECORD, None):
            found.append(Patient.record_number == value)
        names = [index_system(system)] if system else []
        names = [_SYSTEMS[system]] if system in _SYSTEMS else names or ["id_card", "medical_card"]
        hits = [(name, blind.digest(key, name, tidy_id(value))) for name in names]
        pair = tuple_(PatientIdentifier.system, PatientIdentifier.digest)
        found.append(Patient.id.in_(select(PatientIdentifier.patient_id).where(pair.in_(hits))))
    return or_(*found)


def _status(kind: str, status: str) -> ColumnElement[bool]:
    """Which rows have a status of FHIR's, so that it can be searched for in the database."""
    alive, triaged = Instance.state.in_(_ALIVE), Instance.acuity.is_not(None)
    conditions: Mapping[tuple[str, str], ColumnElement[bool]] = {
        ("Encounter", "finished"): Instance.state == "completed",
        ("Encounter", "cancelled"): Instance.state == "cancelled",
        ("Encounter", "in-progress"): and_(alive, _seen_by_clinician),
        ("Encounter", "triaged"): and_(alive, triaged, ~_seen_by_clinician),
        ("Encounter", "arrived"): and_(alive, ~triaged, ~_seen_by_clinician),
        ("Task", "ready"): and_(Task.state == "open", Task.assignee.is_(None)),
        ("Task", "in-progress"): and_(Task.state == "open", Task.assignee.is_not(None)),
        ("Task", "completed"): Task.state == "completed",
        ("Task", "cancelled"): Task.state == "cancelled",
    }
    return conditions.get((kind, status), false())


def _token(kind: str, name: str, system: str | None, value: str) -> ColumnElement[bool]:
    if kind == "Encounter" and name == "identifier" and system in (None, VISIT):
        return Instance.business_key == value
    if kind == "Encounter" and name == "service-type" and system in (None, DEPARTMENT):
        return Instance.department == value
    if kind == "Task" and name == "code" and system in (None, ELEMENT):
        return Task.element_id == value
    return false()


def _encounter(session: Session, row: Instance) -> dict[str, Any]:
    changed = row.ended or session.scalar(select(func.max(Event.at)).where(Event.instance_id == row.id)) or row.started
    status = {"completed": "finished", "cancelled": "cancelled"}.get(row.state)
    if status is None:
        seen = session.scalar(select(_seen_by_clinician).where(Instance.id == row.id))
        status = "in-progress" if seen else "arrived" if row.acuity is None else "triaged"
    made: dict[str, Any] = {
        "resourceType": "Encounter",
        "id": row.id,
        "meta": {"versionId": str(row.rev + 1), "lastUpdated": store.instant(changed)},
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory"},
        "type": [{"text": row.process_id}],
        "subject": {"reference": f"Patient/{row.subject}"},
        "period": _period(row.started, row.ended),
    }
    if row.business_key:
        made["identifier"] = [{"system": VISIT, "value": row.business_key}]
    if row.department:
        made["serviceType"] = {"coding": [{"system": DEPARTMENT, "code": row.department}]}
    if row.acuity is not None:
        made["priority"] = {"coding": [{"system": "urn:carelane:acuity", "code": str(row.acuity)}]}
    return made


def _task(row: Task) -> dict[str, Any]:
    status = {"completed": "completed", "cancelled": "cancelled"}.get(row.state) or ("in-progress" if row.assignee else "ready")
    changed = row.ended or row.claimed or row.created
    made: dict[str, Any] = {
        "resourceType": "Task",
        "id": row.id,
        "meta": {"versionId": str(1 + (row.claimed is not None) + (row.ended is not None)), "lastUpdated": store.instant(changed)},
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": ELEMENT, "code": row.element_id, "display": row.name}], "text": row.name},
        "for": {"reference": f"Patient/{row.subject}"},
        "encounter": {"reference": f"Encounter/{row.instance_id}"},
        "authoredOn": store.instant(row.created),
        "lastModified": store.instant(changed),
        "performerType": [{"text": role} for role in row.roles],
    }
    if row.assignee:
        made["owner"] = {"display": row.assignee}
    if row.claimed:
        made["executionPeriod"] = _period(row.claimed, row.ended)
    return made


def _period(start: datetime, end: datetime | None) -> dict[str, str]:
    return {"start": store.instant(start), **({"end": store.instant(end)} if end else {})}


def demographics(resource: Mapping[str, Any]) -> dict[str, str]:
    """What the patient index keeps of a FHIR Patient, under its own names."""
    found: dict[str, str] = {}
    for system, value in pairs(resource.get("identifier")):
        name = {ID_CARD: "idCard", MEDICAL_CARD: "medicalCard"}.get(system)
        if name:
            found[name] = value
    if name := _name(resource.get("name") or ()):
        found["name"] = name
    if resource.get("gender"):
        found["sex"] = str(resource["gender"])
    if resource.get("birthDate"):
        found["birthDate"] = str(resource["birthDate"])
    phones = [t for t in resource.get("telecom") or () if t.get("system") in ("phone", "sms", None) and t.get("value")]
    if phones:
        found["phone"] = str(next((t for t in phones if t.get("use") == "mobile"), phones[0])["value"])
    for address in list(resource.get("address") or ())[:1]:
        parts = [address.get("state"), address.get("city"), address.get("district"), *(address.get("line") or ())]
        if text := str(address.get("text") or "".join(str(part) for part in parts if part)):
            found["address"] = text
    return found


def _name(names: Any) -> str:
    """The official name, else the first: its text, or family and given in the order of its script."""
    ordered = sorted((n for n in names if n.get("use") not in ("old", "maiden", "anonymous")), key=lambda n: n.get("use") != "official")
    for item in ordered:
        if item.get("text"):
            return str(item["text"]).strip()
        family, given = str(item.get("family") or ""), [str(g) for g in item.get("given") or () if g]
        if family or given:
            chinese = any("\u4e00" <= character <= "\u9fff" for character in family)
            return f"{family}{''.join(given)}" if chinese else " ".join([*given, family]).strip()
    return ""
