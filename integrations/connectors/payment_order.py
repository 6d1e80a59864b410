"""Opens a payment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.payments import ledger, providers
from integrations.schema import about

CHANNELS = {
    "wechat": ("WeChat Pay", "微信支付"), "alipay": ("Alipay", "支付宝"), "card": ("bank card", "银行卡"),
    "cash": ("cash", "现金"), "insurance": ("insurance", "医保"),
}  # fmt: skip


@dataclass(frozen=True)
class Input:
    """What is to be paid, and how."""

    order_id: str = about("Order", "订单号", help=("The same order is never charged twice.", "同一订单不会重复收费。"))
    amount: int = about("Amount in fen", "金额（分）")
    channel: Literal["wechat", "alipay", "card", "cash", "insurance"] = about("Channel", "支付方式", choices=CHANNELS)
    patient_id: str = about("Patient", "患者")
    currency: str = about("Currency", "币种", default="CNY")
    description: str = about("Description", "说明", default="Clinic services")
    card_token: str = about(
        "Card token", "卡令牌", default="", personal=True,
        help=("What the card terminal gives for the card, never its number.", "刷卡终端返回的令牌，绝非卡号。"),
    )  # fmt: skip


@dataclass(frozen=True)
class Output:
    """The payment. `state`: pending, awaiting_cashier, paid, failed or closed."""

    payment_id: str = about("Payment", "支付单")
    state: str = about("State", "状态")
    code_url: str | None = about("Code to scan", "扫码链接", default=None)


@connector(
    "payment.order", title=("Open a payment", "发起支付"), group=("Payment", "支付"),
    standard="WeChat Pay API v3 Native; Alipay precreate; card payment intents; a signed JSON gateway", icon="coin",
    errors=REFUSED, message="payment_notified",
)  # fmt: skip
def order(given: Input, work: Work) -> Output:
    """Opens an order at the channel's provider. The outcome arrives as the message `payment_notified`, correlated by `orderId`.

    Cash waits for the cashier: `payment.confirm` records it.

    在支付渠道下单。结果以消息 payment_notified 返回，按 orderId 关联。现金由收费员确认。
    """
    cash = given.channel == "cash"
    link = None if cash else work.link(work.call.headers.get("connection", "") or given.channel)
    with runtime.transaction() as session:
        payment = ledger.opened(
            session, given.order_id, amount=given.amount, currency=given.currency, channel=given.channel,
            connection=link.name if link else "", patient_id=given.patient_id, instance_id=work.call.instance_id,
        )  # fmt: skip
        if given.amount == 0:
            ledger.settle(session, payment, ledger.PAID, transaction_id=payment.trade_no, amount=0, source="call", tell=True)
        done = Output(payment.id, payment.state, payment.code_url)
        number = payment.trade_no
    if link is None or done.state != ledger.PENDING or done.code_url:
        return done
    wire = providers.provider(link)
    sent = {"trade_no": number, "amount": given.amount, "currency": given.currency, "description": given.description}
    message = Outbound(f"{wire.kind}.order", number, sent, given.order_id, given.patient_id)
    with runtime.transaction() as session:
        ledger.attempt(session, ledger.get(session, done.payment_id), "order", number, amount=given.amount)
    with ledger.outcome(done.payment_id, "order", number):
        answer = log.exchange(
            work.call, link, message, lambda: wire.order(number, given.amount, given.currency, given.description, given.card_token)
        )
    with runtime.transaction() as session:
        payment = ledger.get(session, done.payment_id)
        payment.code_url = answer.get("code_url")
        if answer.get("state") in (ledger.PAID, ledger.FAILED):  # a card answers at once
            ledger.settle(
                session, payment, str(answer["state"]), transaction_id=str(answer["transaction_id"]), amount=given.amount, source="call"
            )
        return Output(payment.id, payment.state, payment.code_url)
