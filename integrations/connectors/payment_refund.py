"""Sends money back."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.payments import ledger, providers
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """What to send back."""

    payment_id: str = about("Payment", "支付单")
    refund_id: str = about("Refund", "退款单号", help=("The same refund is never made twice.", "同一退款单不会重复退款。"))
    amount: int = about("Amount in fen", "金额（分）")
    reason: str = about("Reason", "原因", default="")


@dataclass(frozen=True)
class Output:
    """refunded, processing, failed, or awaiting_cashier for cash."""

    state: str = about("State", "状态")


@connector(
    "payment.refund", title=("Refund", "退款"), group=("Payment", "支付"),
    standard="WeChat Pay API v3 domestic refund", icon="coin", errors=REFUSED,
)  # fmt: skip
def refund(given: Input, work: Work) -> Output:
    """Refunds all or part of a payment, never more than was paid. Cash is handed back by the cashier.

    退还全部或部分款项，不会超过已付金额。现金由收费员退还。
    """
    number = ledger.trade_no(given.refund_id)
    with runtime.transaction() as session:  # what is asked for is kept in it: two refunds at once never exceed what was paid
        payment = ledger.get(session, given.payment_id)
        if payment.state == ledger.CASHIER:  # cash that goes back was taken before, whether or not the process recorded it
            ledger.settle(session, payment, ledger.PAID, transaction_id=payment.trade_no, amount=payment.amount, source="cashier", tell=False)
        done = any(line.kind == "refund" and line.reference == number for line in ledger.entries(session, payment.id))
        channel, trade_no, total, currency = payment.connection, payment.trade_no, payment.amount, payment.currency
        order_id, patient = payment.order_id, payment.patient_id
        left = payment.amount - payment.refunded - sum(amount for asked, amount in ledger.asked(session, payment).items() if asked != number)
        if not done and payment.state not in (ledger.PAID, ledger.REFUNDED):
            raise ConnectorFailed(f"paymentId: only a paid payment can be refunded; this one is {payment.state}", kind="permanent")
        if not done and not 0 < given.amount <= left:
            raise ConnectorFailed(f"amount: {given.amount} is not between 1 and the {left} that can still be refunded", kind="permanent")
        if not done and channel:
            ledger.attempt(session, payment, "refund", number, amount=given.amount)
    if done:
        return Output("refunded")
    if not channel:
        with runtime.transaction() as session:
            ledger.refund(session, ledger.get(session, given.payment_id), number, given.amount, source="cashier")
        return Output("awaiting_cashier")
    link = work.link(channel)
    wire = providers.provider(link)
    message = Outbound(f"{wire.kind}.refund", number, {"trade_no": trade_no, "refund_no": number, "amount": given.amount}, order_id, patient)
    with ledger.outcome(given.payment_id, "refund", number):
        answer = log.exchange(
            work.call, link, message, lambda: {"state": wire.refund(trade_no, number, given.amount, total, currency, given.reason)}
        )
    with runtime.transaction() as session:
        payment = ledger.get(session, given.payment_id)
        if answer["state"] == "refunded":
            ledger.refund(session, payment, number, given.amount, source="call")
        elif answer["state"] == "failed":
            ledger.note(session, payment, "no_refund", number, source="call", detail={"why": "the provider says failed"})
    return Output(str(answer["state"]))
