"""What happens to an HL7 message that comes in: stored raw, answered, then mapped and matched, or put on the work list."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from integrations import outcomes, runtime
from integrations.fhir.server import ours
from integrations.hl7 import ack, admissions, appointments, identity, read, referrals, write
from integrations.hl7.read import Message, Unreadable
from integrations.hl7.results import DELIVERED, RESULT_KINDS, Result, results
from integrations.messages import log, routes, worklist
from integrations.messages.routes import Routed
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index

MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was stored: its row, and the MSH segment that could be read of it."""

    row: MessageLog
    message: Message | None
    new: bool


def store(session: Session, connection: str, raw: bytes) -> list[Received]:
    """Writes what came in to the log; a batch gives one row a message. A resend is recognised and stored once.

    The caller commits before it answers: an acknowledged message is never lost.
    """
    return [_store_one(session, connection, piece, raw) for piece in read.split(raw)]


def store_many(session: Session, connection: str, payloads: Sequence[bytes]) -> list[list[Received]]:
    """As `store` for each payload, all that is new in one statement."""
    read_ = [[_read(connection, piece, raw) for piece in read.split(raw)] for raw in payloads]
    values = [row for made in read_ for row, _, _ in made]
    insert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[session.get_bind().dialect.name](MessageLog)
    adding = insert.on_conflict_do_nothing(index_elements=["connection", "direction", "control"]).returning(MessageLog.id)
    added = set(session.scalars(adding, values)) if values else set()
    return [
        [Received(MessageLog(**row), message, True) if row["id"] in added else _store_one(session, connection, piece, raw)
         for (row, message, piece) in made]
        for made, raw in zip(read_, payloads, strict=True)
    ]  # fmt: skip


def replies(received: list[Received], raw: bytes, *, zone: str) -> list[bytes]:
    """The answers to what was stored, in the mode that each sender asked for: AA or CA, or AR for something that is no HL7.

    A batch is answered by a batch of acknowledgements, several messages in one frame by an answer each.
    """
    made = [text for item in received if (text := _reply(item, zone)) is not None]
    if len(made) > 1 and raw.lstrip()[:3] in (b"FHS", b"BHS"):
        head, tail = write.segment("BHS", {}) + "|^~\\&", write.segment("BTS", {1: len(made)})
        return [b"".join([f"{head}\r".encode(), *made, f"{tail}\r".encode()])]
    return made


def later(session: Session, item: Received, *, zone: str) -> bytes | None:
    """The application acknowledgement of enhanced mode, once a message was placed: AA, or AE with the reason for the work list."""
    row = session.get_one(MessageLog, item.row.id)
    good = row.state not in ("unmatched", "stored")
    if not ack.asked_later(item.message, good=good):
        return None
    text = "" if good else row.error or "It waits to be placed."
    return ack.answer(item.message, "AA" if good else "AE", text, at=clock.now(), zone=zone, control=new_id().upper())


def keep(session: Session, connection: str, raw: bytes, reason: str, detail: str) -> None:
    """Stores something that must not be taken for a whole message (cut short, too large) and puts it on the work list."""
    digest = log.digest(raw)
    control = f"{reason}:{digest[:40]}"
    known = session.scalar(select(MessageLog).filter_by(connection=connection, direction="in", control=control))
    if known is not None:
        known.attempts += 1
        return
    row = MessageLog(**_values(connection, control, digest, "", raw, None))
    session.add(row)
    session.flush()
    _unplaced(session, row, reason, detail)


def pending(session: Session, limit: int = 100, older: float = 0.0) -> list[str]:
    """Ids of stored messages that were not placed for `older` seconds, oldest first: after a crash, or an error that passes."""
    waiting = (MessageLog.direction == "in", MessageLog.state == "stored", MessageLog.at <= clock.now() - timedelta(seconds=older))
    return list(session.scalars(select(MessageLog.id).where(*waiting).order_by(MessageLog.at, MessageLog.id).limit(limit)))


def postpone(session: Session, message_id: str, error: Exception) -> None:
    """Notes that placing failed; after five times the message goes to the work list."""
    row = session.get_one(MessageLog, message_id)
    row.attempts += 1
    if row.attempts > MOST_ATTEMPTS:
        _unplaced(session, row, "failed", f"It could not be handed on: {error}")


def mapped(session: Session, row: MessageLog) -> Routed | None:
    """A stored message by the mapping that its connection names; reads only, since a mapping may take its time."""
    return routes.run(session, row.connection, row.kind, text_of(row)) if routes.of(row.connection, row.kind) else None


