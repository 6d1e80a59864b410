"""Tells the HIS of changed patient data."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, write
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Whose data."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号", default="")


@dataclass(frozen=True)
class Output:
    """The acknowledgement."""

    ack: str = about("Acknowledgement", "应答码")


@connector(
    "hl7.adt_a08", title=("Update the patient in HIS", "在 HIS 更新患者"), group=("HIS", "医院信息系统"), connection="his",
    standard="HL7 v2.5.1 ADT^A08 over MLLP", icon="hospital", errors=REFUSED,
)  # fmt: skip
def update(given: Input, work: Work) -> Output:
    """Sends the patient's present data from the patient index to the HIS.

    把患者索引中的最新资料发送给 HIS。
    """
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)
    answer = order.submit(
        work, ("ADT", "A08", "ADT_A01"), given.patient_id,
        lambda control: [write.segment("EVN", {1: "A08", 2: now}), order.PATIENT, order.visit(given.visit_number)],
        reference=given.visit_number or given.patient_id,
    )  # fmt: skip
    return Output(answer.get("MSA", 1))
