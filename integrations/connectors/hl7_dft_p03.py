"""Posts charges and their payment to the HIS."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, write
from integrations.schema import about


@dataclass(frozen=True)
class Item:
    """One charged service."""

    code: str = about("Code", "编码")
    name: str = about("Name", "名称")
    amount: int = about("Amount in fen", "金额（分）")


@dataclass(frozen=True)
class Input:
    """What was charged and paid."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    payment_id: str = about("Payment", "支付单")
    items: list[Item] = about("Items: code, name, amount in fen", "收费项目：编码、名称、金额（分）")  # noqa: RUF009  about() makes a field


@dataclass(frozen=True)
class Output:
    """The acknowledgement."""

    ack: str = about("Acknowledgement", "应答码")


@connector(
    "hl7.dft_p03", title=("Post charges to HIS", "向 HIS 记账"), group=("HIS", "医院信息系统"), connection="his",
    standard="HL7 v2.5.1 DFT^P03 over MLLP", icon="ledger", errors=REFUSED,
)  # fmt: skip
def post(given: Input, work: Work) -> Output:
    """Posts each charge (FT1-6 CG) and the payment that settles them (PY) to the HIS.

    把每项收费（FT1-6 CG）和对应付款（PY）记入 HIS。
    """
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)

    def segments(control: str) -> list[str]:
        charges = [(item.code, item.name, item.amount, "CG") for item in given.items]
        total = sum(item.amount for item in given.items)
        rows = [*charges, ("PAYMENT", given.payment_id, total, "PY")]
        return [
            write.segment("EVN", {1: "P03", 2: now}),
            order.PATIENT,
            order.visit(given.visit_number),
            *(_transaction(number, row, given.payment_id, now) for number, row in enumerate(rows, 1)),
        ]

    answer = order.submit(work, ("DFT", "P03", "DFT_P03"), given.patient_id, segments, reference=given.payment_id)
    return Output(answer.get("MSA", 1))


def _transaction(number: int, row: tuple[str, str, int, str], payment_id: str, now: str) -> str:
    code, name, amount, kind = row
    yuan = f"{amount // 100}.{amount % 100:02d}" if amount >= 0 else f"-{-amount // 100}.{-amount % 100:02d}"
    # FT1-11 extended amount is a composite price: price and currency (HL7 v2.5.1 section 6.5.1.11)
    return write.segment("FT1", {1: number, 2: f"{payment_id}-{number}", 4: now, 6: kind, 7: [code, name], 10: 1, 11: [[yuan, "CNY"]]})