def place(session: Session, message_id: str, routed: Routed | None = None) -> MessageLog:
    """Maps a stored message and hands its results to the waiting instances; what finds no place goes to the work list.

    `routed` is what `mapped` made of it before, outside the writing transaction.
    """
    row = session.get_one(MessageLog, message_id)
    if row.state != "stored":
        return row
    try:
        message = read.parse(text_of(row))
    except Unreadable as error:
        return _unplaced(session, row, "unreadable", error.message)
    if "#" in row.control:
        return _unplaced(session, row, "control_reused", "The sender used this message id before for other content.")
    row.state = "matched"
    routed = routed or mapped(session, row)
    record = routes.keep(session, row, routed) if routed else {}
    if record is None:
        return row
    if message.kind in RESULT_KINDS:
        _results(session, row, message, record)
    elif (why := _others(session, row, message, record)) is not None:
        return _unplaced(session, row, *why)
    row.ended = clock.now()
    session.flush()
    return row


def assign(session: Session, item_id: str, order_id: str, *, by: str) -> WorkItem:
    """A person says which order a message of the work list belongs to; its result goes to the instance that waits for it."""
    item, row = worklist.take(session, item_id)
    found = [result for result in results(read.parse(text_of(row))) if item.detail.endswith(f"({result.order_id})") or not result.order_id]
    for result in found or results(read.parse(text_of(row)))[:1]:
        _publish(session, row, result, order_id, actor=by)
    row.state, row.reference = "matched", order_id
    return worklist.decide(session, item, "placed", f"order {order_id}", by=by)


def text_of(row: MessageLog) -> str:
    """The stored message as text."""
    raw = row.raw or {}
    return str(raw["text"]) if "text" in raw else read.decode(base64.b64decode(raw.get("base64", "")))


def _store_one(session: Session, connection: str, piece: str, raw: bytes) -> Received:
    values, message, _ = _read(connection, piece, raw)
    control, digest = values["control"], values["digest"]
    for name in (control, f"{control}#{digest[:12]}"):
        known = session.scalar(select(MessageLog).filter_by(connection=connection, direction="in", control=name))
        if known is None:
            row = MessageLog(**{**values, "control": name})
            session.add(row)
            session.flush()
            return Received(row, message, True)
        if known.digest == digest:
            known.attempts += 1
            return Received(known, message, False)
    raise AssertionError("the second name holds the digest")


def _read(connection: str, piece: str, raw: bytes) -> tuple[dict[str, Any], Message | None, str]:
    """The log's values of a message, its MSH segment, and the text they come from."""
    try:
        message: Message | None = read.head(piece)
    except Unreadable:
        message = None
    digest = log.digest("\r".join(line for line in piece.split("\r") if not line.startswith("MSH")) if message else raw)
    control = f"{message.sender[:60]}|{_once(message.control)}" if message and message.control else f"sha256:{digest[:40]}"
    return _values(connection, _plain(control), digest, piece, raw, message), message, piece


def _values(connection: str, control: str, digest: str, piece: str, raw: bytes, message: Message | None) -> dict[str, Any]:
    stored: dict[str, Any] = {"text": piece} if message else {"base64": base64.b64encode(raw).decode()}
    return {
        "id": new_id(), "direction": "in", "connection": connection, "kind": _plain(message.kind)[:60] if message else "", "control": control,
        "digest": digest, "state": "stored", "raw": stored, "attempts": 1, "at": clock.now(),
    }  # fmt: skip


def _reply(item: Received, zone: str) -> bytes | None:
    message, control, now = item.message, new_id().upper(), clock.now()
    if message is None:
        return ack.answer(None, "AR", "This is no HL7 v2 message; it was kept for review.", at=now, zone=zone, control=control)
    letter = ack.asked(message, good=True)
    if letter == "A" and message.kind in referrals.REQUESTS:  # its answer says how the referral stands
        segments = referrals.reply_segments(read.parse(text_of(item.row)), "P", item.row.id)
        return ack.answer(message, "AA", at=now, zone=zone, control=control, kind=("RRI", "I12", "RRI_I12"), segments=segments)
    return ack.answer(message, f"{letter}A", at=now, zone=zone, control=control) if letter else None


