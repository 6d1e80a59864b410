"""The work list: inbound messages that found no place, until a person assigns or dismisses them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound
from integrations.messages.tables import MessageLog, WorkItem


def add(session: Session, message: MessageLog, reason: str, detail: str) -> WorkItem:
    """Puts a message on the list with the reason; the same reason is listed once a message."""
    for item in session.scalars(select(WorkItem).filter_by(message_id=message.id, reason=reason, state="open")):
        if item.detail == detail:
            return item
    made = WorkItem(message_id=message.id, reason=reason, detail=detail, created=clock.now())
    session.add(made)
    session.flush()
    return made


def open_items(session: Session, limit: int = 100) -> list[tuple[WorkItem, MessageLog]]:
    """Open items with their messages, oldest first."""
    query = select(WorkItem, MessageLog).join(MessageLog, MessageLog.id == WorkItem.message_id)
    rows = session.execute(query.where(WorkItem.state == "open").order_by(WorkItem.created, WorkItem.id).limit(limit))
    return [(item, message) for item, message in rows]


def take(session: Session, item_id: str) -> tuple[WorkItem, MessageLog]:
    """An open item with its message; Conflict when somebody has decided it already."""
    item = session.get(WorkItem, item_id)
    message = session.get(MessageLog, item.message_id) if item else None
    if item is None or message is None:
        raise NotFound
    if item.state != "open":
        raise Conflict(f"{item.decided_by} has already decided this message.")
    return item, message


def decide(session: Session, item: WorkItem, state: str, decision: str, *, by: str) -> WorkItem:
    """Closes an item as placed or dismissed, with what was decided and by whom."""
    item.state, item.decision, item.decided, item.decided_by = state, decision, clock.now(), by
    session.flush()
    return item


def dismiss(session: Session, item_id: str, why: str, *, by: str) -> WorkItem:
    """Takes a message off the list without placing it; the message itself stays in the log."""
    item, _ = take(session, item_id)
    return decide(session, item, "dismissed", why, by=by)
