"""Settles a claim with the insurance."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import BpmnError
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.connectors import insurance_presettle
from integrations.connectors.insurance_presettle import Item
from integrations.payments import claims, ledger
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """What is claimed, and what the pre-settlement gave."""

    claim_id: str = about("Claim", "结算单号", help=("The same claim is never settled twice.", "同一结算单不会重复结算。"))
    patient_id: str = about("Patient", "患者")
    insurance_number: str = about("Insurance number", "医保号", personal=True)
    items: list[Item] = about("Items: code, name, amount in fen", "项目：编码、名称、金额（分）")  # noqa: RUF009  about() makes a field
    insured: int = about("Fund and account of the pre-settlement, in fen", "预结算的基金与账户合计（分）")
    diagnosis: str = about("Diagnosis code", "诊断编码", default="")


@dataclass(frozen=True)
class Output:
    """The payment in the ledger, and who paid how much, in fen."""

    payment_id: str = about("Payment", "支付单")
    fund: int = about("Fund in fen", "统筹基金（分）")
    account: int = about("Personal account in fen", "个人账户（分）")
    self_pay: int = about("Patient pays in fen", "个人自付（分）")
    reference: str = about("The insurance's number", "医保流水号", default="")


@connector(
    "insurance.settle", title=("Insurance: settle a claim", "医保结算"), group=("Payment", "支付"), connection="insurance_claim",
    standard="configurable JSON or XML over HTTP", icon="coin", errors={**REFUSED, **claims.SPLIT_CHANGED},
)  # fmt: skip
def settle(given: Input, work: Work) -> Output:
    """Settles a claim once. A split that is not the pre-settlement's is the error SPLIT_CHANGED: reverse it and ask the patient again.

    结算一次。若分割与预结算不一致，作为错误 SPLIT_CHANGED 抛出：应撤销并与患者确认。
    """
    link = work.link()
    total = insurance_presettle.amount(given.items)
    with runtime.transaction() as session:
        payment = ledger.opened(
            session, given.claim_id, amount=given.insured, currency="CNY", channel="insurance", connection=link.name,
            patient_id=given.patient_id, instance_id=work.call.instance_id,
        )  # fmt: skip
        id_, number = payment.id, payment.trade_no
        if payment.state == ledger.PENDING:
            ledger.attempt(session, payment, "order", number, amount=given.insured)
    asked = insurance_presettle.Input(given.claim_id, given.patient_id, given.insurance_number, given.items, given.diagnosis)
    with ledger.outcome(id_, "order", number):
        found = claims.ask(work, link, "settle", insurance_presettle.claim(asked), total=total)
    with runtime.transaction() as session:
        payment = ledger.get(session, id_)
        if found.insured != payment.amount:
            ledger.note(session, payment, "refused", found.reference or number, source="call", detail={"amount": found.insured})
        else:
            ledger.settle(
                session, payment, ledger.PAID, transaction_id=found.reference or number, amount=found.insured, source="call", tell=False
            )
    if found.insured != given.insured:
        raise BpmnError(
            "SPLIT_CHANGED", f"{link.name} pays {found.insured}, the pre-settlement said {given.insured}", {"insured": found.insured}
        )
    return Output(id_, found.fund, found.account, found.self_pay, found.reference)
