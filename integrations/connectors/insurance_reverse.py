"""Takes a settled claim back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from engine.errors import NotFound
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.payments import claims, ledger
from integrations.payments.tables import Payment
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Which claim, why."""

    claim_id: str = about("Claim", "结算单号")
    total: int = about("Total of the claim in fen", "结算总额（分）")
    reason: str = about("Reason", "原因", default="")


@dataclass(frozen=True)
class Output:
    """reversed."""

    state: str = about("State", "状态")


@connector(
    "insurance.reverse", title=("Insurance: reverse a settlement", "医保结算撤销"), group=("Payment", "支付"), connection="insurance_claim",
    standard="configurable JSON or XML over HTTP", icon="coin", errors=REFUSED,
)  # fmt: skip
def reverse(given: Input, work: Work) -> Output:
    """Reverses a settled claim as a whole, once; the ledger gets the amount back.

    整单撤销已结算的医保单，仅一次；账本记录退回金额。
    """
    link, number = work.link(), ledger.trade_no(f"{given.claim_id}-R")
    with runtime.transaction() as session:
        payment = session.scalar(select(Payment).filter_by(order_id=given.claim_id, connection=link.name))
        if payment is None:
            raise NotFound("There is no settlement of that claim.")
        if payment.state == ledger.REFUNDED:
            return Output("reversed")
        id_, amount, patient = payment.id, payment.amount, payment.patient_id
        ledger.attempt(session, payment, "refund", number, amount=amount)
    claim = {"claimId": given.claim_id, "patientId": patient, "total": given.total, "reason": given.reason, "items": []}
    with ledger.outcome(id_, "refund", number):
        claims.ask(work, link, "reverse", claim, total=given.total)
    with runtime.transaction() as session:
        payment = ledger.get(session, id_)
        if payment.state == ledger.PAID:
            ledger.refund(session, payment, number, amount, source="call")
        else:  # settled with another split than was agreed: nothing of it was ever booked as paid
            ledger.settle(session, payment, ledger.CLOSED, transaction_id="", amount=0, source="call", tell=False)
    return Output("reversed")
