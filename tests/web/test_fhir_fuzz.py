"""Whatever comes to the FHIR endpoint, it answers in FHIR's words, and never that something went wrong on our side."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import integrations
from tests.web.clinic import Clinic
from tests.web.test_fhir import GLUCOSE, WANG, Fhir, bundle, entry, report

KINDS = ["Patient", "Appointment", "Encounter", "ServiceRequest", "Task", "Observation", "DiagnosticReport", "Communication"]
NAMES = ["id", "meta", "identifier", "subject", "for", "status", "intent", "code", "coding", "category", "name", "given", "reference", "value",
         "system", "basedOn", "focus", "result", "participant", "actor", "period", "start", "end", "contained", "resourceType", "birthDate",
         "gender", "telecom", "valueQuantity", "valueString", "class", "effectiveDateTime", "issued", "extension", "url", "text", "link",
         "referenceRange", "low", "high", "interpretation", "imagingStudy", "output", "statusReason", "note", "address", "line"]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(["final", "accepted", "#p", "Patient/1", "urn:uuid:p", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31", "male", "*",
                     "order", "urn:carelane:order", "urn:carelane:referral", "\x00", "\ud800".encode("utf-16", "surrogatepass").decode("utf-16", "replace")]),
    st.text(max_size=12),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=5)), inner, max_size=5)
    ),
    max_leaves=15,
)
GOOD: list[dict[str, Any]] = [
    WANG, {**GLUCOSE, "subject": {"reference": "Patient/1"}}, report("X", "1"),
    {"resourceType": "Task", "status": "accepted", "intent": "order", "identifier": [{"system": "urn:carelane:referral", "value": "R"}]},
    {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/1"}},
    {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}, "period": {"start": "2026-11-22"}},
    {"resourceType": "Appointment", "status": "booked", "participant": [{"status": "accepted", "actor": {"reference": "Patient/1"}}]},
]  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A good resource with some of its elements replaced, added or lost."""
    body = dict(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.one_of(st.sampled_from([*body, *NAMES]), st.text(max_size=6)))
        if draw(st.booleans()):
            body.pop(name, None)
        else:
            body[name] = draw(VALUES)
    return body


JSON = st.one_of(
    spoiled(),
    st.builds(lambda kind, more: {"resourceType": kind, **more}, st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES), VALUES)),
)
fuzz = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def answered(answer: Any) -> None:
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code >= 400:
        assert answer.get_json(force=True)["resourceType"] == "OperationOutcome"
        assert answer.get_json(force=True)["issue"]


@pytest.fixture
def fhir(clinic: Clinic) -> Fhir:
    integrations.load()
    return Fhir(clinic)


@fuzz
@given(body=JSON, id_=st.one_of(st.just("a"), st.text(max_size=8)))
def test_any_resource(fhir: Fhir, body: dict[str, Any], id_: str) -> None:
    kind = body.get("resourceType")
    path = f"/{kind}" if kind in KINDS else "/Patient"
    answered(fhir.open("POST", path, body))
    answered(fhir.open("PUT", f"{path}/x", {**body, "id": "x"}))
    answered(fhir.client.put(f"/fhir{path}/{id_.encode('utf-8', 'replace').hex()}", json={**body, "id": id_}, headers=fhir.headers))


ENTRIES = st.one_of(
    JSON.map(lambda body: entry(body, url="Patient")), JSON.map(lambda body: entry(body, url=str(body.get("resourceType")))), VALUES,
)  # fmt: skip
PARAMETERS = st.one_of(
    st.sampled_from(
        ["_id", "_count", "_cursor", "_sort", "_lastUpdated", "identifier", "patient", "date", "status", "code", "name", "birthdate"]
    ),
    st.sampled_from(["_include", "based-on"]),
    st.text(max_size=8),
)
ASKED = st.one_of(
    WORDS,
    st.sampled_from(["ge2026", "0000", "9999-12-31", "-1", "|", "a|b", ",", "Patient/", "/", "99999999999", "2026-01-01T00:00:00+99:99"]),
)


@fuzz
@given(entries=st.lists(ENTRIES, max_size=4), kind=st.sampled_from(["transaction", "batch", "searchset"]))
def test_any_bundle(fhir: Fhir, entries: list[Any], kind: str) -> None:
    answered(fhir.open("POST", "", bundle(*entries, kind=kind)))
    answered(fhir.open("POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries[0] if entries else 5}))


@fuzz
@given(kind=st.sampled_from(KINDS), name=PARAMETERS, value=ASKED, newest=st.booleans())
def test_any_search(fhir: Fhir, kind: str, name: str, value: str, newest: bool) -> None:
    query = {name: value, **({"_sort": "-_lastUpdated"} if newest else {})}
    answered(fhir.client.get(f"/fhir/{kind}", query_string=query, headers=fhir.headers))


@fuzz
@given(raw=st.binary(max_size=60))
def test_any_bytes(fhir: Fhir, raw: bytes) -> None:
    for method, path in (("POST", "/fhir"), ("POST", "/fhir/Patient"), ("PUT", "/fhir/Task/1"), ("POST", "/fhir/Patient/_search")):
        answered(fhir.client.open(path, method=method, data=raw, headers=fhir.headers))


@fuzz
@given(
    value=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    name=st.sampled_from(["If-Match", "If-None-Exist", "If-None-Match", "Prefer", "Accept", "If-Modified-Since"]),
)
def test_any_header(fhir: Fhir, name: str, value: str) -> None:
    headers = {**fhir.headers, name: value}
    answered(fhir.client.post("/fhir/Patient", json=WANG, headers=headers))
    answered(fhir.client.put("/fhir/Observation/h", json={**GLUCOSE, "id": "h"}, headers=headers))
    answered(fhir.client.get("/fhir/Observation/h", headers=headers))
