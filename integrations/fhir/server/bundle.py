"""Transactions, which happen as a whole or not at all, and batches, each entry of which stands alone (FHIR R4, section 3.1.0.11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from engine.db import new_id
from integrations.fhir.refusal import FhirRefused, Issue, refuse
from integrations.fhir.server import check, params, search, write
from integrations.fhir.server.write import Desk, Written

MOST_ENTRIES = 500


@dataclass(slots=True)
class _Entry:
    number: int
    method: str
    kind: str
    id: str
    query: str
    resource: Any
    full_url: str
    request: dict[str, Any]

    @property
    def place(self) -> str:
        return f"Bundle.entry[{self.number}].resource"


def run(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    """Carries out a transaction or batch and returns the answering Bundle."""
    if given.get("resourceType") != "Bundle":
        raise refuse(400, "invalid", "A Bundle is expected here.", "Bundle.resourceType")
    kind, entries = given.get("type"), given.get("entry") or []
    if kind not in ("transaction", "batch"):
        raise refuse(400, "value", "The type is transaction or batch.", "Bundle.type")
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise refuse(
            413 if isinstance(entries, list) else 400, "too-costly", f"At most {MOST_ENTRIES} entries are taken at once.", "Bundle.entry"
        )
    answers = _transaction(desk, entries) if kind == "transaction" else [_alone(desk, number, entry) for number, entry in enumerate(entries)]
    return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answers}


def _transaction(desk: Desk, given: list[Any]) -> list[dict[str, Any]]:
    entries = [_read(number, entry) for number, entry in enumerate(given)]
    _check_all(desk, entries)
    done: dict[int, Written] = {}
    named = _named(desk, entries, done)
    _resolve(entries, named)
    for entry in entries:
        if entry.number not in done and entry.method in ("POST", "PUT"):
            done[entry.number] = _write(desk, entry, named.get(entry.full_url, ""))
    for written in done.values():
        written.after()
    return [_answer(desk, done[e.number]) if e.number in done else _get(desk, e) for e in entries]


def _alone(desk: Desk, number: int, given: Any) -> dict[str, Any]:
    try:
        with desk.session.begin_nested():
            entry = _read(number, given)
            if entry.method == "GET":
                return _get(desk, entry)
            _resolve([entry], {})
            written = _write(desk, entry, "")
            written.after()
            return _answer(desk, written)
    except FhirRefused as refused:
        return {"response": {"status": str(refused.status), "outcome": refused.outcome}}


def _read(number: int, given: Any) -> _Entry:
    place = f"Bundle.entry[{number}]"
    request = given.get("request") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(request, dict):
        raise refuse(400, "required", "An entry needs a request.", f"{place}.request")
    method, url = request.get("method"), request.get("url")
    if method not in ("GET", "POST", "PUT"):
        raise refuse(400, "not-supported", "GET, POST and PUT are supported.", f"{place}.request.method")
    if not isinstance(url, str):
        raise refuse(400, "required", "A request needs a url.", f"{place}.request.url")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise refuse(400, "value", "This is no address.", f"{place}.request.url") from error
    kind, _, id_ = parts.path.strip("/").partition("/")
    if kind not in check.KINDS:
        raise refuse(404, "not-supported", f"There is no {kind[:40] or 'type'} here.", f"{place}.request.url")
    for name in ("ifNoneExist", "ifMatch"):
        if not isinstance(request.get(name, ""), str):
            raise refuse(400, "value", "A text is expected.", f"{place}.request.{name}")
    full_url = given.get("fullUrl")
    return _Entry(number, method, kind, id_, parts.query, given.get("resource"), full_url if isinstance(full_url, str) else "", request)


def _check_all(desk: Desk, entries: list[_Entry]) -> None:
    """Every finding of every entry in one answer, before anything is done."""
    found: list[Issue] = []
    status = 422
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.method == "GET":
            continue
        try:
            check.resource(entry.resource, entry.kind, entry.place)
        except FhirRefused as refused:
            found += refused.issues
            status = min(status, refused.status)
        if entry.full_url and seen.setdefault(entry.full_url, entry.number) != entry.number:
            found.append(Issue("duplicate", "Another entry has this fullUrl too.", f"Bundle.entry[{entry.number}].fullUrl"))
    if found:
        raise FhirRefused(status, *found[:100])


def _named(desk: Desk, entries: list[_Entry], done: dict[int, Written]) -> dict[str, str]:
    """What each fullUrl is from now on. Patients are written first: their ids are the index's own."""
    named: dict[str, str] = {}
    for entry in sorted(entries, key=lambda e: e.kind != "Patient"):
        if entry.method != "POST":
            if entry.full_url and entry.method == "PUT" and entry.id:
                named[entry.full_url] = f"{entry.kind}/{entry.id}"
            continue
        condition = entry.request.get("ifNoneExist", "")
        known = write.existing(desk, entry.kind, condition, f"Bundle.entry[{entry.number}].request.ifNoneExist") if condition else None
        if known is None and entry.kind == "Patient":
            try:
                known = write.create(desk, "Patient", entry.resource, place=entry.place)
            except FhirRefused as refused:
                raise _at(refused, entry) from refused
        if known is not None:
            done[entry.number] = known
        if entry.full_url:
            named[entry.full_url] = f"{entry.kind}/{known.resource['id'] if known else new_id()}"
    return named


