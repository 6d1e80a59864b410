"""Writes what was decided about a difference between HIS, ledger and provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations import runtime
from integrations.connector import Work, connector
from integrations.payments import cases
from integrations.schema import about

CHOICES = {
    "refund": ("refund", "退款"), "close": ("close the order", "关闭订单"), "repost": ("post to HIS", "补记 HIS"),
    "accept": ("accept as it is", "确认无需处理"),
}  # fmt: skip


@dataclass(frozen=True)
class Input:
    """Which difference, what was done, why."""

    difference_id: str = about("Difference", "差异")
    action: Literal["refund", "close", "repost", "accept"] = about("What was done", "处理方式", choices=CHOICES)
    reason: str = about("Reason", "原因")


@dataclass(frozen=True)
class Output:
    """The difference's state after it."""

    difference_state: str = about("State", "状态")


@connector("payment.difference", title=("Record a reconciliation decision", "登记对账差异处理"), group=("Payment", "支付"), icon="ledger")
def record(given: Input, work: Work) -> Output:
    """Writes a decision about a difference of a reconciliation, by the person who completed the deciding task.

    登记对账差异的处理结果，处理人为完成处理任务的人员。
    """
    with runtime.transaction() as session:
        by = cases.doer(session, cases.get(session, given.difference_id)) or "system"
        return Output(cases.decided(session, given.difference_id, given.action, given.reason, by=by).state)
