"""Finds messages in the log, and shows them to eyes that may or may not see patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from engine.execution.tables import Instance, Job
from integrations import redact
from integrations.messages.figures import Figures, figures, still_failing
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients.tables import Patient

__all__ = ["STAGES", "Figures", "Page", "figures", "find", "page", "stages", "still_failing"]

STAGES = ("raw", "mapped", "sent", "answer")
STATES = ("queued", "sending", "answered", "failed", "unknown", "refused", "stored", "matched", "unmatched", "duplicate", "ignored")
DEAD = "dead"  # a state to ask for: what nobody will try again by itself
MOST_READ = 2000  # messages that one search in the payloads opens; they are encrypted, so no index can help


@dataclass(frozen=True, slots=True)
class Page:
    """A page of messages, newest first, with the ids to go on from. `cut`: the search in payloads stopped before the end."""

    rows: list[MessageLog]
    older: str | None
    newer: str | None
    cut: bool = False


def find(
    session: Session,
    *,
    connection: str | None = None,
    direction: str | None = None,
    state: str | None = None,
    patient_id: str | None = None,
    instance_id: str | None = None,
    text: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    patients: Iterable[str] | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[MessageLog]:
    """Messages, newest first. `text` is a whole control id or the order, payment or referral; `after` is the last id of the page before."""
    exact = {"connection": connection, "direction": direction, "state": state, "patient_id": patient_id, "instance_id": instance_id}
    query = _where(exact, text, since, until, patients)
    if after is not None:
        query = query.where(MessageLog.id < after)
    return list(session.scalars(query.order_by(MessageLog.id.desc()).limit(limit)))


def page(
    session: Session,
    asked: Mapping[str, Any],
    *,
    content: str = "",
    patients: Iterable[str] | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page:
    """One page by cursor. `asked`: connection, direction, state, instance_id, text, since, until; `content` is looked for in payloads."""
    exact = {name: asked.get(name) for name in ("connection", "direction", "state", "instance_id")}
    query = _where(exact, asked.get("text"), asked.get("since"), asked.get("until"), patients)
    if content:
        return _reading(session, query, content, after, limit)
    if before:
        rows = list(session.scalars(query.where(MessageLog.id > before).order_by(MessageLog.id).limit(limit + 1)))
        shown = rows[:limit][::-1]
        return Page(shown, shown[-1].id if shown else None, shown[0].id if len(rows) > limit else None)
    if after:
        query = query.where(MessageLog.id < after)
    rows = list(session.scalars(query.order_by(MessageLog.id.desc()).limit(limit + 1)))
    shown = rows[:limit]
    return Page(shown, shown[-1].id if len(rows) > limit else None, shown[0].id if after and shown else None)


def stages(row: MessageLog, *, masked: bool, known: Iterable[str] = ()) -> dict[str, Any]:
    """The payload at each stage that there was; masked for those who may not see patients, `known` texts wherever they stand."""
    found = {name: getattr(row, name) for name in STAGES if getattr(row, name) is not None}
    if isinstance(found.get("raw"), dict) and "text" in found["raw"]:
        found["raw"] = found["raw"]["text"]
    return {name: redact.scrub_values(redact.mask_stage(value), tuple(known)) for name, value in found.items()} if masked else found


def known_of(session: Session, row: MessageLog) -> tuple[str, ...]:
    """What the message's patient may be recognised by."""
    patient = session.get(Patient, row.patient_id) if row.patient_id else None
    return redact.identity(patient.body) if patient else ()


def _where(
    exact: Mapping[str, Any], text: str | None, since: datetime | None, until: datetime | None, patients: Iterable[str] | None
) -> Select[Any]:
    query: Select[Any] = select(MessageLog)
    if exact.get("state") == DEAD:
        exact = {**exact, "state": None}
        query = query.where(_dead())
    query = query.filter_by(**{name: value for name, value in exact.items() if value})
    if text:
        visit = select(Instance.id).where(Instance.business_key == text)
        suffix = MessageLog.control.endswith(f"|{text}", autoescape=True)
        query = query.where(or_(MessageLog.reference == text, MessageLog.control == text, suffix, MessageLog.instance_id.in_(visit)))
    if since is not None:
        query = query.where(MessageLog.at >= since)
    if until is not None:
        query = query.where(MessageLog.at < until)
    return query if patients is None else query.where(MessageLog.patient_id.in_(list(patients)))


def _dead() -> Any:
    """Out: its job is failed, or it is a replay that was. In: it is on the work list because nothing could read or hand it on."""
    failed_job = select(Job.key).where(Job.kind == "call", Job.state == "failed")
    lost = select(WorkItem.message_id).where(WorkItem.state == "open", WorkItem.reason.in_(("unreadable", "failed")))
    replay = MessageLog.origin_id.is_not(None) & MessageLog.call_key.is_(None) & MessageLog.state.in_(("failed", "refused", "unknown"))
    cut_short = MessageLog.state == "unknown"
    out = (MessageLog.direction == "out") & (
        MessageLog.call_key.in_(failed_job) & MessageLog.state.in_(("failed", "refused", "unknown")) | replay | cut_short
    )
    return or_(out, MessageLog.id.in_(lost))


def _reading(session: Session, query: Select[Any], content: str, after: str | None, limit: int) -> Page:
    if after:
        query = query.where(MessageLog.id < after)
    wanted, found, seen = content.casefold(), [], 0
    last: str | None = None
    rows = session.scalars(query.order_by(MessageLog.id.desc()).limit(MOST_READ).execution_options(yield_per=100))
    for row in rows:
        seen, last = seen + 1, row.id
        if wanted in orjson.dumps([getattr(row, name) for name in STAGES]).decode().casefold():
            found.append(row)
            if len(found) == limit:
                return Page(found, last, None)
    return Page(found, last if seen == MOST_READ else None, None, cut=seen == MOST_READ)
