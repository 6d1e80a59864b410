"""Reads and searches over what is ours and what was sent to us, as one: a page, its total and the link to the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session

from engine.settings import Settings
from integrations.fhir.refusal import refuse
from integrations.fhir.server import own, params, store
from integrations.fhir.server.caller import Caller
from integrations.fhir.server.params import Asked
from integrations.fhir.tables import FhirResource

ABOUT_PATIENT: Mapping[str, Any] = {"Encounter": own.Instance.subject, "Task": own.Task.subject, "Patient": own.Patient.id}


def read(session: Session, caller: Caller, kind: str, id_: str) -> dict[str, Any]:
    """One resource; FhirRefused (404) when there is none, or it is not the caller's to see."""
    found = None if caller.partner else own.read(session, kind, id_)
    if found is None:
        row = store.get(session, kind, id_)
        if row is None or (caller.partner and row.source != caller.name):
            raise refuse(404, "not-found", f"There is no {kind}/{id_[:64]}.")
        found = own.read(session, kind, id_) if kind == "Patient" else store.shown(row)
    assert found is not None
    return found


def find(session: Session, settings: Settings, caller: Caller, asked: Asked, base: str) -> dict[str, Any]:
    """A searchset Bundle."""
    union = _union(session, settings, caller, asked)
    total = session.scalar(select(func.count()).select_from(union.subquery())) or 0
    rows = [] if asked.only_total else _page(session, union, asked)
    shown = [resource for kind_, id_, _ in rows[: asked.count] if (resource := _hydrate(session, asked.kind, kind_, id_)) is not None]
    entries = [_entry(base, resource, "match") for resource in shown]
    entries += [_entry(base, resource, "include") for resource in _included(session, caller, asked, shown)]
    links = [{"relation": "self", "url": _url(base, asked, asked.cursor)}]
    if len(rows) > asked.count and asked.count:
        _, id_, updated = rows[asked.count - 1]
        links.append({"relation": "next", "url": _url(base, asked, f"{updated.isoformat()}|{id_}" if asked.newest else id_)})
    return {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links, **({"entry": entries} if entries else {})}


def ids(session: Session, settings: Settings, caller: Caller, kind: str, query: list[tuple[str, str]], place: str) -> list[str]:
    """The ids that a condition (If-None-Exist, a conditional update) matches, three at most; it must name something."""
    asked = params.read(kind, query)
    if not asked.filters:
        raise refuse(412, "incomplete", "A condition needs a search parameter, such as identifier.", place)
    union = _union(session, settings, caller, asked).subquery()
    return [str(id_) for id_ in session.scalars(select(union.c.id).limit(3))]


def patients_of(resource: Mapping[str, Any]) -> Iterator[str]:
    """The patients whose data a resource or Bundle shows, for the access record."""
    if resource.get("resourceType") == "Bundle":
        for entry in resource.get("entry") or ():
            yield from patients_of(entry.get("resource") or {})
    elif resource.get("resourceType") == "Patient":
        yield str(resource.get("id", ""))
    else:
        for name in ("subject", "for"):
            kind, id_ = params.reference(str((resource.get(name) or {}).get("reference") or ""))
            if kind == "Patient" and id_:
                yield id_
        for participant in resource.get("participant") or ():
            kind, id_ = params.reference(str((participant.get("actor") or {}).get("reference") or ""))
            if kind == "Patient" and id_:
                yield id_


