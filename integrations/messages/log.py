"""Writes and reads the message log. An outbound exchange is written before it is sent and again when it ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, ConnectorFailed
from engine.execution.connectors import Call
from integrations import redact, runtime
from integrations.connections import circuit
from integrations.connections.book import Link
from integrations.connections.tables import Connection
from integrations.messages.tables import MessageLog
from integrations.patients.tables import Patient


@dataclass(frozen=True, slots=True)
class Outbound:
    """What is about to be sent. `control` is the wire's idempotency field and stays the same for every try."""

    kind: str
    control: str
    sent: Any
    reference: str | None = None
    patient_id: str | None = None
    mapped: Any = None


_LOG, _CONNECTION = MessageLog.__table__, Connection.__table__
_NOW = bindparam("now", type_=_CONNECTION.c.circuit_since.type)
_ENDED = (
    update(_LOG)
    .where(_LOG.c.id == bindparam("of"))
    .values({name: bindparam(name) for name in ("state", "answer", "error", "ended", "seconds")})
)
_MET = (
    update(_CONNECTION)
    .where(_CONNECTION.c.name == bindparam("of"))
    .values(
        circuit=bindparam("seen"), circuit_since=case((_CONNECTION.c.circuit == bindparam("seen"), _CONNECTION.c.circuit_since), else_=_NOW)
    )
)
_WELL, _BADLY = _MET.values(last_good=_NOW), _MET.values(last_bad=_NOW, last_error=bindparam("last_error"))


def digest(content: bytes | str) -> str:
    """SHA-256 of a message, to tell a resend from a reused id."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


def exchange(call: Call, link: Link, message: Outbound, send: Callable[[], Any]) -> Any:
    """Sends through `send` and returns its answer (text or JSON), with both written to the log.

    A message whose answer is already in the log is not sent again: the worker died after the answer came. Raises what `send`
    raises, after noting it; who the message is about is masked in the error's words, which go on into jobs and incidents.
    """
    row_id, kept = _begin(call, link, message)
    if kept is not None:
        return kept
    started = time.monotonic()
    try:
        answer = circuit.guard(link.name, send)
    except (BpmnError, ConnectorFailed) as failure:
        _scrub(failure, call, message)
        state = {"transient": "failed", "unknown": "unknown"}.get(getattr(failure, "kind", "refused"), "refused")
        end(row_id, link.name, state, started, error=failure.message)
        raise
    end(row_id, link.name, "answered", started, answer=answer)
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


def end(row_id: str, connection: str, state: str, started: float, *, answer: Any = None, error: str | None = None) -> None:
    """Writes how a sending ended to its row and its connection, a statement each; `started` is the monotonic time at which it began."""
    now, good = clock.now(), state in ("answered", "refused")
    ended = {"of": row_id, "state": state, "answer": answer, "error": error, "ended": now, "seconds": round(time.monotonic() - started, 4)}
    met = {"of": connection, "seen": circuit.state(connection), "now": now, **({} if good else {"last_error": (error or "")[:500]})}
    with runtime.transaction() as session:
        session.connection().execute(_ENDED, ended)
        session.connection().execute(_WELL if good else _BADLY, met)


def _begin(call: Call, link: Link, message: Outbound) -> tuple[str, Any]:
    """The row that this try is written to, and the answer when it is there already."""
    with runtime.transaction() as session:
        origin, control = _corrected(session, call, link, message.control)
        row = outbound(session, link.name, control)
        if row is not None and row.state == "answered":
            return row.id, row.answer
        if row is None:
            row = MessageLog(direction="out", connection=link.name, control=control, attempts=0, at=clock.now(), origin_id=origin)
            session.add(row)
        row.kind, row.state, row.attempts = message.kind, "sending", (row.attempts or 0) + 1
        row.reference, row.patient_id, row.mapped, row.sent = message.reference, message.patient_id, message.mapped, message.sent
        row.instance_id, row.element_id, row.call_key = call.instance_id, call.element_id, call.key
        session.flush()
        return row.id, None


def _corrected(session: Session, call: Call, link: Link, control: str) -> tuple[str | None, str]:
    """The message that a call with edited input (its key ends in `~n`) corrects, and the name that the log gives the new one.

    Where the wire's id follows from the order and not from the call, it is the same for both; the log keeps both apart.
    """
    base, _, number = call.key.partition("~")
    if not number:
        return None, control
    earlier = (MessageLog.call_key == base) | MessageLog.call_key.startswith(f"{base}~", autoescape=True)
    rows = select(MessageLog).where(MessageLog.connection == link.name, earlier, MessageLog.call_key != call.key)
    first = session.scalars(rows.order_by(MessageLog.id.desc())).first()
    taken = outbound(session, link.name, control)
    return (first.id if first else None), f"{control}~{number}" if taken is not None and taken.call_key != call.key else control


def _scrub(failure: BpmnError | ConnectorFailed, call: Call, message: Outbound) -> None:
    with runtime.reading() as session:
        patient = session.get(Patient, message.patient_id) if message.patient_id else None
        known = redact.identity(patient.body if patient else {})
    failure.message = redact.scrub(failure.message, sorted({*known, *redact.identity(call.input)}, key=len, reverse=True))
    failure.args = (failure.message,)
