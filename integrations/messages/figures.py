"""How each connection does: what waits for it, how long messages took, how many failed; and what somebody must look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Job
from engine.execution.values import decode
from integrations.connections import book
from integrations.connections.lanes import Known
from integrations.connections.tables import Connection
from integrations.messages.tables import MessageLog

BAD = ("failed", "unknown", "unmatched")
CERTIFICATE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Figures:
    """How one connection does. Times in seconds, over the last hour."""

    name: str
    state: str  # started, stopped
    circuit: str  # closed, open, half-open: as the process that calls last saw it
    waiting: int  # calls and inbound messages that wait
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


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a connection that an integration engineer must look at."""

    connection: str
    kind: Literal["failing", "queue", "circuit", "certificate"]
    since: datetime
    minutes: int  # how long it has lasted; for a certificate, minutes until it ends (negative: it has ended)


def figures(session: Session) -> list[Figures]:
    """One row for each connection."""
    now = clock.now()
    waiting = queues(session, now)
    recent = _recent(session, now - timedelta(hours=1))
    found = []
    for row in book.listed(session):
        total, bad, times = recent.get(row.name, (0, 0, []))
        count, oldest = waiting.get(row.name, (0, None))
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))] if times else None
        found.append(Figures(row.name, row.state, _circuit(row), count, oldest, total, bad, p95, row.last_good, row.last_bad))
    return found


def alarms(session: Session) -> list[Alarm]:
    """What is wrong now: failing for too long, waiting for too long, an open circuit, a certificate that ends within 30 days."""
    now = clock.now()
    waiting = queues(session, now)
    found: list[Alarm] = []
    for row in book.listed(session):
        if row.state == "started" and (since := _failing_since(row)) and now - since >= timedelta(minutes=row.alert_minutes):
            found.append(Alarm(row.name, "failing", since, _minutes(now - since)))
        count, oldest = waiting.get(row.name, (0, 0.0))
        if count and oldest >= row.alert_minutes * 60:
            found.append(Alarm(row.name, "queue", now - timedelta(seconds=oldest), int(oldest // 60)))
        if row.state == "started" and _circuit(row) == "open" and row.circuit_since:
            found.append(Alarm(row.name, "circuit", row.circuit_since, _minutes(now - row.circuit_since)))
        if row.expires and row.expires - now < timedelta(days=CERTIFICATE_DAYS):
            found.append(Alarm(row.name, "certificate", row.expires, _minutes(row.expires - now)))
    return found


def still_failing(session: Session, minutes: int = 10) -> list[str]:
    """Connections whose last success is older than their last failure, and which have been failing for that long."""
    now = clock.now()
    rows = (row for row in book.listed(session) if row.state == "started")
    return [row.name for row in rows if (since := _failing_since(row)) and now - since >= timedelta(minutes=minutes)]


def queues(session: Session, now: datetime) -> dict[str, tuple[int, float]]:
    """What waits for each connection and the age in seconds of the oldest: calls, replays, and what came in and is not placed.

    A call belongs to the connection that it was last sent over or that holds it; before that, to the one that it will go to.
    """
    found: dict[str, tuple[int, float]] = {}

    def add(name: str, count: int, since: datetime) -> None:
        known, age = found.get(name, (0, 0.0))
        found[name] = (known + count, max(age, (now - since).total_seconds()))

    calls = (
        select(Job.type, Job.input, Job.headers, Job.error, Job.created, func.max(MessageLog.connection))
        .outerjoin(MessageLog, MessageLog.call_key == Job.key)
        .where(Job.kind == "call", Job.state.in_(("ready", "running")))
        .group_by(Job.id, Job.type, Job.error, Job.created)
    )
    stopped = {book.STOPPED.format(name=row.name): row.name for row in book.listed(session)}
    going = Known()
    for type_, given, headers, error, created, used in session.execute(calls).all():
        if name := stopped.get(error or "") or used or going.of(type_ or "", decode(given) or {}, headers or {}):
            add(name, 1, created)
    kept = select(MessageLog.connection, func.count(), func.min(MessageLog.at)).where(MessageLog.state.in_(("stored", "queued")))
    for name, count, since in session.execute(kept.group_by(MessageLog.connection)):
        add(name, count, since)
    return found


def _recent(session: Session, since: datetime) -> dict[str, tuple[int, int, list[float]]]:
    """Messages, failures and sorted durations of each connection."""
    totals = select(MessageLog.connection, MessageLog.state, func.count()).where(MessageLog.at >= since)
    found: dict[str, tuple[int, int, list[float]]] = {}
    for name, state, count in session.execute(totals.group_by(MessageLog.connection, MessageLog.state)):
        total, bad, times = found.get(name, (0, 0, []))
        found[name] = (total + count, bad + (count if state in BAD else 0), times)
    durations = select(MessageLog.connection, MessageLog.seconds).where(MessageLog.at >= since, MessageLog.seconds.is_not(None))
    for name, seconds in session.execute(durations.order_by(MessageLog.seconds)):
        found[name][2].append(seconds)
    return found


def _circuit(row: Connection) -> str:
    """Closed again by time alone, although nobody has called since."""
    from integrations.connections import circuit

    if row.circuit == "open" and row.circuit_since and clock.now() - row.circuit_since > timedelta(seconds=circuit.RESET_SECONDS):
        return "half-open"
    return row.circuit or "closed"


def _failing_since(row: Connection) -> datetime | None:
    if row.last_bad is None or (row.last_good is not None and row.last_good >= row.last_bad):
        return None
    return row.last_good or row.created


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