def _union(session: Session, settings: Settings, caller: Caller, asked: Asked) -> Any:
    """Ids and times of change of everything that matches: kept resources, and our own rows where the kind has them."""
    found = [patient for patient in asked.filters if patient.type == "patient"]
    wanted = [own.patient_ids(session, settings, item) for item in found]
    rest = [item for item in asked.filters if item.type != "patient"]
    queries: list[Select[Any]] = []
    if asked.kind != "Patient":
        kept = [FhirResource.kind == asked.kind, *(store.condition(session, settings, item) for item in rest)]
        kept += [FhirResource.patient_id.in_(group) for group in wanted]
        if caller.partner:
            kept.append(FhirResource.source == caller.name)
        queries.append(_select("kept", FhirResource.fhir_id, FhirResource.updated, kept))
    elif caller.partner:
        mine = select(FhirResource.fhir_id).where(FhirResource.kind == "Patient", FhirResource.source == caller.name)
        matching = [own.condition(session, settings, "Patient", item) for item in rest]
        return _select("own", own.Patient.id, own.Patient.changed, [own.Patient.id.in_(mine), *matching])
    if asked.kind in own.TABLES and not caller.partner:
        mine_too = [own.EXPOSED[asked.kind], *(own.condition(session, settings, asked.kind, item) for item in rest)]
        mine_too += [ABOUT_PATIENT[asked.kind].in_(group) for group in wanted]
        queries.append(_select("own", own.TABLES[asked.kind].id, own.UPDATED[asked.kind], mine_too))
    return union_all(*queries) if len(queries) > 1 else queries[0]


def _select(origin: str, id_: Any, updated: Any, where: list[ColumnElement[bool]]) -> Select[Any]:
    return select(literal(origin).label("origin"), id_.label("id"), updated.label("updated")).where(*where)


def _page(session: Session, union: Any, asked: Asked) -> list[tuple[str, str, datetime]]:
    """One row more than asked for where there is one: then there is a next page. A page goes on where the last one ended."""
    rows = union.subquery()
    query = select(rows.c.origin, rows.c.id, rows.c.updated).limit(asked.count + 1)
    if not asked.newest:
        query = query.where(rows.c.id > asked.cursor) if asked.cursor else query
        return [tuple(row) for row in session.execute(query.order_by(rows.c.id))]
    if asked.cursor:
        at, _, id_ = asked.cursor.partition("|")
        try:
            moment = datetime.fromisoformat(at)
            moment.astimezone()
        except (ValueError, OverflowError) as error:
            raise refuse(400, "value", "This is no cursor of ours.", f"{asked.kind}?_cursor") from error
        if moment.tzinfo is None:
            raise refuse(400, "value", "This is no cursor of ours.", f"{asked.kind}?_cursor")
        query = query.where(tuple_(rows.c.updated, rows.c.id) < tuple_(literal(moment, rows.c.updated.type), literal(id_)))
    return [tuple(row) for row in session.execute(query.order_by(rows.c.updated.desc(), rows.c.id.desc()))]


def _hydrate(session: Session, kind: str, origin: str, id_: str) -> dict[str, Any] | None:
    if origin == "own":
        return own.read(session, kind, id_)
    row = store.get(session, kind, id_)
    return store.shown(row) if row is not None else None


def _included(session: Session, caller: Caller, asked: Asked, shown: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen = {(asked.kind, str(resource["id"])) for resource in shown}
    for resource in shown:
        for name in asked.includes:
            for kind, id_ in _references(resource, params.INCLUDES[name]):
                if (kind, id_) not in seen and kind in params.PARAMETERS:
                    seen.add((kind, id_))
                    found = own.read(session, kind, id_) if not caller.partner else None
                    row = None if found else store.get(session, kind, id_)
                    if row is not None and (not caller.partner or row.source == caller.name):
                        found = store.shown(row)
                    if found is not None:
                        yield found


def _references(resource: Mapping[str, Any], elements: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for element in elements:
        value = resource.get(element)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and item.get("reference"):
                yield params.reference(str(item["reference"]))


def _entry(base: str, resource: dict[str, Any], mode: str) -> dict[str, Any]:
    return {"fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}", "resource": resource, "search": {"mode": mode}}


def _url(base: str, asked: Asked, cursor: str) -> str:
    query = urlencode([*asked.pairs, *([("_cursor", cursor)] if cursor else [])])
    return f"{base}/{asked.kind}?{query}" if query else f"{base}/{asked.kind}"
