"""Payments and their ledger. Money is integer minor units (fen) with its currency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, event
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

    `kind`: order (opened), ask_order and ask_refund (an attempt goes out), no_order and no_refund (it was refused), unsure (nobody
    knows), paid, failed, closed, refund, refused (news not believed). `reference` is the other side's id of the news, or our own
    number with the attempt's.
    """

    __tablename__ = "payment_entry"
    __table_args__ = (UniqueConstraint("payment_id", "kind", "reference"), Index("payment_entry_by_time", "at"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int]  # signed: what came in is positive, what went out is negative, zero when no money moved
    currency: Mapped[str] = mapped_column(String(3))
    reference: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(30), default="")  # call, notification, query, cashier, late
    detail: Mapped[Any | None] = mapped_column(Encrypted("payment_entry.detail"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReconciliationDay(Base):
    """One day of one payment connection, its three sides compared. `state`: waiting (no bill yet), open, signed.

    `sides` holds each side's own lines and money, `classes` the same by class: both add up to the same. A signed day is never
    changed, and its `signed` snapshot is what the signature stands under.
    """

    __tablename__ = "reconciliation_day"
    __table_args__ = (UniqueConstraint("day", "connection"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    day: Mapped[str] = mapped_column(String(10))  # ISO date in Beijing, where both providers cut the day
    connection: Mapped[str] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(10))
    error: Mapped[str | None] = mapped_column(String(500))
    digest: Mapped[str] = mapped_column(String(64), default="")  # of everything that was compared
    sides: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    classes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    ran: Mapped[datetime] = mapped_column(UtcDateTime)
    ran_by: Mapped[str] = mapped_column(String(100))
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_by: Mapped[str | None] = mapped_column(String(100))
    signed_note: Mapped[str | None] = mapped_column(Text)
    signed: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class ReconciliationFile(Base):
    """A side's file as it was read, gzipped: a day can always be compared again."""

    __tablename__ = "reconciliation_file"
    __table_args__ = (UniqueConstraint("day_id", "side"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    day_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_day.id"))
    side: Mapped[str] = mapped_column(String(10))  # his, provider
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(100))


class ReconciliationDifference(Base):
    """One key that is no match. `state`: open, decided, carried (waits for the next day), cleared, moved (the next day has it).

    `his`, `platform`, `provider` are what each side booked in minor units (refunds negative), None where it knows nothing.
    """

    __tablename__ = "reconciliation_difference"
    __table_args__ = (UniqueConstraint("day_id", "line", "key"), Index("reconciliation_difference_state", "state", "day_id"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    day_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_day.id"))
    kind: Mapped[str] = mapped_column(String(20))
    line: Mapped[str] = mapped_column(String(6))  # pay, refund
    key: Mapped[str] = mapped_column(String(120), index=True)
    his: Mapped[int | None]
    platform: Mapped[int | None]
    provider: Mapped[int | None]
    lines: Mapped[dict[str, Any]] = mapped_column(JSON)  # each side's lines, so that they can join the next day
    payment_id: Mapped[str | None] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))
    owner: Mapped[str | None] = mapped_column(String(100))
    instance_id: Mapped[str | None] = mapped_column(String(20), index=True)
    action: Mapped[str | None] = mapped_column(String(10))  # refund, close, repost, accept
    reason: Mapped[str | None] = mapped_column(Text)
    decided: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(100))
    cleared_day: Mapped[str | None] = mapped_column(String(10))


@event.listens_for(PaymentEntry, "before_update")
@event.listens_for(PaymentEntry, "before_delete")
def _append_only(*_: Any) -> None:
    raise Refused("the ledger is append-only: write a further entry instead")


# The databases refuse it too, whoever asks. Migration 0003 makes the same triggers.
_SIGNED = "(SELECT signed_at FROM reconciliation_day WHERE id = OLD.day_id) IS NOT NULL"
_FACTS = "kind, line, key, his, platform, provider, lines, day_id"
KEPT = (  # table, trigger, on what, when, what is said
    (PaymentEntry, "payment_entry_kept", "UPDATE", "", "the ledger is append-only"),
    (PaymentEntry, "payment_entry_stays", "DELETE", "", "the ledger is append-only"),
    (ReconciliationDay, "reconciliation_day_kept", "UPDATE", "OLD.signed_at IS NOT NULL", "a signed day is never changed"),
    (ReconciliationDay, "reconciliation_day_stays", "DELETE", "OLD.signed_at IS NOT NULL", "a signed day is never changed"),
    (ReconciliationDifference, "reconciliation_difference_kept", f"UPDATE OF {_FACTS}", _SIGNED, "a signed day is never changed"),
    (ReconciliationDifference, "reconciliation_difference_stays", "DELETE", _SIGNED, "a signed day is never changed"),
)  # fmt: skip


def trigger(dialect: str, table: str, name: str, on: str, when: str, said: str) -> list[str]:
    """The statements that make one of these triggers on SQLite or PostgreSQL."""
    if dialect == "sqlite":
        return [f"CREATE TRIGGER {name} BEFORE {on} ON {table} {f'WHEN {when}' if when else ''} BEGIN SELECT RAISE(ABORT, '{said}'); END"]
    refuse = f"RAISE EXCEPTION '{said}';"
    body = f"IF {when} THEN {refuse} END IF;" if when else refuse
    result = "RETURN OLD;" if on == "DELETE" else "RETURN NEW;"
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} {result} END $$",
        f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def _arm() -> None:
    for model, name, on, when, said in KEPT:
        for dialect in ("sqlite", "postgresql"):
            for statement in trigger(dialect, model.__tablename__, name, on, when, said):
                made = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
                event.listen(model.__table__, "after_create", made)


_arm()
