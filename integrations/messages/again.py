"""Retry, replay and edit-and-replay: done by a person, for a reason, recorded. The message itself is never changed.

retry    what failed is tried once more: the job's call, or the placing of a message that came in
replay   what went well is sent or handed on once more under its own control id, by which a repeat is recognised: no second effect
edit     a corrected copy, a new message that names the one it corrects
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import CarelaneError, ConnectorFailed, NotFound, Refused
from engine.execution import jobs
from engine.execution.tables import Job
from engine.execution.values import decode
from integrations import runtime
from integrations.connections import book
from integrations.hl7 import ack, mllp, read
from integrations.messages import log, placing
from integrations.messages.tables import MessageAction, MessageLog

SHORTEST_REASON = 3
MOST_AT_ONCE = 500
LONGEST = timedelta(minutes=10)  # a sending takes; its connection's timeout is 300 s at most
CUT_SHORT = "The sending was cut short, and nobody knows whether it arrived. Look in the other system, then replay it or leave it."


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of many: how many were done, and why the others were not."""

    done: int
    refused: Mapping[str, str]  # message id: reason


def possible(session: Session, row: MessageLog) -> tuple[str, ...]:
    """What can be done with a message now, of retry, replay and edit."""
    if row.purged is not None:
        return ()
    if row.kind == placing.ROW:
        return ("retry",) if row.state == "unmatched" else ()
    if row.direction == "in":
        if not placing.is_hl7(session, row):
            return ("retry",) if row.state == "unmatched" and placing.repeatable(session, row) else ()
        if row.state in ("unmatched", "stored"):
            return ("retry", "edit")
        return ("edit",) if placing.placed_by_hand(session, row) else ("replay", "edit")
    job = job_of(session, row)
    if job is not None and job.state == "failed":
        return ("retry", "edit")
    if job is not None and job.state == "ready":
        return ("retry",)
    return ("replay",) if _wire(session, row) == "mllp" and row.state != "queued" else ()


def job_of(session: Session, row: MessageLog) -> Job | None:
    """The engine's job that sent the message."""
    return session.scalar(select(Job).where(Job.key == row.call_key)) if row.call_key else None


def retry(session: Session, message_id: str, *, by: str, why: str, sure: bool = False) -> MessageAction:
    """Tries again what failed: the call at once, or placing what came in.

    Refused without a reason; for a call whose outcome is unknown, without `sure`, that it did not happen at the far end.
    """
    row = _row(session, message_id)
    _allowed(session, row, "retry", why)
    if row.direction == "in":
        return _note(session, row, "retry", why, by, placing.again(session, row))
    job = job_of(session, row)
    assert job is not None
    _certain(row, sure)
    if job.state == "ready":
        job.due = clock.now()
    else:
        jobs.retry(session, job.id, actor=by)
    return _note(session, row, "retry", why, by, "queued")


def replay(session: Session, message_id: str, *, by: str, why: str) -> MessageAction:
    """Sends or hands on once more what went well. The same control id goes with it, so that it has no second effect."""
    row = _row(session, message_id)
    _allowed(session, row, "replay", why)
    if row.direction == "in":
        return _note(session, row, "replay", why, by, placing.again(session, row))
    made = _copy(session, row, sent=row.sent, mapped=row.mapped, state="queued")
    made.instance_id, made.element_id = row.instance_id, row.element_id
    return _note(session, row, "replay", why, by, "queued", made)


def edit(session: Session, message_id: str, content: Any, *, by: str, why: str, sure: bool = False) -> MessageAction:
    """A corrected copy: the text of what came in, or the input of the call that failed. The original stays as it was."""
    row = _row(session, message_id)
    _allowed(session, row, "edit", why)
    if row.direction == "out":
        return _edit_call(session, row, content, by=by, why=why, sure=sure)
    text = str(content).replace("\r\n", "\r").replace("\n", "\r").strip("\r")
    try:
        read.parse(text)
    except read.Unreadable as error:
        raise Refused(f"This is no HL7 message: {error.message}") from error
    made = _copy(session, row, raw={"text": f"{text}\r"}, state="stored", digest=log.digest(text))
    made.kind = read.parse(text).kind[:60]
    placing.again(session, made)
    return _note(session, row, "edit", why, by, made.state, made)


def many(session: Session, ids: list[str], what: str, *, by: str, why: str) -> Bulk:
    """Retries or replays many, each for itself: one that cannot be is named with its reason, and does not stop the others."""
    act = {"retry": retry, "replay": replay}[what]
    refused: dict[str, str] = {}
    for message_id in ids[:MOST_AT_ONCE]:
        try:
            with session.begin_nested():
                act(session, message_id, by=by, why=why)
        except CarelaneError as error:
            refused[message_id] = error.message
    return Bulk(len(ids[:MOST_AT_ONCE]) - len(refused), refused)


def actions(session: Session, message_id: str) -> list[MessageAction]:
    """What was done with a message, newest first."""
    rows = select(MessageAction).where(MessageAction.message_id == message_id)
    return list(session.scalars(rows.order_by(MessageAction.at.desc(), MessageAction.id.desc())))


