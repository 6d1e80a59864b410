"""Records cash that a cashier took."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import Work, connector
from integrations.payments import ledger
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Which payment, how much was taken."""

    payment_id: str = about("Payment", "支付单")
    amount: int | None = about("Amount taken in fen", "实收金额（分）", default=None)
    receipt: str = about("Receipt number", "收据号", default="")


@dataclass(frozen=True)
class Output:
    """The state after it."""

    state: str = about("State", "状态")


@connector("payment.confirm", title=("Record cash", "登记现金收款"), group=("Payment", "支付"), icon="coin")
def confirm(given: Input, work: Work) -> Output:
    """Records in the ledger that the cashier took the money. No message follows: the process knows it already.

    在账本中登记收费员已收款。流程已知晓，不再发送消息。
    """
    with runtime.transaction() as session:
        payment = ledger.get(session, given.payment_id)
        taken = payment.amount if given.amount is None else given.amount
        if taken != payment.amount:
            raise ConnectorFailed(f"amount: {taken} was taken, the order is over {payment.amount}", kind="permanent")
        ledger.settle(
            session, payment, ledger.PAID, transaction_id=given.receipt or payment.trade_no, amount=taken, source="cashier", tell=False
        )
        return Output(payment.state)
