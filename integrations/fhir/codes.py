"""Code checks for FHIR R4 resources: required value sets that parsers of the shape let pass (`gender: "zz"`).

The codes are FHIR R4's own (hl7.org/fhir/R4/terminologies-valuesets.html), kept as data in `codes.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_BOUND = {  # (resource, element): value set
    ("Patient", "gender"): "administrative-gender",
    ("Task", "status"): "task-status",
    ("Task", "intent"): "request-intent",
    ("Task", "priority"): "request-priority",
    ("ServiceRequest", "status"): "request-status",
    ("ServiceRequest", "intent"): "request-intent",
    ("ServiceRequest", "priority"): "request-priority",
    ("Encounter", "status"): "encounter-status",
    ("Appointment", "status"): "appointmentstatus",
    ("DiagnosticReport", "status"): "diagnostic-report-status",
    ("Observation", "status"): "observation-status",
    ("Communication", "status"): "event-status",
}
_REQUIRED = {
    "Task": ("status", "intent"), "ServiceRequest": ("status", "intent", "subject"), "Encounter": ("status", "class"),
    "Appointment": ("status", "participant"), "Observation": ("status", "code"), "DiagnosticReport": ("status", "code"),
    "Communication": ("status",),
}  # fmt: skip


def problems(resource: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource's codes and required elements, each as `path: reason`; contained and bundled ones included."""
    kind = str(resource.get("resourceType", ""))
    if not kind:
        return ["resourceType: is missing"]
    found = [f"{kind}.{name}: is required" for name in _REQUIRED.get(kind, ()) if not resource.get(name)]
    for (owner, name), value_set in _BOUND.items():
        value = resource.get(name)
        if owner == kind and value is not None and value not in _codes()[value_set]:
            found.append(f"{kind}.{name}: {value!r} is not one of {', '.join(_codes()[value_set])}")
    for entry in resource.get("entry") or ():
        found += problems(entry.get("resource") or {"resourceType": "Basic"})
    for inner in resource.get("contained") or ():
        found += problems(inner)
    return found


@cache
def _codes() -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = json.loads(Path(__file__).with_name("codes.json").read_text())
    return loaded
