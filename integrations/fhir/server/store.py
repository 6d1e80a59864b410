"""Resources that we keep as they are: put, get and find. Searchable values are keyed hashes, as in the patient index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, false, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.settings import Settings
from integrations.fhir.identifiers import pairs
from integrations.fhir.refusal import FhirRefused
from integrations.fhir.server import params
from integrations.fhir.server.params import Filter
from integrations.fhir.tables import FhirResource, FhirToken
from integrations.patients import blind

OURS = "carelane"
_DATES = {  # where a resource's clinical time stands, in order of preference
    "Appointment": ("start", "end"), "Encounter": ("period",), "ServiceRequest": ("authoredOn",), "Task": ("authoredOn",),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"), "Communication": ("sent",),
}  # fmt: skip
_CODED = {"code": "code", "orderDetail": "code", "category": "category", "serviceType": "service-type"}
_REFERENCES = {"basedOn": "based-on", "encounter": "encounter", "focus": "focus", "result": "result", "about": "based-on"}


def put(
    session: Session, settings: Settings, body: Mapping[str, Any], *, source: str, fhir_id: str = "", patient_id: str | None = None,
    instance_id: str | None = None,
) -> FhirResource:  # fmt: skip
    """Keeps a resource under its id: a new one, or the next version of the one that is there."""
    kind = str(body["resourceType"])
    row = get(session, kind, fhir_id) if fhir_id else None
    if row is None:
        row = FhirResource(id=new_id(), kind=kind, version=0, source=source)
        row.fhir_id = fhir_id or row.id
        session.add(row)
    row.version += 1
    row.updated, row.patient_id, row.instance_id = clock.now(), patient_id, instance_id or row.instance_id
    status = body.get("status")
    row.status = status[:20] if isinstance(status, str) else None
    row.begins, row.ends = period(kind, body, settings.clinic_zone)
    row.body = {key: value for key, value in body.items() if key not in ("id", "meta")}
    session.flush()
    _index(session, settings, row)
    return row


def get(session: Session, kind: str, fhir_id: str) -> FhirResource | None:
    """The resource of that id, or None."""
    return session.scalar(select(FhirResource).filter_by(kind=kind, fhir_id=fhir_id))


def shown(row: FhirResource) -> dict[str, Any]:
    """A kept resource as it is given out, with its id and version."""
    meta = {"versionId": str(row.version), "lastUpdated": instant(row.updated)}
    return {"resourceType": row.kind, "id": row.fhir_id, "meta": meta, **{k: v for k, v in row.body.items() if k != "resourceType"}}


def instant(at: datetime) -> str:
    """A FHIR instant."""
    return at.isoformat(timespec="milliseconds")


def by_identifier(session: Session, settings: Settings, kind: str, system: str | None, value: str) -> list[FhirResource]:
    """Resources of a kind with that identifier."""
    found = _tokens(settings, "identifier", [(system, value)])
    return list(session.scalars(select(FhirResource).where(FhirResource.kind == kind, found).limit(10)))


def condition(session: Session, settings: Settings, asked: Filter) -> ColumnElement[bool]:
    """A search parameter as a condition on kept resources; patients are resolved by `own.patient_ids` before."""
    if asked.type == "id":
        return FhirResource.fhir_id.in_(asked.values)
    if asked.type == "status":
        return FhirResource.status.in_([params.token(value)[1] for value in asked.values])
    if asked.type == "updated":
        return params.dated(asked, FhirResource.updated, FhirResource.updated, settings.clinic_zone)
    if asked.type == "date":
        return params.dated(asked, FhirResource.begins, FhirResource.ends, settings.clinic_zone)
    if asked.type == "token":
        return _tokens(settings, asked.name, [params.token(value) for value in asked.values])
    if asked.type == "reference":
        return _tokens(settings, asked.name, [(kind or None, id_) for kind, id_ in map(params.reference, asked.values)])
    return false()


def period(kind: str, body: Mapping[str, Any], zone: str) -> tuple[datetime | None, datetime | None]:
    """The bounds of a resource's clinical time; an end that is not known is None."""
    for name in _DATES.get(kind, ()):
        value = body.get(name)
        if isinstance(value, Mapping):
            return _moment(value.get("start"), zone), _moment(value.get("end"), zone)
        if isinstance(value, str):
            begins = _moment(value, zone)
            return begins, (_moment(body.get("end"), zone) if name == "start" else begins)
    return None, None


def _moment(value: Any, zone: str) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return params.span(value, zone)[0]
    except FhirRefused:
        return None  # a leap second, the year 0: shown as it came, not found by date


def _index(session: Session, settings: Settings, row: FhirResource) -> None:
    if row.version > 1:
        session.execute(delete(FhirToken).where(FhirToken.resource_id == row.id))
    key = blind.key(settings)
    found = {(name, digest) for name, system, value in searchable(row.body) for digest in _digests(key, name, system, value)}
    session.add_all(FhirToken(resource_id=row.id, name=name, digest=digest) for name, digest in found)
    session.flush()


def searchable(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Parameter, system and value of everything that a resource may be searched by."""
    yield from (("identifier", system, value) for system, value in pairs(body.get("identifier")))
    for element, name in _CODED.items():
        for concept in _many(body.get(element)):
            yield from ((name, str(c.get("system") or ""), str(c["code"])) for c in _many(concept.get("coding")) if c.get("code"))
    for element, name in _REFERENCES.items():
        for target in _many(body.get(element)):
            if isinstance(target.get("reference"), str):
                yield (name, *params.reference(target["reference"]))


def _many(value: Any) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, Mapping)]


def _digests(key: bytes, name: str, system: str, value: str) -> tuple[str, str]:
    """One for the value of this system, one for the value of any."""
    return blind.digest(key, f"fhir {name} {system}", value), blind.digest(key, f"fhir {name} *", value)


def _tokens(settings: Settings, name: str, wanted: Iterable[tuple[str | None, str]]) -> ColumnElement[bool]:
    key = blind.key(settings)
    digests = [_digests(key, name, system or "", value)[0 if system is not None else 1] for system, value in wanted if value]
    hits = select(FhirToken.resource_id).where(FhirToken.name == name, FhirToken.digest.in_(digests))
    return FhirResource.id.in_(hits)
