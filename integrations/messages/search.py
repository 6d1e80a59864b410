"""Finds messages in the log, and says per connection how it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Job
from integrations.connections import book, circuit
from integrations.connector import declared
from integrations.messages.tables import MessageLog
from integrations.redact import mask_stage

STAGES = ("raw", "mapped", "sent", "answer")


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
    after: str | None = None,
    limit: int = 50,
) -> list[MessageLog]:
    """Messages, newest first. `text` is a whole control id or the order, payment or referral; `after` is the last id of the page before."""
    query: Select[Any] = select(MessageLog)
    exact = {"connection": connection, "direction": direction, "state": state, "patient_id": patient_id, "instance_id": instance_id}
    query = query.filter_by(**{name: value for name, value in exact.items() if value})
    if text:
        query = query.where(
            (MessageLog.reference == text) | (MessageLog.control == text) | MessageLog.control.endswith(f"|{text}", autoescape=True)
        )
    if since is not None:
        query = query.where(MessageLog.at >= since)
    if after is not None:
        query = query.where(MessageLog.id < after)
    return list(session.scalars(query.order_by(MessageLog.id.desc()).limit(limit)))


def stages(row: MessageLog, *, masked: bool) -> dict[str, Any]:
    """The payload at each stage that there was; masked for those who may not see patients."""
    found = {name: getattr(row, name) for name in STAGES if getattr(row, name) is not None}
    if isinstance(found.get("raw"), dict) and "text" in found["raw"]:
        found["raw"] = found["raw"]["text"]
    return {name: mask_stage(value) for name, value in found.items()} if masked else found


@dataclass(frozen=True, slots=True)
class Figures:
    """How one connection does. Times in seconds, over the last hour."""

    name: str
    state: str  # started, stopped
    circuit: str  # closed, open, half-open: of this process
    waiting: int  # calls that wait for it
    oldest: float | None  # age of the oldest of them
    messages: int
    failures: int
    p95: float | None
    last_good: datetime | None
    last_bad: datetime | None

    @property
    def error_rate(self) -> float:
        """Failures per message of the last hour."""
        return self.failures / self.messages if self.messages else 0.0


def figures(session: Session) -> list[Figures]:
    """One row for each connection."""
    now = clock.now()
    since = now - timedelta(hours=1)
    waiting = _waiting(session, now)
    found = []
    for row in book.listed(session):
        recent = select(MessageLog).where(MessageLog.connection == row.name, MessageLog.at >= since).subquery()
        total = session.scalar(select(func.count()).select_from(recent)) or 0
        bad = session.scalar(select(func.count()).select_from(recent).where(recent.c.state.in_(("failed", "unknown", "unmatched")))) or 0
        times = sorted(session.scalars(select(recent.c.seconds).where(recent.c.seconds.is_not(None))))
        count, oldest = waiting.get(row.name, (0, None))
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))] if times else None
        found.append(Figures(row.name, row.state, circuit.state(row.name), count, oldest, total, bad, p95, row.last_good, row.last_bad))
    return found


def still_failing(session: Session, minutes: int = 10) -> list[str]:
    """Connections whose last success is older than their last failure, and which have been failing for that long."""
    now = clock.now()
    return [
        row.name
        for row in book.listed(session)
        if row.state == "started"
        and row.last_bad is not None
        and (row.last_good is None or row.last_good < row.last_bad)
        and now - (row.last_good or row.created) >= timedelta(minutes=minutes)
    ]


def _waiting(session: Session, now: datetime) -> dict[str, tuple[int, float]]:
    """Waiting calls by the connection that their connector uses when nothing else is said."""
    rows = session.execute(
        select(Job.type, func.count(), func.min(Job.created)).where(Job.kind == "call", Job.state.in_(("ready", "running"))).group_by(Job.type)
    )
    found: dict[str, tuple[int, float]] = {}
    for type_, count, oldest in rows:
        connector = declared().get(type_)
        if connector is not None and connector.connection:
            known, age = found.get(connector.connection, (0, 0.0))
            found[connector.connection] = (known + count, max(age, (now - oldest).total_seconds()))
    return found
