"""Code checks for FHIR R4 resources: required value sets that parsers of the shape let pass (`gender: "zz"`).

The codes are FHIR R4's own (hl7.org/fhir/R4/terminologies-valuesets.html, bindings of strength `required`), kept as data in
`codes.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from integrations.fhir.refusal import Issue

_BOUND = {  # (resource, element): value set
    ("Patient", "gender"): "administrative-gender",
    ("Task", "status"): "task-status",
    ("Task", "intent"): "task-intent",
    ("Task", "priority"): "request-priority",
    ("ServiceRequest", "status"): "request-status",
    ("ServiceRequest", "intent"): "request-intent",
    ("ServiceRequest", "priority"): "request-priority",
    ("Encounter", "status"): "encounter-status",
    ("Appointment", "status"): "appointmentstatus",
    ("DiagnosticReport", "status"): "diagnostic-report-status",
    ("Observation", "status"): "observation-status",
    ("Communication", "status"): "event-status",
    ("Communication", "priority"): "request-priority",
}
_INSIDE = {  # (element, its child): value set, wherever the element stands
    ("identifier", "use"): "identifier-use",
    ("name", "use"): "name-use",
    ("telecom", "system"): "contact-point-system",
    ("telecom", "use"): "contact-point-use",
    ("address", "use"): "address-use",
    ("address", "type"): "address-type",
    ("contact", "gender"): "administrative-gender",
    ("link", "type"): "link-type",
    ("text", "status"): "narrative-status",
    ("participant", "status"): "participationstatus",
    ("participant", "required"): "participantrequired",
    ("location", "status"): "encounter-location-status",
    ("statusHistory", "status"): "encounter-status",
    ("valueQuantity", "comparator"): "quantity-comparator",
}
_REQUIRED = {
    "Task": ("status", "intent"), "ServiceRequest": ("status", "intent", "subject"), "Encounter": ("status", "class"),
    "Appointment": ("status", "participant"), "Observation": ("status", "code"), "DiagnosticReport": ("status", "code"),
    "Communication": ("status",),
}  # fmt: skip


def problems(resource: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource's codes and required elements, each as `place: reason`; contained and bundled ones included."""
    return [f"{issue.place}: {issue.text}" for issue in issues(resource)]


def issues(resource: Mapping[str, Any], place: str = "") -> list[Issue]:
    """The same as findings with their exact places."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not kind:
        return [Issue("required", "is missing", f"{place}.resourceType".strip("."))]
    place = place or kind
    found = [Issue("required", "is required", f"{place}.{name}") for name in _REQUIRED.get(kind, ()) if not resource.get(name)]
    for (owner, name), value_set in _BOUND.items():
        if owner == kind and name in resource:
            found += _wrong(resource[name], value_set, f"{place}.{name}")
    return [*found, *_inside(resource, place)]


def _inside(element: Mapping[str, Any], place: str) -> Iterator[Issue]:
    for key, inner, where in _children(element, place):
        if "resourceType" in inner:  # a resource of its own
            yield from issues(inner, where)
            continue
        for (owner, name), value_set in _INSIDE.items():
            if owner == key and name in inner:
                yield from _wrong(inner[name], value_set, f"{where}.{name}")
        yield from _inside(inner, where)


def _children(element: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for key, value in element.items():
        if isinstance(value, Mapping):
            yield key, value, f"{place}.{key}"
        elif isinstance(value, list):
            yield from ((key, item, f"{place}.{key}[{number}]") for number, item in enumerate(value) if isinstance(item, Mapping))


def _wrong(value: Any, value_set: str, place: str) -> list[Issue]:
    known = _codes()[value_set]
    return [] if value in known else [Issue("code-invalid", f"{value!r} is not one of {', '.join(known)}", place)]


@cache
def _codes() -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = json.loads(Path(__file__).with_name("codes.json").read_text())
    return loaded
