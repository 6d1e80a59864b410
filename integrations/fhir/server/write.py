"""Creates and updates: checked, logged raw, kept, matched to a patient, handed on; all in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.errors import CarelaneError, Stale
from engine.settings import Settings
from integrations.fhir.refusal import refuse
from integrations.fhir.server import check, news, own, search, store, subject
from integrations.fhir.server.caller import Caller
from integrations.messages import log
from integrations.messages.tables import MessageLog

PARTNERS_SEND = ("Task", "ServiceRequest", "Observation", "DiagnosticReport", "Communication", "Appointment", "Patient")


@dataclass(frozen=True, slots=True)
class Desk:
    """What every interaction needs: the session, the settings, who asks, and our address."""

    session: Session
    settings: Settings
    caller: Caller
    base: str


@dataclass(slots=True)
class Written:
    """What became of a create or update. `after` hands it on, once everything that came with it is kept."""

    status: int
    resource: dict[str, Any]
    after: Callable[[], None] = field(default=lambda: None)

    @property
    def etag(self) -> str:
        """The version, as the HTTP header says it."""
        return f'W/"{self.resource["meta"]["versionId"]}"'

    @property
    def place(self) -> str:
        """Type, id and version."""
        return f"{self.resource['resourceType']}/{self.resource['id']}/_history/{self.resource['meta']['versionId']}"


def create(desk: Desk, kind: str, given: Any, *, none_exist: str = "", fhir_id: str = "", place: str = "") -> Written:
    """Creates a resource, unless one fits the condition `none_exist`: then that one is the answer (200)."""
    _may_write(desk.caller, kind)
    resource = check.resource(given, kind, place)
    if none_exist and (known := existing(desk, kind, none_exist, place or kind)) is not None:
        return known
    if kind == "Patient":
        return _patient(desk, resource, given, None)
    return _keep(desk, resource, given, fhir_id or new_id(), new=True)


def existing(desk: Desk, kind: str, none_exist: str, place: str) -> Written | None:
    """What a conditional create finds; FhirRefused (412) when several fit."""
    found = _one(desk, kind, none_exist.partition("?")[2] or none_exist, place)
    return Written(200, search.read(desk.session, desk.caller, kind, found)) if found else None


def update(desk: Desk, kind: str, id_: str, given: Any, *, if_match: str = "", query: str = "", place: str = "") -> Written:
    """Updates a resource, or creates it under the id that its sender gave it.

    With `query` instead of an id, the one resource that fits is updated. FhirRefused 412 when `if_match` names another version,
    409 for what our own processes run.
    """
    _may_write(desk.caller, kind)
    if query:
        found = _one(desk, kind, query, place or kind)
        if found is None:
            return create(desk, kind, {k: v for k, v in given.items() if k != "id"} if isinstance(given, dict) else given, place=place)
        id_ = found
        given = {**given, "id": id_} if isinstance(given, dict) else given
    resource = check.resource(given, kind, place)
    if not check.ID.fullmatch(id_) or resource.get("id") != id_:
        raise refuse(400, "invalid", f"The id of the body must be the address's ({id_[:64]}).", f"{place or kind}.id")
    present = own.read(desk.session, kind, id_)
    row = store.get(desk.session, kind, id_)
    if row is not None and desk.caller.partner and row.source != desk.caller.name:
        raise refuse(403, "forbidden", f"{kind}/{id_} belongs to somebody else.", place or kind)
    present = present or (store.shown(row) if row is not None else None)
    _same_version(present, if_match, place or kind)
    if kind == "Patient":
        return _changed_patient(desk, resource, given, id_, present)
    if present is not None and row is None:
        raise refuse(409, "business-rule", f"This {kind} is run by a process here; it cannot be changed from outside.", place or kind)
    return _keep(desk, resource, given, id_, new=row is None)


def record(desk: Desk, resource: Mapping[str, Any], given: Any, id_: str) -> tuple[MessageLog, bool]:
    """Writes what came in to the message log, and says whether it is new: the same content of the same version is a resend.

    The version is part of it, so that a second request in the same words is not taken for a resend.
    """
    kind, version = resource["resourceType"], str((resource.get("meta") or {}).get("versionId", ""))
    digest = log.digest(json.dumps({k: v for k, v in resource.items() if k != "meta"}, sort_keys=True))
    control = f"{kind}/{id_}/{version[:20]}/{digest[:24]}"
    known = desk.session.scalar(select(MessageLog).filter_by(connection=desk.caller.connection, direction="in", control=control))
    if known is not None:
        known.attempts += 1
        return known, False
    row = MessageLog(
        direction="in", connection=desk.caller.connection, kind=f"fhir.{kind}", control=control, digest=digest, state="matched",
        raw={"text": given}, attempts=1, at=clock.now(),
    )  # fmt: skip
    desk.session.add(row)
    desk.session.flush()
    return row, True


def refused(session: Session, caller: Caller, kind: str, raw: bytes, reason: str) -> None:
    """Notes in the message log what was refused, so that an engineer can see what a sender tries."""
    text = raw.decode("utf-8", "replace")[:200_000]
    session.add(
        MessageLog(
            direction="in", connection=caller.connection, kind=f"fhir.{kind}"[:60], control=f"refused/{new_id()}", digest=log.digest(raw),
            state="refused", raw={"text": text}, error=reason[:2000], attempts=1, at=clock.now(), ended=clock.now(),
        )
    )  # fmt: skip


def _keep(desk: Desk, resource: dict[str, Any], given: Any, id_: str, *, new: bool) -> Written:
    row, fresh = record(desk, resource, given, id_)
    if not fresh and (kept := store.get(desk.session, resource["resourceType"], id_)) is not None:
        return Written(200, store.shown(kept))
    about = subject.of(desk.session, desk.settings, resource)
    row.patient_id = about.patient_id
    kept = store.put(desk.session, desk.settings, resource, source=desk.caller.name, fhir_id=id_, patient_id=about.patient_id)
    shown = store.shown(kept)

    def after() -> None:
        _tell(desk, row, shown, about.why)
        kept.patient_id, kept.instance_id, row.ended = row.patient_id or kept.patient_id, row.instance_id, clock.now()

    return Written(201 if new else 200, shown, after)


def _tell(desk: Desk, row: MessageLog, resource: Mapping[str, Any], why_nobody: str) -> None:
    """Hands on what was kept. What a process makes of it must not cost the sender his answer: it is listed instead."""
    try:
        with desk.session.begin_nested():
            news.tell(desk.session, desk.settings, row, resource, desk.caller)
    except Stale:
        raise  # the whole interaction is tried again
    except CarelaneError as error:
        news.unplaced(desk.session, row, "failed", f"It could not be handed on: {error.message}")
    if why_nobody and row.patient_id is None:
        news.unplaced(desk.session, row, "unknown_patient", why_nobody)


def _patient(desk: Desk, resource: dict[str, Any], given: Any, patient_id: str | None) -> Written:
    row = subject.save(desk.session, desk.settings, resource, source=desk.caller.name, patient_id=patient_id)
    logged, _ = record(desk, resource, given, row.id)
    logged.patient_id, logged.ended = row.id, clock.now()
    shown = own.patient(desk.session, row)
    return Written(200 if patient_id else 201, shown, lambda: _tell(desk, logged, shown, ""))


def _changed_patient(desk: Desk, resource: dict[str, Any], given: Any, id_: str, present: Mapping[str, Any] | None) -> Written:
    if present is None:
        raise refuse(405, "not-supported", "Patients get their ids here: create the patient with POST.", "Patient.id")
    if desk.caller.partner and store.get(desk.session, "Patient", id_) is None:
        raise refuse(403, "forbidden", f"Patient/{id_} belongs to somebody else.", "Patient")
    if present.get("active") is False:
        raise refuse(409, "conflict", "This record was merged into another one; see Patient.link.", "Patient.id")
    return _patient(desk, resource, given, id_)


def _same_version(present: Mapping[str, Any] | None, if_match: str, place: str) -> None:
    if not if_match:
        return
    wanted = if_match.strip().removeprefix("W/").strip('"')
    found = str(present["meta"]["versionId"]) if present else ""
    if wanted not in (found, "*") or not present:
        raise refuse(412, "conflict", f"The present version is {found or 'none'}, not {wanted[:40]}; read it again.", f"{place}.meta.versionId")


def _one(desk: Desk, kind: str, query: str, place: str) -> str | None:
    found = search.ids(desk.session, desk.settings, desk.caller, kind, parse_qsl(query), place)
    if len(found) > 1:
        raise refuse(412, "multiple-matches", f"Several resources fit {query[:200]!r}.", place)
    return found[0] if found else None


def _may_write(caller: Caller, kind: str) -> None:
    if kind not in check.KINDS or (caller.partner and kind not in PARTNERS_SEND):
        raise refuse(
            403 if kind in check.KINDS else 404, "forbidden" if kind in check.KINDS else "not-supported", f"{kind[:40]} is not taken here."
        )
