"""Orders drugs from the pharmacy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine import clock
from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.connectors.hl7_oml_o21 import PRIORITIES
from integrations.hl7 import order, write
from integrations.hl7.write import Repeat
from integrations.pharmacy import dispense
from integrations.schema import about

# TQ1-3, HL7 table 0335: repeat patterns by the abbreviations of a prescription
_PATTERNS = {"qd": "QD", "od": "QD", "bid": "BID", "tid": "TID", "qid": "QID", "qn": "QHS", "qod": "QOD", "prn": "PRN", "st": "Once"}
_DOSE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(\S.*?)\s*")


@dataclass(frozen=True)
class Drug:
    """One line of a prescription."""

    drug: str = about("Code of the drug", "药品编码")
    dose: str = about("Dose, such as 0.5 g", "单次剂量，如 0.5 g")
    frequency: str = about("Frequency: qd, bid, tid, qid …", "频次：qd、bid、tid、qid …")
    quantity: int = about("Packages to give out", "发药数量")
    days: int | None = about("Days", "天数", default=None)
    name: str = about("Name of the drug", "药品名称", default="")
    unit: str = about("Unit of the quantity", "数量单位", default="盒")
    route: str = about("Route: PO, IV, IM …", "给药途径：PO、IV、IM …", default="PO")


@dataclass(frozen=True)
class Input:
    """The prescription."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    order_id: str = about("Order", "处方号")
    items: list[Drug] = about("Drugs: drug, dose, frequency, quantity", "药品：编码、剂量、频次、数量")  # noqa: RUF009  about() makes a field
    priority: str = about("Priority: routine, urgent, stat", "优先级：routine、urgent、stat", default="routine")
    note: str = about("Note for the pharmacist", "给药师的备注", default="", personal=True)


@dataclass(frozen=True)
class Output:
    """What the pharmacy answered."""

    ack: str = about("Acknowledgement", "应答码")
    filler_order: str | None = about("Pharmacy's order number", "药房单号", default=None)


@connector(
    "pharmacy.dispense", title=("Order drugs from the pharmacy", "药房发药申请"), group=("Pharmacy", "药房"), connection="pharmacy",
    standard="HL7 v2.5.1 RDE^O11 over MLLP; RDS^O13 comes back", icon="pill", errors=REFUSED, message="dispensed",
)  # fmt: skip
def request(given: Input, work: Work) -> Output:
    """Sends a prescription to the pharmacy. When it is given out the message `dispensed` arrives, correlated by `orderId`.

    向药房发送处方。发药后以消息 dispensed 返回，按 orderId 关联。
    """
    if not given.items:
        raise ConnectorFailed("items: a prescription has at least one drug", kind="permanent")
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)

    def segments(control: str) -> list[str]:
        lines = [order.PATIENT, order.visit(given.visit_number)]
        for position, item in enumerate(given.items, 1):
            lines += _line(given, position, item, now)
        return lines

    answer = order.submit(work, ("RDE", "O11", "RDE_O11"), given.patient_id, segments, reference=given.order_id)
    return Output(answer.get("MSA", 1), answer.get("ORC", 3) or None)


def _line(given: Input, position: int, item: Drug, now: str) -> list[str]:
    """ORC, TQ1, RXE and RXR of one drug (HL7 v2.5.1 sections 4.5 and 4.14)."""
    amount, unit = _dose(position, item.dose)
    days = [item.days, "d"] if item.days else None
    pattern = _PATTERNS.get(item.frequency.lower(), item.frequency)
    code = [item.drug, item.name or item.drug, "99CARELANE"]
    instructions = [f"{item.dose} {item.frequency}"] if not given.note else Repeat([["", f"{item.dose} {item.frequency}"], ["", given.note]])
    return [
        write.segment("ORC", {1: "NW", 2: dispense.line_number(given.order_id, position), 4: given.order_id, 9: now}),
        write.segment("TQ1", {1: position, 3: [pattern], 6: days, 9: PRIORITIES.get(given.priority, "R")}),
        write.segment("RXE", {2: code, 3: amount, 5: [unit], 7: instructions, 10: item.quantity, 11: [item.unit], 15: given.order_id}),
        write.segment("RXR", {1: [item.route]}),
    ]


def _dose(position: int, text: str) -> tuple[str, str]:
    found = _DOSE.fullmatch(text)
    if found is None:
        raise ConnectorFailed(f"items[{position - 1}].dose: must be a number and a unit, such as 0.5 g", kind="permanent")
    return found[1], found[2]
