"""Asks the insurance what it would pay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations.connector import REFUSED, Work, connector
from integrations.payments import claims
from integrations.schema import about


@dataclass(frozen=True)
class Item:
    """One claimed service."""

    code: str = about("Code", "编码")
    name: str = about("Name", "名称")
    amount: int = about("Amount in fen", "金额（分）")


@dataclass(frozen=True)
class Input:
    """What is claimed, for whom."""

    claim_id: str = about("Claim", "结算单号")
    patient_id: str = about("Patient", "患者")
    insurance_number: str = about("Insurance number", "医保号", personal=True)
    items: list[Item] = about("Items: code, name, amount in fen", "项目：编码、名称、金额（分）")  # noqa: RUF009  about() makes a field
    diagnosis: str = about("Diagnosis code", "诊断编码", default="")


@dataclass(frozen=True)
class Output:
    """Who would pay how much, in fen."""

    total: int = about("Total in fen", "总额（分）")
    fund: int = about("Fund in fen", "统筹基金（分）")
    account: int = about("Personal account in fen", "个人账户（分）")
    self_pay: int = about("Patient pays in fen", "个人自付（分）")
    reference: str = about("The insurance's number", "医保流水号", default="")


@connector(
    "insurance.presettle", title=("Insurance: pre-settle a claim", "医保预结算"), group=("Payment", "支付"), connection="insurance_claim",
    standard="configurable JSON or XML over HTTP", icon="coin", errors=REFUSED,
)  # fmt: skip
def presettle(given: Input, work: Work) -> Output:
    """Asks what fund, personal account and patient would pay. Nothing is settled; the parts always add up to what is claimed.

    查询统筹基金、个人账户与个人自付金额。不产生结算；各部分之和必等于总额。
    """
    found = claims.ask(work, work.link(), "presettle", claim(given), total=amount(given.items))
    return Output(found.total, found.fund, found.account, found.self_pay, found.reference)


def claim(given: Input) -> dict[str, Any]:
    """What the connection's request expression sees."""
    return {
        "claimId": given.claim_id, "patientId": given.patient_id, "insuranceNumber": given.insurance_number, "diagnosis": given.diagnosis,
        "items": [{"code": item.code, "name": item.name, "amount": item.amount} for item in given.items], "total": amount(given.items),
    }  # fmt: skip


def amount(items: list[Item]) -> int:
    """The sum of the items; ConnectorFailed when there is nothing to claim."""
    total = sum(item.amount for item in items)
    if not items or total <= 0:
        raise ConnectorFailed("items: there is nothing to claim", kind="permanent")
    return total
