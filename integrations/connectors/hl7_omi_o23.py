"""Orders an imaging procedure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from engine import clock
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.connectors.hl7_oml_o21 import PRIORITIES
from integrations.fhir.server.ours import Ordered
from integrations.hl7 import order, write
from integrations.schema import about


@dataclass(frozen=True)
class Procedure:
    """What to image."""

    code: str = about("Code", "编码")
    name: str = about("Name", "名称")
    modality: str = about("Modality (DICOM: DX, CT, MR, US)", "设备类型（DICOM：DX、CT、MR、US）")


@dataclass(frozen=True)
class Input:
    """The order."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    order_id: str = about("Order", "医嘱号")
    procedure: Procedure = about("Procedure: code, name, modality", "检查：编码、名称、设备类型")  # noqa: RUF009  about() makes a field
    priority: str = about("Priority: routine, urgent, stat", "优先级：routine、urgent、stat", default="routine")


@dataclass(frozen=True)
class Output:
    """What radiology answered."""

    ack: str = about("Acknowledgement", "应答码")
    accession: str = about("Accession number", "检查号")


@connector(
    "hl7.omi_o23", title=("Order imaging", "开具检查医嘱"), group=("Imaging", "影像"), connection="ris",
    standard="HL7 v2.5.1 OMI^O23 over MLLP", icon="image", errors=REFUSED, message="imaging_result",
)  # fmt: skip
def request(given: Input, work: Work) -> Output:
    """Sends an imaging order. The report arrives as the message `imaging_result`, correlated by `orderId`.

    发送影像检查医嘱。报告以消息 imaging_result 返回，按 orderId 关联。
    """
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)
    proposed = accession_of(given.order_id)
    wanted = given.procedure

    def segments(control: str) -> list[str]:
        return [
            order.PATIENT,
            order.visit(given.visit_number),
            write.segment("ORC", {1: "NW", 2: given.order_id, 9: now}),
            write.segment("TQ1", {1: 1, 9: PRIORITIES.get(given.priority, "R")}),
            write.segment("OBR", {1: 1, 2: given.order_id, 4: [wanted.code, wanted.name], 7: now, 18: proposed, 24: "RAD"}),
            # IPC, HL7 v2.5.1 section 4.5.6: accession, requested procedure, study UID, scheduled step, modality
            write.segment("IPC", {1: proposed, 2: given.order_id, 3: study_uid(given.order_id), 4: "1", 5: wanted.modality}),
        ]

    ordered = Ordered(given.order_id, "RAD", [(wanted.code, wanted.name)], given.priority, given.visit_number)
    answer = order.submit(work, ("OMI", "O23", "OMI_O23"), given.patient_id, segments, reference=given.order_id, ordered=ordered)
    return Output(answer.get("MSA", 1), answer.get("IPC", 1) or answer.get("OBR", 18) or proposed)


def accession_of(order_id: str) -> str:
    """The accession number that we propose: at most 16 characters, as DICOM's SH allows."""
    return "A" + str(int(hashlib.sha256(order_id.encode()).hexdigest(), 16))[:12]


def study_uid(order_id: str) -> str:
    """A study instance UID under the UUID root (DICOM PS3.5 annex B.2)."""
    return "2.25." + str(int(hashlib.sha256(order_id.encode()).hexdigest()[:32], 16))
