"""Closes an unpaid payment."""

from __future__ import annotations

from dataclasses import dataclass

from integrations import runtime
from integrations.connector import Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.payments import ledger, providers
from integrations.payments.providers import Standing
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Which payment."""

    payment_id: str = about("Payment", "支付单")


@dataclass(frozen=True)
class Output:
    """closed, or paid when the money was faster."""

    state: str = about("State: closed or paid", "状态：closed 或 paid")


@connector(
    "payment.close", title=("Close a payment", "关闭支付"), group=("Payment", "支付"),
    standard="WeChat Pay API v3 close order", icon="coin",
)  # fmt: skip
def close(given: Input, work: Work) -> Output:
    """Closes an order that was not paid in time. Money that came first wins: the state is then `paid`.

    关闭未及时支付的订单。若款项已先到，状态为 paid。
    """
    with runtime.reading() as session:
        payment = ledger.get(session, given.payment_id)
        state, channel, number, order_id, patient = payment.state, payment.connection, payment.trade_no, payment.order_id, payment.patient_id
    if state not in (ledger.PENDING, ledger.CASHIER):
        return Output(ledger.PAID if state in (ledger.PAID, ledger.REFUNDED) else ledger.CLOSED)
    found = Standing("closed")
    if channel:
        link = work.link(channel)
        wire = providers.provider(link)
        message = Outbound(f"{wire.kind}.close", f"close-{work.call.key}"[:120], {"trade_no": number}, order_id, patient)
        answer = log.exchange(work.call, link, message, lambda: _plain(wire.close(number)))
        found = Standing(**answer)
    with runtime.transaction() as session:
        payment = ledger.get(session, given.payment_id)
        ledger.settle(
            session, payment, found.state, transaction_id=found.transaction_id, amount=found.amount, source="call", tell=False
        )  # the caller learns it from the output
        return Output(ledger.PAID if payment.state == ledger.PAID else ledger.CLOSED)


def _plain(standing: Standing) -> dict[str, str | int]:
    return {"state": standing.state, "transaction_id": standing.transaction_id, "amount": standing.amount}