def _others(session: Session, row: MessageLog, message: Message, record: dict[str, Any]) -> tuple[str, str] | None:
    """Handles what is no result; why a person must look when it finds no place. `record` is what a mapping made of it."""
    settings, kind = runtime.settings(), message.kind
    if kind in (*admissions.CHANGES, *admissions.ARRIVALS):
        return admissions.change(session, settings, row, message, record)
    if kind in admissions.MERGES:
        return admissions.merge(session, settings, row, message)
    if kind in appointments.KINDS:
        return appointments.place(session, settings, row, message)
    if kind in referrals.REQUESTS:
        return referrals.request(session, settings, row, message)
    if kind in referrals.ANSWERS:
        return referrals.answered(session, row, message)
    return (
        _by_mapping(session, row, message, record)
        if record
        else ("no_mapping", f"There is no mapping for {kind or 'a message without a type'}.")
    )


def _by_mapping(session: Session, row: MessageLog, message: Message, record: dict[str, Any]) -> tuple[str, str] | None:
    """A kind that only the clinic's own mapping understands: it begins a process, or goes to the one that waits for it."""
    found, _ = identity.match(session, runtime.settings(), message)
    row.patient_id = found.id if found else None
    name, key = f"hl7_{message.kind.replace('^', '_')}", str(record.get("orderId") or message.control)
    payload = {**({"patientId": row.patient_id} if found else {}), **record}
    if outcomes.begin(session, row, name, key[:200], payload, actor=row.connection):
        return None
    return "no_receiver", f"No process begins with {name} or waits for it ({key[:60]})"


def _results(session: Session, row: MessageLog, message: Message, record: dict[str, Any]) -> None:
    found = _overlaid(results(message), record) if record else results(message)
    if not found:
        _unplaced(session, row, "no_order", "It holds no OBR segment, so it is about no order.")
        return
    row.mapped = [result.payload for result in found]
    row.reference = found[0].order_id[:120] or None
    for result in found:
        _deliver(session, row, message, result)


def _overlaid(found: list[Result], record: dict[str, Any]) -> list[Result]:
    """What the connection's mapping says of the result, over what the standard's fields say; the mapping's order number counts."""
    number = str(record.get("orderId") or "")
    at = next((place for place, result in enumerate(found) if result.order_id == number), 0)
    base = found[at] if found else Result("", "lab_result", True, {})
    order = number or base.order_id
    final = record["status"] in DELIVERED if "status" in record else base.final
    made = Result(order, base.message, final, {**base.payload, **record, "orderId": order})
    return [*found[:at], made, *found[at + 1 :]]


def _deliver(session: Session, row: MessageLog, message: Message, result: Result) -> None:
    if not result.order_id:
        _unplaced(session, row, "no_order", "It names no placer order (ORC-2, OBR-2), so nobody waits for it ().")
        return
    with session.no_autoflush:  # the message's own row is written once, when it is placed
        ordered = log.by_reference(session, result.order_id)
    if ordered is None:
        _unplaced(session, row, "unknown_order", f"We sent no such order ({result.order_id})")
        return
    row.instance_id, row.element_id, row.patient_id = ordered.instance_id, ordered.element_id, ordered.patient_id
    if (other := _other_patient(session, message, ordered.patient_id)) is not None:
        _unplaced(session, row, "other_patient", f"{other} ({result.order_id})")
        return
    if result.message in ("lab_result", "imaging_result"):
        ours.result(session, runtime.settings(), result.message, result.payload, row.patient_id, row.instance_id)
    if result.final:
        _publish(session, row, result, result.order_id, actor=row.connection)


def _publish(session: Session, row: MessageLog, result: Result, order_id: str, *, actor: str) -> None:
    outcomes.hand_on(session, row, result.message, order_id, {**result.payload, "orderId": order_id}, actor=actor)


def _other_patient(session: Session, message: Message, patient_id: str | None) -> str | None:
    """Why the message is about somebody else than the order: a result in the wrong record harms."""
    pid = message.first("PID")
    if pid is None or patient_id is None:
        return None
    numbers = [message.of(pid, 3, 1, 1, repeat) for repeat in range(1, message.repeats(pid, 3) + 1)]
    rows = [found for number in numbers if number and (found := index.by_record_number(session, number)) is not None]
    if not rows or any(found.id == index.present(session, patient_id).id for found in rows):
        return None
    return "Its patient is not the one that the order was made for"


def _unplaced(session: Session, row: MessageLog, reason: str, detail: str) -> MessageLog:
    row.state, row.error, row.ended = "unmatched", detail, clock.now()
    worklist.add(session, row, reason, detail)
    return row


def _once(control: str) -> str:
    """A control id as it can be told apart: one that is too long by its digest, since its beginning may be another's."""
    return control if len(control) <= 40 else f"{control[:20]}~{log.digest(control)[:16]}"


def _plain(text: str) -> str:
    """Text that every database takes: without control characters."""
    return re.sub(r"[\x00-\x1f\ud800-\udfff]", "?", text)
