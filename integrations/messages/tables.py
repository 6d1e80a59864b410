"""The message log, and the list of inbound messages that a person must place."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class MessageLog(Base):
    """One message to or from another system, with what it was at each stage.

    Outbound states: queued (a replay), sending, answered, failed (will be tried again), unknown, refused. Inbound: stored, matched, unmatched,
    duplicate, ignored. `control` is the wire's own id (MSH-10, out_trade_no …), unique per connection and direction.
    """

    __tablename__ = "message_log"
    __table_args__ = (
        UniqueConstraint("connection", "direction", "control"),
        Index("message_log_by_time", "connection", "at"),
        Index("message_log_by_reference", "reference", "direction"),
        Index("message_log_state", "direction", "state", "at"),
        Index("message_log_call", "call_key"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    direction: Mapped[str] = mapped_column(String(3))  # in, out
    connection: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(60), default="")  # ADT^A04, ORU^R01, wechat.native, fhir.Bundle …
    control: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64), default="")  # SHA-256 of the content, to tell a resend from a reused id
    reference: Mapped[str | None] = mapped_column(String(120))  # the order, payment or referral it is about
    instance_id: Mapped[str | None] = mapped_column(String(20), index=True)
    element_id: Mapped[str | None] = mapped_column(String(200))
    patient_id: Mapped[str | None] = mapped_column(String(40), index=True)
    state: Mapped[str] = mapped_column(String(10))
    raw: Mapped[Any | None] = mapped_column(Encrypted("message_log.raw"))  # as it came in, base64 when it is no UTF-8
    mapped: Mapped[Any | None] = mapped_column(Encrypted("message_log.mapped"))
    sent: Mapped[Any | None] = mapped_column(Encrypted("message_log.sent"))
    answer: Mapped[Any | None] = mapped_column(Encrypted("message_log.answer"))
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float | None]  # of the last attempt
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    call_key: Mapped[str | None] = mapped_column(String(60))  # the engine's job that sent it
    origin_id: Mapped[str | None] = mapped_column(String(20), index=True)  # the message that this one repeats or corrects
    purged: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its payloads were deleted


class MessageAction(Base):
    """What a person did with a message of the log: by whom, why, and what came of it."""

    __tablename__ = "message_action"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(ForeignKey("message_log.id"), index=True)
    what: Mapped[str] = mapped_column(String(10))  # retry, replay, edit
    why: Mapped[str] = mapped_column(Encrypted("message_action.why"))
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(40), default="")
    made_id: Mapped[str | None] = mapped_column(String(20))  # the new message, where there is one


class WorkItem(Base):
    """An inbound message that found no patient, order or mapping: kept, with the reason, until a person decides."""

    __tablename__ = "work_item"
    __table_args__ = (Index("work_item_open", "state", "created"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    message_id: Mapped[str] = mapped_column(ForeignKey("message_log.id"), index=True)
    reason: Mapped[str] = mapped_column(String(40))  # unreadable, no_mapping, no_order, unknown_order, other_patient …
    detail: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(10), default="open")  # open, placed, dismissed, again (handed on once more)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    decided: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(100))
    decision: Mapped[str | None] = mapped_column(Text)
