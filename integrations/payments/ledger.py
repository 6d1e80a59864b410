"""The ledger: opens payments, settles them once, and keeps every attempt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, ConnectorFailed, NotFound
from engine.execution import messages
from integrations import runtime
from integrations.payments.tables import Payment, PaymentEntry

PENDING, CASHIER, PAID, FAILED, CLOSED, REFUNDED = "pending", "awaiting_cashier", "paid", "failed", "closed", "refunded"


def trade_no(order_id: str) -> str:
    """An out_trade_no or out_refund_no (6 to 32 letters and digits) that is always the same for the same order."""
    if re.fullmatch(r"[0-9A-Za-z_\-]{6,32}", order_id):
        return order_id
    return "C" + hashlib.sha256(order_id.encode()).hexdigest()[:31].upper()


def opened(
    session: Session,
    order_id: str,
    *,
    amount: int,
    currency: str,
    channel: str,
    connection: str,
    patient_id: str,
    instance_id: str | None = None,
) -> Payment:
    """The payment of an order, opened on first asking. ConnectorFailed (permanent) when it was opened for something else."""
    row = session.scalar(select(Payment).where(Payment.order_id == order_id))
    if row is None:
        row = Payment(
            order_id=order_id, trade_no=trade_no(order_id), channel=channel, connection=connection, amount=amount, currency=currency,
            state=CASHIER if channel == "cash" else PENDING, patient_id=patient_id, instance_id=instance_id, created=clock.now(),
        )  # fmt: skip
        session.add(row)
        session.flush()
        note(session, row, "order", row.trade_no, source="call")
    elif (row.amount, row.currency, row.channel) != (amount, currency, channel):
        text = f"orderId: {order_id} was already opened over {row.amount} {row.currency} by {row.channel}; use a new order id"
        raise ConnectorFailed(text, kind="permanent")
    return row


def note(session: Session, payment: Payment, kind: str, reference: str, *, amount: int = 0, source: str, detail: Any = None) -> bool:
    """Writes a line; False when that very line is there already (a replay)."""
    known = session.scalar(select(PaymentEntry.id).filter_by(payment_id=payment.id, kind=kind, reference=reference))
    if known is not None:
        return False
    session.add(
        PaymentEntry(
            payment_id=payment.id, kind=kind, amount=amount, currency=payment.currency, reference=reference, source=source,
            detail=detail, at=clock.now(),
        )
    )  # fmt: skip
    session.flush()
    return True


def settle(
    session: Session, payment: Payment, state: str, *, transaction_id: str, amount: int, source: str, detail: Any = None, tell: bool = True
) -> bool:
    """Records that a payment was paid, failed or closed; the first news counts, and it tells the waiting instance.

    False when nothing changed. Money that comes after a payment was closed is recorded and stays visible as paid, so that it
    can be refunded.
    """
    changed = note(
        session, payment, state, transaction_id or payment.trade_no, amount=amount if state == PAID else 0, source=source, detail=detail
    )
    late_money = state == PAID and payment.state in (FAILED, CLOSED)
    if not changed or not (payment.state in (PENDING, CASHIER) or late_money):
        return False
    payment.state, payment.transaction_id, payment.settled = state, transaction_id or None, clock.now()
    session.flush()
    if tell:
        payload = {"state": state, "transactionId": transaction_id, "amount": amount, "orderId": payment.order_id}
        messages.publish(
            session, "payment_notified", payment.order_id, payload, message_id=f"{payment.trade_no}|{state}", actor=payment.connection or source
        )
    return True


def refund(session: Session, payment: Payment, refund_no: str, amount: int, *, source: str, detail: Any = None) -> bool:
    """Records money that went back; False when this refund is recorded already."""
    if not note(session, payment, "refund", refund_no, amount=-amount, source=source, detail=detail):
        return False
    payment.refunded += amount
    if payment.refunded >= payment.amount:
        payment.state = REFUNDED
    session.flush()
    return True


def attempt(session: Session, payment: Payment, what: str, number: str, *, amount: int = 0) -> None:
    """Writes that an order or a refund (`what`) is about to be asked for, once more."""
    tries = sum(line.kind == f"ask_{what}" and line.reference.startswith(f"{number}#") for line in entries(session, payment.id))
    note(session, payment, f"ask_{what}", f"{number}#{tries + 1}", source="call", detail={"amount": amount})


@contextmanager
def outcome(payment_id: str, what: str, number: str) -> Iterator[None]:
    """Writes how an attempt failed: refused (no_order, no_refund), or unsure when it may have happened all the same."""
    try:
        yield
    except (BpmnError, ConnectorFailed) as error:
        refused = isinstance(error, BpmnError) or error.kind == "permanent"
        with runtime.transaction() as session:
            payment = get(session, payment_id)
            tries = sum(line.kind == f"ask_{what}" and line.reference.startswith(f"{number}#") for line in entries(session, payment.id))
            note(
                session, payment, f"no_{what}" if refused else "unsure", f"{number}#{tries}", source="call", detail={"why": error.message[:300]}
            )
        raise


def asked(session: Session, payment: Payment) -> dict[str, int]:
    """Refunds that were asked for and are neither made nor refused: number to amount."""
    found: dict[str, int] = {}
    for line in entries(session, payment.id):
        number = line.reference.partition("#")[0]
        if line.kind == "ask_refund":
            found[number] = int((line.detail or {}).get("amount", 0))
        elif line.kind in ("refund", "no_refund"):
            found.pop(number, None)
    return found


def get(session: Session, payment_id: str) -> Payment:
    """The payment, or NotFound."""
    row = session.get(Payment, payment_id)
    if row is None:
        raise NotFound("There is no such payment.")
    return row


def by_trade_no(session: Session, number: str) -> Payment | None:
    """The payment with that out_trade_no."""
    return session.scalar(select(Payment).where(Payment.trade_no == number))


def entries(session: Session, payment_id: str) -> list[PaymentEntry]:
    """A payment's lines in order."""
    query = select(PaymentEntry).where(PaymentEntry.payment_id == payment_id).order_by(PaymentEntry.at, PaymentEntry.id)
    return list(session.scalars(query))