def _resolve(entries: list[_Entry], named: dict[str, str]) -> None:
    for entry in entries:
        entry.resource = _renamed(entry.resource, named)
    missing = [issue for entry in entries if entry.method != "GET" for issue in _unresolved(entry.resource, entry.place)]
    if missing:
        raise FhirRefused(422, *missing[:100])


def _renamed(value: Any, named: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: named.get(v, v) if k == "reference" and isinstance(v, str) else _renamed(v, named) for k, v in value.items()}
    return [_renamed(item, named) for item in value] if isinstance(value, list) else value


def _unresolved(value: Any, place: str) -> Iterator[Issue]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "reference" and isinstance(inner, str) and inner.startswith(("urn:uuid:", "urn:oid:")):
                yield Issue("not-found", f"No entry has the fullUrl {inner[:100]}.", f"{place}.reference")
            else:
                yield from _unresolved(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unresolved(inner, f"{place}[{number}]")


def _write(desk: Desk, entry: _Entry, named: str) -> Written:
    try:
        if entry.method == "PUT":
            given = {"if_match": entry.request.get("ifMatch", ""), "query": "" if entry.id else entry.query, "place": entry.place}
            return write.update(desk, entry.kind, entry.id, entry.resource, **given)
        id_ = named.partition("/")[2]
        return write.create(desk, entry.kind, entry.resource, none_exist=entry.request.get("ifNoneExist", ""), fhir_id=id_, place=entry.place)
    except FhirRefused as refused:
        raise _at(refused, entry) from refused


def _at(refused: FhirRefused, entry: _Entry) -> FhirRefused:
    """The refusal with its place inside the bundle."""
    return FhirRefused(refused.status, *(i if i.place.startswith("Bundle") else i.within(entry.place) for i in refused.issues))


def _get(desk: Desk, entry: _Entry) -> dict[str, Any]:
    if entry.id:
        found = search.read(desk.session, desk.caller, entry.kind, entry.id)
    else:
        asked = params.read(entry.kind, parse_qsl(entry.query))
        found = search.find(desk.session, desk.settings, desk.caller, asked, desk.base)
    return {"resource": found, "response": {"status": "200 OK"}}


def _answer(desk: Desk, written: Written) -> dict[str, Any]:
    words = {200: "200 OK", 201: "201 Created"}[written.status]
    response = {"status": words, "location": written.place, "etag": written.etag, "lastModified": written.resource["meta"]["lastUpdated"]}
    return {"fullUrl": f"{desk.base}/{written.resource['resourceType']}/{written.resource['id']}", "response": response}
