"""Registers an outpatient visit in the HIS."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, write
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Whose visit, where."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    department: str = about("Department", "科室")


@dataclass(frozen=True)
class Output:
    """The HIS's own number of the visit."""

    his_visit_id: str = about("Visit number in HIS", "HIS 就诊号")
    ack: str = about("Acknowledgement", "应答码")


@connector(
    "hl7.adt_a04", title=("Register the visit in HIS", "在 HIS 登记就诊"), group=("HIS", "医院信息系统"), connection="his",
    standard="HL7 v2.5.1 ADT^A04 over MLLP", icon="hospital", errors=REFUSED,
)  # fmt: skip
def register(given: Input, work: Work) -> Output:
    """Tells the HIS that a patient has come, and takes its number for the visit.

    通知 HIS 患者已到院就诊，并取回 HIS 的就诊号。
    """
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)
    answer = order.submit(
        work, ("ADT", "A04", "ADT_A01"), given.patient_id,
        lambda control: [write.segment("EVN", {1: "A04", 2: now}), order.PATIENT, order.visit(given.visit_number, given.department)],
        reference=given.visit_number,
    )  # fmt: skip
    return Output(answer.get("PV1", 19) or answer.get("MSA", 3) or given.visit_number, answer.get("MSA", 1))
