"""Tells the HIS that two records are one patient."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from engine.errors import ConnectorFailed, NotFound
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, write
from integrations.patients import index
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Which record stays, which one is merged into it."""

    patient_id: str = about("Patient that stays", "保留的患者")
    merged_patient_id: str = about("Patient that was merged", "被合并的患者")


@dataclass(frozen=True)
class Output:
    """The acknowledgement."""

    ack: str = about("Acknowledgement", "应答码")


@connector(
    "hl7.adt_a40", title=("Merge patients in HIS", "在 HIS 合并患者"), group=("HIS", "医院信息系统"), connection="his",
    standard="HL7 v2.5.1 ADT^A40 over MLLP", icon="hospital", errors=REFUSED,
)  # fmt: skip
def merge(given: Input, work: Work) -> Output:
    """Tells the HIS which record number is replaced by which (MRG-1).

    通知 HIS 哪个病案号被另一病案号取代（MRG-1）。
    """
    with runtime.reading() as session:
        try:
            former = index.get(session, given.merged_patient_id).record_number
        except NotFound as error:
            raise ConnectorFailed(f"mergedPatientId: there is no patient {given.merged_patient_id!r}", kind="permanent") from error
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)

    def segments(control: str) -> list[str]:
        replaced = write.segment("MRG", {1: [former, "", "", write.OURS[0], "MR"]})
        return [write.segment("EVN", {1: "A40", 2: now}), order.PATIENT, replaced]

    answer = order.submit(work, ("ADT", "A40", "ADT_A39"), given.patient_id, segments, reference=former)
    return Output(answer.get("MSA", 1))
