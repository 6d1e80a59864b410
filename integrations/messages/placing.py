"""Hands a stored inbound message on: once more after a failure, or to the visit that a person chose for it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Refused
from engine.execution import messages
from engine.execution.tables import Instance, Subscription
from integrations import runtime
from integrations.connections import book
from integrations.fhir import referral
from integrations.fhir.server import news, store
from integrations.fhir.server.caller import Caller
from integrations.files import placing as files
from integrations.hl7 import inbound, read
from integrations.messages import webhook, worklist
from integrations.messages.tables import MessageLog, WorkItem

HL7_KINDS = ("mllp_listener", "mllp")
ROW = "file.row"  # a row of a file


def text_of(row: MessageLog) -> str:
    """What came in, as text."""
    raw = row.raw if isinstance(row.raw, Mapping) else {}
    if isinstance(raw.get("text"), str):
        return str(raw["text"])
    return read.decode(base64.b64decode(raw["base64"])) if "base64" in raw else ""


def is_hl7(session: Session, row: MessageLog) -> bool:
    """Whether the message came over MLLP; the installation's own port needs no row in the book."""
    connection = book.find(session, row.connection)
    return row.direction == "in" and (connection is None or connection.kind in HL7_KINDS) and not row.kind.startswith("fhir.")


def repeatable(session: Session, row: MessageLog) -> bool:
    """Whether an inbound message can be handed on again from here; a payment's notification is signed, and its provider is asked."""
    return is_hl7(session, row) or (row.kind.startswith("fhir.") and row.kind != "fhir.Patient") or _is_webhook(session, row)


def again(session: Session, row: MessageLog) -> str:
    """Maps and places a stored message again and returns its state. What it did before is recognised by its control id.

    Refused for kinds that only their sender can send again: a payment's notification is signed, and asking the provider is safer.
    """
    if row.purged is not None:
        raise Refused("Its content was deleted after the connection's retention; ask the sender to send it again.")
    if row.kind == ROW:
        return _row_again(session, row)
    if not repeatable(session, row):
        raise Refused("This message cannot be handed on again from here; ask the sender, or have the provider asked for the outcome.")
    for item in session.scalars(select(WorkItem).filter_by(message_id=row.id, state="open")):
        worklist.decide(session, item, "again", "handed on again", by="system")
    row.state, row.error = "stored", None
    session.flush()
    if is_hl7(session, row):
        return inbound.place(session, row.id).state
    return (_fhir if row.kind.startswith("fhir.") else webhook.place)(session, row).state


def _is_webhook(session: Session, row: MessageLog) -> bool:
    connection = book.find(session, row.connection)
    return row.direction == "in" and connection is not None and connection.kind == "webhook"


def _fhir(session: Session, row: MessageLog) -> MessageLog:
    """Hands a kept resource on as its sender did; the id is in the control id, since a sender may leave it to us."""
    connection = book.find(session, row.connection)
    caller = Caller(row.connection, row.connection if connection is not None and connection.kind == "fhir" else "")
    row.state = "matched"
    kept = store.get(session, row.kind.removeprefix("fhir."), row.control.split("/")[1]) if row.control.count("/") > 1 else None
    resource = store.shown(kept) if kept is not None else (row.raw or {}).get("text")
    if not isinstance(resource, Mapping):
        raise Refused("This message cannot be handed on again from here; ask the sender, or have the provider asked for the outcome.")
    news.tell(session, runtime.settings(), row, resource, caller)
    row.ended = clock.now()
    return row


def _row_again(session: Session, row: MessageLog) -> str:
    for item in session.scalars(select(WorkItem).filter_by(message_id=row.id, state="open")):
        worklist.decide(session, item, "again", "handed on again", by="system")
    return files.again(session, book.copy(book.get(session, row.connection)), row)


def placed_by_hand(session: Session, row: MessageLog) -> bool:
    """Whether a person said where the message belongs; placing it by its own words would undo that."""
    return session.scalar(select(WorkItem.id).filter_by(message_id=row.id, state="placed").limit(1)) is not None


def assign(session: Session, item_id: str, subscription_id: str, *, by: str) -> WorkItem:
    """A person says which waiting visit a message belongs to; its content goes there.

    Refused when the visit no longer waits, or waits for something else than this message can tell.
    """
    item, row = worklist.take(session, item_id)
    waiting = session.get(Subscription, subscription_id)
    visit = session.get(Instance, waiting.instance_id) if waiting and waiting.instance_id else None
    if waiting is None or visit is None:
        raise Refused("This visit no longer waits for a message.")
    if is_hl7(session, row):
        done = inbound.assign(session, item_id, waiting.key, by=by)
    else:
        payload = _payload(row, waiting.name)
        message_id = f"{row.connection}|{row.control}|{waiting.key}"[-200:]
        messages.publish(session, waiting.name, waiting.key, payload, message_id=message_id, actor=by)
        done = worklist.decide(session, item, "placed", f"order {waiting.key}", by=by)
    row.state, row.reference, row.error = "matched", waiting.key, None
    row.instance_id, row.element_id, row.patient_id = visit.id, waiting.element_id, visit.subject
    session.flush()
    return done


def attach(session: Session, item_id: str, patient_id: str, *, by: str) -> WorkItem:
    """A person says which patient a message is about although no visit waits for it: it is kept with them, and handed to nobody."""
    item, row = worklist.take(session, item_id)
    row.patient_id, row.state, row.error = patient_id, "matched", None
    return worklist.decide(session, item, "placed", f"patient {patient_id}", by=by)


def _payload(row: MessageLog, wanted: str) -> dict[str, Any]:
    """What the message tells a visit that waits for `wanted`."""
    tellers: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any] | None]] = {"referral_update": referral.news}
    if row.kind == ROW and isinstance(row.mapped, Mapping):
        return dict(row.mapped)
    content = row.raw.get("text") if isinstance(row.raw, Mapping) else None
    told = tellers[wanted](content) if wanted in tellers and isinstance(content, Mapping) else None
    if told is None:
        raise Refused(f"This message says nothing that a visit waiting for {wanted} can use.")
    return dict(told)
