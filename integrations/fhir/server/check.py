"""Is this a FHIR R4 resource that we can take? Its shape, its codes and its characters; each finding with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from integrations.fhir import codes
from integrations.fhir.refusal import FhirRefused, Issue, refuse

KINDS = ("Patient", "Appointment", "Encounter", "ServiceRequest", "Task", "Observation", "DiagnosticReport", "Communication")
ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
DEEPEST = 40  # levels of JSON: real resources have about ten
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_MOST_FINDINGS = 30


def read_json(raw: bytes) -> dict[str, Any]:
    """The JSON object in a request's body; FhirRefused (400) when there is none."""
    try:
        loaded = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise refuse(400, "structure", f"The body is no JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise refuse(400, "structure", "The body is no JSON object.")
    return loaded


def resource(given: Any, kind: str, place: str = "") -> dict[str, Any]:
    """The resource with every value of the type that FHIR says; FhirRefused (400 or 422) with each finding otherwise."""
    place = place or kind
    if not isinstance(given, dict):
        raise refuse(400, "structure", "A resource is expected here.", place)
    found = given.get("resourceType")
    if found != kind:
        raise refuse(400, "invalid", f"A {kind} is expected here, not {_short(found)}.", f"{place}.resourceType")
    wrong = list(_characters(given, place, DEEPEST))
    if wrong:
        raise FhirRefused(400, *wrong[:_MOST_FINDINGS])
    unknown = [Issue("code-invalid", "no such resource type in FHIR R4", where) for where in _unknown_kinds(given, place)]
    if unknown:
        raise FhirRefused(422, *unknown)
    if wrong := codes.issues(given, place):  # first: it says which codes there are
        raise FhirRefused(422, *wrong[:_MOST_FINDINGS])
    try:
        made = _model(kind).model_validate(given)
        read: dict[str, Any] = orjson.loads(made.model_dump_json())
    except ValidationError as error:
        raise FhirRefused(422, *_findings(error, place)) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise refuse(422, "structure", f"It does not have the shape of a {kind}: {type(error).__name__}.", place) from error
    return read


def _model(kind: str) -> type[BaseModel]:
    found: type[BaseModel] = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    return found


def _findings(error: ValidationError, place: str) -> Iterator[Issue]:
    for item in error.errors(include_url=False, include_context=False)[:_MOST_FINDINGS]:
        where = place + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in item["loc"] if step != "root")
        code = {"missing": "required", "extra_forbidden": "structure", "list_type": "structure"}.get(item["type"], "value")
        yield Issue(code, _short(item["msg"], 300), where)


def _characters(value: Any, place: str, deeper: int) -> Iterator[Issue]:
    """Control characters, which FHIR's string forbids and databases refuse, and nesting without end."""
    if deeper == 0:
        yield Issue("too-costly", f"It is nested more than {DEEPEST} levels deep.", _short(place, 200))
    elif isinstance(value, str):
        if _CONTROL.search(value):
            yield Issue("invalid", "A string may not hold control characters.", place)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _CONTROL.search(key):
                yield Issue("invalid", "A name may not hold control characters.", place)
            else:
                yield from _characters(inner, f"{place}.{_short(key, 60)}", deeper - 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _characters(inner, f"{place}[{number}]", deeper - 1)


def _unknown_kinds(given: Mapping[str, Any], place: str) -> Iterator[str]:
    contained = given.get("contained")
    for number, inner in enumerate(contained if isinstance(contained, list) else ()):
        kind = inner.get("resourceType") if isinstance(inner, dict) else None
        if not isinstance(kind, str) or not re.fullmatch(r"[A-Z][A-Za-z]{2,40}", kind) or not _known(kind):
            yield f"{place}.contained[{number}].resourceType"


def _known(kind: str) -> bool:
    try:
        return isinstance(_model(kind), type)
    except (ImportError, AttributeError):
        return False


def _short(value: Any, most: int = 80) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[:most]}…"
