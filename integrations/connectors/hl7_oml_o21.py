"""Orders laboratory tests."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.fhir.server.ours import Ordered
from integrations.hl7 import order, write
from integrations.schema import about

PRIORITIES = {"R": "R", "routine": "R", "urgent": "A", "asap": "A", "stat": "S"}  # TQ1-9, HL7 table 0485


@dataclass(frozen=True)
class Test:
    """One test."""

    code: str = about("LOINC code", "LOINC 编码")
    name: str = about("Name", "名称")


@dataclass(frozen=True)
class Input:
    """The order."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    order_id: str = about("Order", "医嘱号")
    tests: list[Test] = about("Tests: code (LOINC), name", "检验项目：编码（LOINC）、名称")  # noqa: RUF009  about() makes a field
    specimen: str | None = about("Specimen", "标本", default=None)
    priority: str = about("Priority: routine, urgent, stat", "优先级：routine、urgent、stat", default="routine")


@dataclass(frozen=True)
class Output:
    """What the laboratory answered."""

    ack: str = about("Acknowledgement", "应答码")
    filler_order: str | None = about("Laboratory's order number", "检验科单号", default=None)


@connector(
    "hl7.oml_o21", title=("Order laboratory tests", "开具检验医嘱"), group=("Laboratory", "检验"), connection="lis",
    standard="HL7 v2.5.1 OML^O21 over MLLP", icon="flask", errors=REFUSED, message="lab_result",
)  # fmt: skip
def request(given: Input, work: Work) -> Output:
    """Sends a laboratory order. The result arrives as the message `lab_result`, correlated by `orderId`.

    发送检验医嘱。结果以消息 lab_result 返回，按 orderId 关联。
    """
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)

    def segments(control: str) -> list[str]:
        lines = [order.PATIENT, order.visit(given.visit_number)]
        for number, test in enumerate(given.tests, 1):
            lines += [
                write.segment("ORC", {1: "NW", 2: given.order_id, 9: now}),
                write.segment("TQ1", {1: 1, 9: PRIORITIES.get(given.priority, "R")}),
                write.segment("OBR", {1: number, 2: given.order_id, 4: [test.code, test.name, order.LOINC], 7: now}),
            ]
            if given.specimen:
                lines.append(write.segment("SPM", {1: 1, 4: given.specimen}))
        return lines

    codes = [(test.code, test.name) for test in given.tests]
    ordered = Ordered(given.order_id, "LAB", codes, given.priority, given.visit_number)
    answer = order.submit(work, ("OML", "O21", "OML_O21"), given.patient_id, segments, reference=given.order_id, ordered=ordered)
    return Output(answer.get("MSA", 1), answer.get("ORC", 3) or answer.get("OBR", 3) or None)
