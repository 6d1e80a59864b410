"""Our orders as ServiceRequests, and the results that came for them over HL7 as DiagnosticReports with Observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from engine import clock
from engine.settings import Settings
from integrations.fhir.identifiers import ORDER, VISIT
from integrations.fhir.server import store
from integrations.fhir.tables import FhirResource

LOINC, LAB, IMAGING = "http://loinc.org", "LAB", "RAD"
_SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
_FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_PRIORITY = {"routine": "routine", "R": "routine", "urgent": "urgent", "asap": "asap", "stat": "stat"}
_REPORT = {"final": "final", "corrected": "corrected", "cancelled": "cancelled", "preliminary": "preliminary", "registered": "registered"}
_OBSERVATION = {**_REPORT, "partial": "preliminary"}


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as it was sent. `codes`: code and name of each test or procedure."""

    number: str
    section: str  # LAB or RAD
    codes: Sequence[tuple[str, str]]
    priority: str = "routine"
    visit_number: str = ""


def order(session: Session, settings: Settings, given: Ordered, patient_id: str, instance_id: str) -> FhirResource:
    """Keeps an order as a ServiceRequest; the same order is kept once."""
    known = _one(session, settings, "ServiceRequest", given.number)
    if known is not None:
        return known
    concepts = [_concept(code, name) for code, name in given.codes]
    body: dict[str, Any] = {
        "resourceType": "ServiceRequest", "identifier": [{"system": ORDER, "value": given.number}], "status": "active", "intent": "order",
        "category": [_section(given.section)], "priority": _PRIORITY.get(given.priority, "routine"),
        "code": concepts[0] if len(concepts) == 1 else {"text": ", ".join(name for _, name in given.codes)},
        "subject": {"reference": f"Patient/{patient_id}"}, "authoredOn": store.instant(clock.now()),
        "encounter": {"reference": f"Encounter/{instance_id}"},
    }  # fmt: skip
    if len(concepts) > 1:
        body["orderDetail"] = concepts
    if given.visit_number:
        body["encounter"]["identifier"] = {"system": VISIT, "value": given.visit_number}
    return store.put(session, settings, body, source=store.OURS, patient_id=patient_id, instance_id=instance_id)


def result(
    session: Session, settings: Settings, name: str, payload: Mapping[str, Any], patient_id: str | None, instance_id: str | None
) -> None:
    """Keeps a result, `lab_result` or `imaging_result`, or its next version: partial, final, corrected."""
    number = str(payload["orderId"])
    request = _one(session, settings, "ServiceRequest", number)
    known = _one(session, settings, "DiagnosticReport", number)
    status = _REPORT.get(str(payload.get("status")), "partial")
    about = _about(request, patient_id, instance_id)
    report_id = known.fhir_id if known is not None else store.new_id()
    seen = _imaging(payload) if name == "imaging_result" else [_measured(item) for item in payload.get("observations") or ()]
    made = [{"resourceType": "Observation", **about, **item} for item in seen]
    for position, observation in enumerate(made, 1):
        observation.setdefault("status", _OBSERVATION.get(status, "preliminary"))
        store.put(
            session, settings, observation, source=store.OURS, fhir_id=f"{report_id}-{position}", patient_id=patient_id, instance_id=instance_id
        )
    body = {
        "resourceType": "DiagnosticReport", "identifier": [{"system": ORDER, "value": number}], "status": status, **about,
        "category": [_section(IMAGING if name == "imaging_result" else LAB)],
        "code": dict(request.body["code"]) if request is not None else {"text": number}, "issued": store.instant(clock.now()),
        "result": [{"reference": f"Observation/{report_id}-{position}"} for position in range(1, len(made) + 1)],
    }  # fmt: skip
    if conclusion := payload.get("impression") or payload.get("report"):
        body["conclusion"] = str(conclusion)
    if payload.get("studyUid"):
        body["imagingStudy"] = [{"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{payload['studyUid']}"}}]
    store.put(session, settings, body, source=store.OURS, fhir_id=report_id, patient_id=patient_id, instance_id=instance_id)
    if request is not None and status in ("final", "corrected", "cancelled"):
        done = "revoked" if status == "cancelled" else "completed"
        if request.status != done:
            store.put(
                session, settings, {**request.body, "status": done}, source=store.OURS, fhir_id=request.fhir_id,
                patient_id=request.patient_id, instance_id=request.instance_id,
            )  # fmt: skip


def _one(session: Session, settings: Settings, kind: str, number: str) -> FhirResource | None:
    found = [row for row in store.by_identifier(session, settings, kind, ORDER, number) if row.source == store.OURS]
    return found[0] if found else None


def _about(request: FhirResource | None, patient_id: str | None, instance_id: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if request is not None:
        made["basedOn"] = [{"reference": f"ServiceRequest/{request.fhir_id}"}]
    if patient_id:
        made["subject"] = {"reference": f"Patient/{patient_id}"}
    if instance_id:
        made["encounter"] = {"reference": f"Encounter/{instance_id}"}
    return made


def _measured(item: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "code": _concept(str(item.get("code") or ""), str(item.get("name") or item.get("code") or "")),
        "issued": store.instant(clock.now()),
    }
    value = item.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        made["valueQuantity"] = {"value": value, **({"unit": str(item["unit"])} if item.get("unit") else {})}
    elif value not in (None, ""):
        made["valueString"] = str(value)
    if item.get("referenceRange"):
        made["referenceRange"] = [{"text": str(item["referenceRange"])}]
    if item.get("abnormal"):
        made["interpretation"] = [{"coding": [{"system": _FLAGS, "code": str(item["abnormal"])}]}]
    if status := _OBSERVATION.get(str(item.get("status"))):
        made["status"] = status
    return made


def _imaging(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = [("59776-5", "Procedure findings", payload.get("findings")), ("19005-8", "Radiology impression", payload.get("impression"))]
    issued = store.instant(clock.now())
    return [{"code": _concept(code, name), "valueString": str(text), "issued": issued} for code, name, text in parts if text]


def _concept(code: str, name: str) -> dict[str, Any]:
    looks_like_loinc = code[:1].isdigit() and code[-2:-1] == "-"
    coding = {"system": LOINC, "code": code} if looks_like_loinc else {"system": "urn:carelane:service", "code": code}
    return {"coding": [coding], "text": name} if code else {"text": name}


def _section(code: str) -> dict[str, Any]:
    return {"coding": [{"system": _SECTION, "code": code}]}
