"""What a far end says of an order or a referral of ours, whatever its wire: handed to the instance that waits, or listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.execution import messages
from engine.execution.tables import Instance, Message, Subscription
from integrations.messages import log, worklist
from integrations.messages.tables import MessageLog
from integrations.notices import board


def hand_on(session: Session, row: MessageLog, name: str, key: str, payload: Mapping[str, Any], *, actor: str) -> None:
    """Publishes what a stored message says to the instance that waits for it, or keeps it for one that soon will.

    When the process took an earlier message of this name for the same key and waits no longer, nobody would ever see this one: it
    goes to the work list, and the doctors of the visit are told.
    """
    earlier = select(Message.id).where(Message.name == name, Message.key == key, Message.state == "correlated")
    answered = session.scalars(earlier.limit(1)).first() is not None
    published = messages.publish(session, name, key, dict(payload), message_id=message_id(row, key), actor=actor)
    if answered and published.buffered:
        status = str(payload.get("status") or "another")
        worklist.add(
            session, row, "after_the_fact", f"The process took an earlier message about it and waits no longer; this one is {status} ({key})"
        )
        row.state = "unmatched"
        _tell_doctors(session, row, key, status)


def begin(session: Session, row: MessageLog, name: str, key: str, payload: Mapping[str, Any], *, actor: str) -> bool:
    """Offers a message to processes that begin with it or wait for it; False when there is none, and nothing was published."""
    wanted = select(Subscription.id).where(
        Subscription.kind == "message", Subscription.name == name, Subscription.instance_id.is_(None) | Subscription.key.in_([key, ""])
    )
    if session.scalars(wanted.limit(1)).first() is None:
        return False
    published = messages.publish(session, name, key, dict(payload), message_id=message_id(row, key), actor=actor)
    if published.instance_ids:
        row.instance_id = published.instance_ids[0]
    return True


def message_id(row: MessageLog, key: str) -> str:
    """The id under which the engine recognises this message when it comes again."""
    made = f"{row.connection}|{row.control}|{key}"
    return made if len(made) <= 200 else log.digest(made)


def _tell_doctors(session: Session, row: MessageLog, key: str, status: str) -> None:
    visit = session.get(Instance, row.instance_id) if row.instance_id else None
    text = f"{key}: 迟到或更正的报告 late or corrected report ({status})"
    board.raise_alert(
        session, text, key=f"late|{row.id}"[:60], level="warning", role="doctor", department=visit.department if visit else None,
        instance_id=visit.id if visit else None,
    )  # fmt: skip