def input_of(session: Session, row: MessageLog) -> dict[str, Any]:
    """The input of the call behind a message, for editing."""
    job = job_of(session, row)
    return dict(decode(job.input) or {}) if job else {}


def send_queued(limit: int = 50) -> int:
    """Sends the replays that wait, oldest first, outside any transaction; returns how many were tried. The worker calls this."""
    with runtime.reading() as session:
        waiting = select(MessageLog.id).where(MessageLog.direction == "out", MessageLog.state == "queued")
        ids = list(session.scalars(waiting.order_by(MessageLog.id).limit(limit)))
    return sum(_send(message_id) for message_id in ids)


def settle(session: Session) -> int:
    """Calls what has been `sending` for too long, with nobody at it any more, of unknown outcome; returns how many there were.

    A replay has no job; a call's job that is neither waiting nor running will not come back to it. An answer that comes after all
    overwrites it.
    """
    busy = select(Job.key).where(Job.kind == "call", Job.state.in_(("ready", "running")))
    lost = select(MessageLog).where(
        MessageLog.direction == "out", MessageLog.state == "sending", MessageLog.at <= clock.now() - LONGEST,
        MessageLog.ended.is_(None) | (MessageLog.ended <= clock.now() - LONGEST), MessageLog.call_key.is_(None) | MessageLog.call_key.not_in(busy),
    )  # fmt: skip
    rows = list(session.scalars(lost.limit(MOST_AT_ONCE)))
    for row in rows:
        row.state, row.error, row.ended = "unknown", CUT_SHORT, clock.now()
    return len(rows)


def _send(message_id: str) -> bool:
    with runtime.transaction() as session:
        row = session.get_one(MessageLog, message_id)
        if row.state != "queued":  # another worker took it
            return False
        connection, payload = row.connection, str(row.sent)
        if not book.accepts(session, connection):
            return False
        row.state, row.attempts, row.ended = "sending", row.attempts + 1, clock.now()  # when it began, until it has ended
    started = time.monotonic()
    try:
        link = book.link(connection)
        raw = mllp.send(link.address, payload.encode(), idempotent=True, secrets=link.secrets)
        ack.judge(raw, read.parse(read.split(payload.encode())[0]).control)
    except CarelaneError as error:
        kind = getattr(error, "kind", "") if isinstance(error, ConnectorFailed) else ""
        log.end(message_id, connection, "failed" if kind == "transient" else "refused", started, error=error.message)
    else:
        log.end(message_id, connection, "answered", started, answer=read.decode(raw))
    return True


def _edit_call(session: Session, row: MessageLog, content: Any, *, by: str, why: str, sure: bool) -> MessageAction:
    """The job goes on with the new input under a new key: what it sends is another message."""
    if not isinstance(content, Mapping):
        raise Refused("The input of a call is a JSON object.")
    _certain(row, sure)
    job = job_of(session, row)
    assert job is not None
    base, _, number = job.key.partition("~")
    job.key = f"{base}~{int(number or 0) + 1}"
    jobs.retry(session, job.id, actor=by, input=dict(content))
    return _note(session, row, "edit", why, by, "queued")


def _certain(row: MessageLog, sure: bool) -> None:
    if row.state == "unknown" and not sure:
        raise Refused("Its outcome is unknown: look in the other system first, and say that it did not happen there.")


def _copy(session: Session, row: MessageLog, *, state: str, **values: Any) -> MessageLog:
    """A new message that names the one it comes from; its control id in the log is the first one's with a number."""
    base = re.sub(r"(#[0-9a-f]{12}|~[0-9]+)+$", "", row.control)
    named = MessageLog.control.startswith(f"{base}~", autoescape=True)
    count = session.scalar(select(func.count()).where(MessageLog.connection == row.connection, MessageLog.direction == row.direction, named))
    made = MessageLog(
        direction=row.direction, connection=row.connection, kind=row.kind, control=f"{base}~{(count or 0) + 1}", reference=row.reference,
        patient_id=row.patient_id, state=state, attempts=0, at=clock.now(), origin_id=row.id, **values,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def _allowed(session: Session, row: MessageLog, what: str, why: str) -> None:
    if len(why.strip()) < SHORTEST_REASON:
        raise Refused("Say why; it is kept with the message.")
    if what not in possible(session, row):
        raise Refused("That cannot be done with this message as it stands now.")


def _wire(session: Session, row: MessageLog) -> str:
    connection = book.find(session, row.connection)
    return connection.kind if connection else ""


def _row(session: Session, message_id: str) -> MessageLog:
    row = session.get(MessageLog, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    return row


def _note(session: Session, row: MessageLog, what: str, why: str, by: str, outcome: str, made: MessageLog | None = None) -> MessageAction:
    done = MessageAction(
        message_id=row.id, what=what, why=why.strip()[:500], by=by, at=clock.now(), outcome=outcome, made_id=made.id if made else None
    )
    session.add(done)
    session.flush()
    return done
