"""What a resource that came in means for our work: news of a referral, the result of an order, the beginning of a process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from engine.settings import Settings
from integrations import outcomes, units
from integrations.fhir import referral
from integrations.fhir.identifiers import ORDER, REFERRAL, pairs, value_of
from integrations.fhir.server import params, store
from integrations.fhir.server.caller import Caller
from integrations.messages import log, routes, worklist
from integrations.messages.tables import MessageLog
from integrations.patients import index

_DELIVERED = {"final": "final", "amended": "corrected", "corrected": "corrected", "appended": "corrected", "cancelled": "cancelled"}
_IMAGING = ("RAD", "RUS", "CT", "CUS", "NMR", "NMS", "OUS", "RX", "VUS", "XRC", "MR", "IMG", "US", "DX", "imaging")
_IMPRESSION = "19005-8"
_EXPECTED = ("Task", "DiagnosticReport", "ServiceRequest")  # somebody must do something about these


def tell(session: Session, settings: Settings, row: MessageLog, resource: Mapping[str, Any], caller: Caller) -> None:
    """Hands a stored resource on; what finds no receiver and ought to have one goes to the work list."""
    kind = resource["resourceType"]
    routed = routes.run(session, row.connection, row.kind, dict(resource))
    record = routes.keep(session, row, routed) if routed else {}
    if record is None:
        return
    number = order_of(session, resource) if kind in ("Task", "DiagnosticReport") else ""
    if number:
        _about_ours(session, row, resource, number, caller, record)
        return
    payload = {**record, "resource": dict(resource), "id": resource.get("id"), "patientId": row.patient_id}
    key = next((value for _, value in pairs(resource.get("identifier"))), "") or str(resource.get("id") or "")
    may = not caller.partner or kind in ("ServiceRequest", "Task")  # a partner refers patients to us; it starts nothing else
    begun = may and outcomes.begin(session, row, f"fhir_{kind}", key[:200], payload, actor=caller.name)
    if not begun and kind in _EXPECTED:
        reason = "unknown_order" if kind != "ServiceRequest" else "no_receiver"
        unplaced(session, row, reason, f"It names no order or referral of ours, and no process begins with fhir_{kind} ({key[:60]})")


def order_of(session: Session, resource: Mapping[str, Any]) -> str:
    """Our number of the order or referral that a resource is about: by its identifiers, or by what it is based on."""
    for system in (REFERRAL, ORDER):
        if number := value_of(resource.get("identifier"), system):
            return number
    for reference in _references(resource):
        identifier = reference.get("identifier")
        if number := value_of([identifier], ORDER) or value_of([identifier], REFERRAL):
            return number
        kind, id_ = params.reference(str(reference.get("reference") or ""))
        kept = store.get(session, kind, id_) if kind == "ServiceRequest" else None
        if kept is not None and (number := value_of(kept.body.get("identifier"), ORDER) or value_of(kept.body.get("identifier"), REFERRAL)):
            return number
    return ""


def place(session: Session, row: MessageLog, number: str, *, actor: str) -> None:
    """A person says which order a resource of the work list belongs to."""
    resource = (row.raw or {}).get("text") or {}
    sent = log.by_reference(session, number)
    if sent is not None:
        row.instance_id, row.element_id, row.patient_id = sent.instance_id, sent.element_id, sent.patient_id
    name, payload = message(session, resource, number, imaging=_ordered_imaging(sent, resource))
    outcomes.hand_on(session, row, name, number, payload, actor=actor)


def unplaced(session: Session, row: MessageLog, reason: str, detail: str) -> None:
    """Puts a stored resource on the work list."""
    worklist.add(session, row, reason, detail)
    row.state, row.error = "unmatched", detail


def message(session: Session, resource: Mapping[str, Any], number: str, *, imaging: bool) -> tuple[str, dict[str, Any]]:
    """The message that a Task or DiagnosticReport is to the waiting process, and its payload."""
    if resource.get("resourceType") == "Task":
        return "referral_update", {**(referral.news(resource) or {"status": None, "reason": None, "report": None}), "referralId": number}
    status = _DELIVERED.get(str(resource.get("status")), "preliminary")
    seen = list(_observations(session, resource))
    if imaging:
        return "imaging_result", _imaging(resource, number, seen, status)
    shown = [_shown(item) for item in seen]
    flagged = any(item["abnormal"] not in ("", "N") for item in shown)
    payload = {"orderId": number, "observations": shown, "status": status, "report": resource.get("conclusion"), "abnormal": flagged}
    return "lab_result", payload


def _about_ours(session: Session, row: MessageLog, resource: Mapping[str, Any], number: str, caller: Caller, record: Mapping[str, Any]) -> None:
    row.reference = number[:120]
    sent = log.by_reference(session, number)
    if sent is None:
        unplaced(session, row, "unknown_order", f"We sent no such order or referral ({number[:60]})")
        return
    if caller.partner and sent.connection != caller.partner:
        unplaced(session, row, "other_sender", f"It was sent to {sent.connection}, not to {caller.partner} ({number[:60]})")
        return
    if row.patient_id and sent.patient_id and index.present(session, sent.patient_id).id != row.patient_id:
        unplaced(session, row, "other_patient", f"Its patient is not the one that the order was made for ({number[:60]})")
        return
    row.instance_id, row.element_id, row.patient_id = sent.instance_id, sent.element_id, sent.patient_id
    if resource.get("status") == "entered-in-error":
        unplaced(session, row, "withdrawn", f"The sender says that it was entered in error ({number[:60]})")
        return
    if resource["resourceType"] == "Task":
        if (told := referral.news(resource)) is None:
            row.state = "ignored"
            return
        row.mapped = {**told, **record, "referralId": number}
        outcomes.hand_on(session, row, "referral_update", number, row.mapped, actor=caller.name)
        return
    name, payload = message(session, resource, number, imaging=_ordered_imaging(sent, resource))
    row.mapped = payload = {**payload, **record, "orderId": number}
    if resource.get("status") in _DELIVERED:  # partial and preliminary reports are kept and shown, not handed on
        outcomes.hand_on(session, row, name, number, payload, actor=caller.name)


def _ordered_imaging(sent: MessageLog | None, resource: Mapping[str, Any]) -> bool:
    if sent is not None and sent.kind in ("OMI^O23", "OML^O21"):
        return sent.kind == "OMI^O23"
    codes = {c.get("code") for category in resource.get("category") or () for c in category.get("coding") or ()}
    return bool(codes & set(_IMAGING)) or bool(resource.get("imagingStudy"))


def _references(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("basedOn", "focus"):
        value = resource.get(name)
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Mapping))


def _observations(session: Session, report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    contained = {f"#{item.get('id')}": item for item in report.get("contained") or () if item.get("resourceType") == "Observation"}
    for reference in report.get("result") or ():
        text = str(reference.get("reference") or "")
        kind, id_ = params.reference(text)
        kept = store.get(session, "Observation", id_) if kind == "Observation" else None
        if text in contained:
            yield contained[text]
        elif kept is not None:
            yield kept.body


def _imaging(report: Mapping[str, Any], number: str, seen: list[Mapping[str, Any]], status: str) -> dict[str, Any]:
    impressions = [str(item.get("valueString") or "") for item in seen if _coding(item.get("code"))[0] == _IMPRESSION]
    findings = [str(item.get("valueString") or "") for item in seen if _coding(item.get("code"))[0] != _IMPRESSION]
    studies = [s.get("identifier") or {} for s in report.get("imagingStudy") or ()]
    accession = value_of(report.get("identifier"), "urn:carelane:accession")
    return {
        "orderId": number, "accession": accession, "findings": "\n".join(filter(None, findings)),
        "impression": report.get("conclusion") or "\n".join(filter(None, impressions)),
        "studyUid": next((str(i["value"]).removeprefix("urn:oid:") for i in studies if i.get("value")), ""), "status": status,
    }  # fmt: skip


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    """An observation as processes receive it, in the clinic's unit, the value as it came kept in `original`."""
    code, name = _coding(item.get("code"))
    quantity = item.get("valueQuantity") or {}
    coded = _coding(item.get("valueCodeableConcept"))[1]
    bounds = next(iter(item.get("referenceRange") or ()), {})
    low, high = (bounds.get(name, {}).get("value") for name in ("low", "high"))
    reference = str(bounds.get("text") or (f"{low:g}-{high:g}" if low is not None and high is not None else ""))
    compared = quantity.get("comparator")
    number = f"{compared}{quantity.get('value')}" if compared else quantity.get("value")
    value = number if number is not None else item.get("valueString") or coded or item.get("valueInteger")
    given = units.Measured(value, str(quantity.get("unit") or quantity.get("code") or ""), reference)
    shown = units.to_clinic(given, code)
    flag = next((_coding(concept)[0] for concept in item.get("interpretation") or ()), "")
    made = {
        "code": code, "name": name, "value": shown.value, "unit": shown.unit, "referenceRange": shown.reference,
        "abnormal": flag or units.flag(shown.value, shown.reference), "status": str(item.get("status") or "final"),
    }  # fmt: skip
    if shown is not given:
        made["original"] = {"value": given.value, "unit": given.unit, "referenceRange": given.reference}
    return made


def _coding(concept: Any) -> tuple[str, str]:
    """Code and words of a CodeableConcept; LOINC before other systems."""
    if not isinstance(concept, Mapping):
        return "", ""
    codings = sorted(concept.get("coding") or (), key=lambda c: c.get("system") != "http://loinc.org")
    first = codings[0] if codings else {}
    code = str(first.get("code") or "")
    return code, str(concept.get("text") or first.get("display") or code)
