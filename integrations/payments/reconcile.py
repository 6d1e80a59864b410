"""Three-sided reconciliation of a day: the HIS's postings, our ledger, the provider's bill.

Every line of every side ends in exactly one difference or match, so the totals always balance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from integrations.payments.bills import Line
from integrations.payments.tables import Payment, PaymentEntry

Kind = Literal[
    "MATCH", "AMOUNT_MISMATCH", "STATUS_MISMATCH", "DUPLICATE", "REFUND_MISSING", "CROSS_DAY", "PROVIDER_LONG", "PROVIDER_SHORT",
    "PLATFORM_ONLY", "HIS_ONLY", "FEE_MISMATCH",
]  # fmt: skip
SIDES = ("his", "platform", "provider")
MIDNIGHT = timedelta(minutes=10)  # either side of the day's cut, where two clocks may disagree about the day

ACTIONS: Mapping[str, tuple[str, str]] = {
    "MATCH": ("nothing to do", "无需处理"),
    "AMOUNT_MISMATCH": ("compare the receipts and correct the side that is wrong", "核对凭证，更正有误的一方"),
    "STATUS_MISMATCH": ("query the provider for the present state", "向支付方查询当前状态"),
    "DUPLICATE": ("refund the second payment", "退还重复支付"),
    "REFUND_MISSING": ("query the refund, then post it or make it again", "查询退款，补记或重新退款"),
    "CROSS_DAY": ("clears itself with the next day's bill", "次日账单自动核销"),
    "PROVIDER_LONG": ("query the provider, then post to HIS or refund", "查询支付方，补记 HIS 或退款"),
    "PROVIDER_SHORT": ("query the provider; if it is unpaid, reverse the posting in HIS", "查询支付方；未支付则冲销 HIS 记账"),
    "PLATFORM_ONLY": ("look at the visit: neither HIS nor the provider knows it", "核查就诊：HIS 与支付方均无记录"),
    "HIS_ONLY": ("look at the visit: neither we nor the provider know it", "核查就诊：本系统与支付方均无记录"),
    "FEE_MISMATCH": ("compare the fee with the contract", "与合同核对手续费"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One key with what each side says about it, its class, and a suggestion."""

    kind: Kind
    line: str  # pay or refund
    key: str
    his: tuple[Line, ...]
    platform: tuple[Line, ...]
    provider: tuple[Line, ...]

    def amount(self, side: str) -> int:
        """What this side booked under the key, in minor units; refunds count negative."""
        sign = -1 if self.line == "refund" else 1
        lines: tuple[Line, ...] = getattr(self, side)
        return sign * sum(line.amount for line in lines)


@dataclass(frozen=True)
class Report:
    """All keys of a day with their classes."""

    differences: tuple[Difference, ...]

    def counts(self) -> dict[str, int]:
        """How many keys are in each class."""
        found: dict[str, int] = defaultdict(int)
        for item in self.differences:
            found[item.kind] += 1
        return dict(found)

    def totals(self, side: str) -> dict[str, int]:
        """A side's money by class, in minor units. Their sum is the side's whole money."""
        found: dict[str, int] = defaultdict(int)
        for item in self.differences:
            found[item.kind] += item.amount(side)
        return dict(found)

    def open(self) -> list[Difference]:
        """What somebody must look at."""
        return [item for item in self.differences if item.kind not in ("MATCH", "CROSS_DAY")]


def reconcile(
    his: Iterable[Line],
    platform: Iterable[Line],
    provider: Iterable[Line],
    *,
    day_end: datetime,
    carried: Iterable[Difference] = (),
    fee_rate: Decimal | None = None,
) -> Report:
    """Compares the three sides of the day that ends at `day_end`.

    `fee_rate` is the contract's (0.006 for 0.6%); a fee that is off by more than one fen is then a FEE_MISMATCH.
    `carried` are the CROSS_DAY differences of the day before: their lines join this day's, so that they clear themselves.
    """
    sides = {"his": list(his), "platform": list(platform), "provider": list(provider)}
    for old in carried:
        for side in SIDES:
            sides[side].extend(getattr(old, side))
    carried_keys = {(old.line, old.key) for old in carried}
    by_key: dict[tuple[str, str], dict[str, list[Line]]] = defaultdict(lambda: {side: [] for side in SIDES})
    for side, lines in sides.items():
        for line in lines:
            by_key[line.kind, line.key][side].append(line)
    differences = []
    for (name, key), found in by_key.items():
        kind = _kind(name, found, by_key, key, day_end, (name, key) in carried_keys)
        if kind == "MATCH" and fee_rate is not None and _fee_is_off(found["provider"][0], fee_rate):
            kind = "FEE_MISMATCH"
        differences.append(Difference(kind, name, key, *(tuple(found[side]) for side in SIDES)))
    return Report(tuple(differences))


def platform_lines(session: Session, start: datetime, end: datetime, connection: str | None = None) -> list[Line]:
    """Our ledger's movements between two instants, of one connection or of all."""
    query = (
        select(PaymentEntry.kind, PaymentEntry.amount, PaymentEntry.at, PaymentEntry.reference, Payment.trade_no)
        .join(Payment, Payment.id == PaymentEntry.payment_id)
        .where(PaymentEntry.at >= start, PaymentEntry.at < end, PaymentEntry.kind.in_(("paid", "refund")))
    )
    if connection is not None:
        query = query.where(Payment.connection == connection)
    return [
        Line("pay", number, amount, at, 0, reference) if kind == "paid" else Line("refund", reference, -amount, at, 0, reference)
        for kind, amount, at, reference, number in session.execute(query)
    ]


def _kind(
    kind: str, found: Mapping[str, list[Line]], every: Mapping[tuple[str, str], object], key: str, day_end: datetime, carried: bool
) -> Kind:
    if any(len(lines) > 1 for lines in found.values()):
        return "DUPLICATE"
    present = {side for side, lines in found.items() if lines}
    if len({line.amount for lines in found.values() for line in lines}) > 1:
        return "AMOUNT_MISMATCH"
    if present == set(SIDES):
        return "MATCH"
    if ("refund" if kind == "pay" else "pay", key) in every and len(present) < len(SIDES):
        return "STATUS_MISMATCH"
    if not carried and any(day_end - line.at <= MIDNIGHT for lines in found.values() for line in lines):
        return "CROSS_DAY"
    return _one_sided(kind, present)


def _fee_is_off(line: Line, rate: Decimal) -> bool:
    return abs(abs(line.fee) - line.amount * rate) > 1


def _one_sided(kind: str, present: set[str]) -> Kind:
    if kind == "refund":
        return "REFUND_MISSING"
    if "his" not in present:
        return "PROVIDER_LONG" if "provider" in present else "PLATFORM_ONLY"
    if "provider" not in present:
        return "PROVIDER_SHORT" if "platform" in present else "HIS_ONLY"
    return "PLATFORM_ONLY" if present == {"platform"} else "STATUS_MISMATCH"
