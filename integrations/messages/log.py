"""Writes and reads the message log. An outbound exchange is written before it is sent and again when it ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, ConnectorFailed
from engine.execution.connectors import Call
from integrations import runtime
from integrations.connections import book, circuit
from integrations.connections.book import Link
from integrations.messages.tables import MessageLog


@dataclass(frozen=True, slots=True)
class Outbound:
    """What is about to be sent. `control` is the wire's idempotency field and stays the same for every try."""

    kind: str
    control: str
    sent: Any
    reference: str | None = None
    patient_id: str | None = None
    mapped: Any = None


def digest(content: bytes | str) -> str:
    """SHA-256 of a message, to tell a resend from a reused id."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


def exchange(call: Call, link: Link, message: Outbound, send: Callable[[], Any]) -> Any:
    """Sends through `send` and returns its answer (text or JSON), with both written to the log.

    A message whose answer is already in the log is not sent again: the worker died after the answer came. Raises what `send`
    raises, after noting it.
    """
    kept = _begin(call, link, message)
    if kept is not None:
        return kept
    started = time.monotonic()
    try:
        answer = circuit.guard(link.name, send)
    except ConnectorFailed as failure:
        state = {"transient": "failed", "permanent": "refused", "unknown": "unknown"}[failure.kind]
        _end(link, message, state, started, error=failure.message)
        raise
    except BpmnError as refusal:
        _end(link, message, "refused", started, error=refusal.message)
        raise
    _end(link, message, "answered", started, answer=answer)
    return answer


def outbound(session: Session, connection: str, control: str) -> MessageLog | None:
    """The log's row of a message that we sent."""
    return session.scalar(
        select(MessageLog).where(MessageLog.connection == connection, MessageLog.direction == "out", MessageLog.control == control)
    )


def by_reference(session: Session, reference: str) -> MessageLog | None:
    """The newest message that we sent about an order, payment or referral."""
    rows = select(MessageLog).where(MessageLog.reference == reference, MessageLog.direction == "out").order_by(MessageLog.at.desc())
    return session.scalars(rows).first()


def _begin(call: Call, link: Link, message: Outbound) -> Any:
    with runtime.transaction() as session:
        row = outbound(session, link.name, message.control)
        if row is not None and row.state == "answered":
            return row.answer
        if row is None:
            row = MessageLog(direction="out", connection=link.name, control=message.control, attempts=0, at=clock.now())
            session.add(row)
        row.kind, row.state, row.attempts = message.kind, "sending", (row.attempts or 0) + 1
        row.reference, row.patient_id, row.mapped, row.sent = message.reference, message.patient_id, message.mapped, message.sent
        row.instance_id, row.element_id = call.instance_id, call.element_id
    return None


def _end(link: Link, message: Outbound, state: str, started: float, *, answer: Any = None, error: str | None = None) -> None:
    with runtime.transaction() as session:
        row = outbound(session, link.name, message.control)
        connection = book.find(session, link.name)
        now = clock.now()
        if row is not None:
            row.state, row.answer, row.error, row.ended = state, answer, error, now
            row.seconds = round(time.monotonic() - started, 4)
        if connection is not None and state in ("answered", "refused"):
            connection.last_good = now
        elif connection is not None:
            connection.last_bad, connection.last_error = now, (error or "")[:500]
