"""A referral in FHIR R4 words: the ServiceRequest is the intent, the Task carries the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from engine import clock
from integrations.fhir.identifiers import CALL, RECORD, value_of
from integrations.fhir.identifiers import REFERRAL as IDENTIFIER

_PRIORITY = {"routine": "routine", "urgent": "urgent", "emergency": "stat", "stat": "stat", "asap": "asap"}

# Task.status → what the waiting process is told; the rest is only noted
NEWS: Mapping[str, str] = {
    "accepted": "accepted", "in-progress": "accepted", "ready": "accepted", "rejected": "rejected", "cancelled": "rejected",
    "failed": "rejected", "on-hold": "info_requested", "completed": "completed",
}  # fmt: skip


def bundle(given: Mapping[str, Any], patient: Mapping[str, Any], record_number: str) -> dict[str, Any]:
    """A transaction that creates patient, request and task, each only if the receiver does not have it yet.

    `given`: referral_id, reason, summary, department, hospital, priority, deadline (ISO text or None).
    """
    number = given["referral_id"]
    names = {kind: f"urn:uuid:{uuid5(NAMESPACE_URL, f'{kind}/{number}')}" for kind in ("Patient", "ServiceRequest", "Task")}
    priority = _PRIORITY.get(str(given["priority"]), "routine")
    resources = {
        "Patient": _patient(patient, record_number),
        "ServiceRequest": _request(given, names["Patient"], priority),
        "Task": _task(given, names, priority),
    }
    conditions = {
        "Patient": f"identifier={RECORD}|{record_number}",
        "ServiceRequest": f"identifier={IDENTIFIER}|{number}",
        "Task": f"identifier={IDENTIFIER}|{number}",
    }
    entries = [
        {
            "fullUrl": names[kind],
            "resource": _without_empty(resource),
            "request": {"method": "POST", "url": kind, "ifNoneExist": conditions[kind]},
        }
        for kind, resource in resources.items()
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def answer(referral_id: str, task_id: str, text: str, key: str) -> dict[str, Any]:
    """More information that the receiver asked for, as a Communication about its task."""
    return {
        "resourceType": "Communication",
        "identifier": [{"system": CALL, "value": key}],
        "status": "completed",
        "about": [{"reference": f"Task/{task_id}"}, {"identifier": {"system": IDENTIFIER, "value": referral_id}}],
        "sent": clock.now().isoformat(),
        "payload": [{"contentString": text}],
    }


def referral_id(task: Mapping[str, Any]) -> str:
    """Our number of the referral that a task is about; empty when it names none."""
    return value_of(task.get("identifier"), IDENTIFIER)


def news(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a task's state means for the process: status, reason, report; None when it is not worth telling."""
    status = NEWS.get(str(task.get("status")))
    if status is None:
        return None
    reason = (task.get("statusReason") or {}).get("text") or "\n".join(str(note.get("text", "")) for note in task.get("note") or ())
    outputs = [str(item["valueString"]) for item in task.get("output") or () if item.get("valueString")]
    return {"status": status, "reason": reason or None, "report": "\n".join(outputs) or None, "referralId": referral_id(task)}


def _patient(body: Mapping[str, Any], record_number: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [{"system": RECORD, "value": record_number}],
        "name": [{"text": body.get("name", "")}],
        "gender": body.get("sex") or "unknown",
    }
    if body.get("birthDate"):
        made["birthDate"] = body["birthDate"]
    if body.get("phone"):
        made["telecom"] = [{"system": "phone", "value": body["phone"]}]
    return made


def _request(given: Mapping[str, Any], patient: str, priority: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": IDENTIFIER, "value": given["referral_id"]}],
        "status": "active",
        "intent": "order",
        "priority": priority,
        "code": {"text": given["department"]},
        "subject": {"reference": patient},
        "authoredOn": clock.now().isoformat(),
        "reasonCode": [{"text": given["reason"]}],
        "note": [{"text": given["summary"]}],
    }


def _task(given: Mapping[str, Any], names: Mapping[str, str], priority: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Task",
        "identifier": [{"system": IDENTIFIER, "value": given["referral_id"]}],
        "status": "requested",
        "intent": "order",
        "priority": priority,
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": names["ServiceRequest"]},
        "for": {"reference": names["Patient"]},
        "authoredOn": clock.now().isoformat(),
        "requester": {"display": "Carelane"},
        "owner": {"display": given["hospital"]},
        "description": given["reason"],
    }
    if given.get("deadline"):
        made["restriction"] = {"period": {"end": given["deadline"]}}
    return made


def _without_empty(value: Any) -> Any:
    """FHIR knows no empty strings, lists or objects: what nobody said is left out."""
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := _without_empty(inner)) not in ("", {}, [], None)}
    return [kept for item in value if (kept := _without_empty(item)) not in ("", {}, None)] if isinstance(value, list) else value
