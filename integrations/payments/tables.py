"""Payments and their ledger. Money is integer minor units (fen) with its currency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id
from engine.errors import Refused


class Payment(Base):
    """What is to be paid for one order of ours. `state`: pending, awaiting_cashier, paid, failed, closed, refunded.

    `trade_no` is the wire's own id (out_trade_no). Both ids are unique: the same order never makes a second charge.
    """

    __tablename__ = "payment"
    __table_args__ = (Index("payment_by_state", "state", "created"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    order_id: Mapped[str] = mapped_column(String(120), unique=True)
    trade_no: Mapped[str] = mapped_column(String(32), unique=True)
    channel: Mapped[str] = mapped_column(String(20))
    connection: Mapped[str] = mapped_column(String(60), default="")
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    refunded: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(20))
    code_url: Mapped[str | None] = mapped_column(String(500))
    transaction_id: Mapped[str | None] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(String(40), index=True)
    instance_id: Mapped[str | None] = mapped_column(String(20), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    settled: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PaymentEntry(Base):
    """One line of the ledger: an attempt or a piece of news, never changed and never deleted.

    `kind`: order, paid, failed, closed, refund, cash, replay, refused. `reference` is the other side's id of the news.
    """

    __tablename__ = "payment_entry"
    __table_args__ = (UniqueConstraint("payment_id", "kind", "reference"), Index("payment_entry_by_time", "at"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]  # signed: what came in is positive, what went out is negative, zero when no money moved
    currency: Mapped[str] = mapped_column(String(3))
    reference: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(30), default="")  # call, notification, query, cashier
    detail: Mapped[Any | None] = mapped_column(Encrypted("payment_entry.detail"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@event.listens_for(PaymentEntry, "before_update")
@event.listens_for(PaymentEntry, "before_delete")
def _append_only(*_: Any) -> None:
    raise Refused("the ledger is append-only: write a further entry instead")
