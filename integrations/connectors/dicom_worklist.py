"""Puts an examination on the modality worklist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from engine import clock
from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connections.book import Link
from integrations.connector import Work, connector
from integrations.connectors.hl7_omi_o23 import Procedure, accession_of, study_uid
from integrations.dicom import studies
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

ACTIONS = {"schedule": ("put on the worklist", "加入工作列表"), "cancel": ("take off the worklist", "移出工作列表")}
ANNOUNCED = {"imaging_result": ("imaging_result", "imaging_result"), "study_available": ("study_available", "study_available")}
KINDS = ("dicom_listener", "dicom_folder")


@dataclass(frozen=True)
class Input:
    """The scheduled step; the same fields as the HL7 order of imaging, and a few of DICOM's own."""

    patient_id: str = about("Patient", "患者")
    visit_number: str = about("Visit number", "就诊号")
    order_id: str = about("Order", "医嘱号")
    procedure: Procedure = about("Procedure: code, name, modality", "检查：编码、名称、设备类型")  # noqa: RUF009  about() makes a field
    priority: str = about("Priority: routine, urgent, stat", "优先级：routine、urgent、stat", default="routine")
    station: str = about("AE title of the modality; empty: any", "设备 AE 标题；留空表示任意", default="")
    starts: str = about("Start, ISO 8601; empty: now", "开始时间（ISO 8601）；留空表示现在", default="")
    action: Literal["schedule", "cancel"] = about("Action", "操作", default="schedule", choices=ACTIONS)
    announce: Literal["imaging_result", "study_available"] = about(
        "Message when the study is in the PACS", "影像到达 PACS 后的消息", default="imaging_result", choices=ANNOUNCED
    )


@dataclass(frozen=True)
class Output:
    """The numbers by which modality and PACS know it."""

    accession: str = about("Accession number", "检查号")
    study_uid: str = about("Study instance UID", "检查实例 UID")


@connector(
    "dicom.worklist", title=("Put on the modality worklist", "加入设备工作列表"), group=("Imaging", "影像"), connection="worklist",
    standard="DICOM modality worklist (PS3.4 annex K), served by us or as a file", icon="image", message="imaging_result",
)  # fmt: skip
def put(given: Input, work: Work) -> Output:
    """Makes an examination visible to the modalities. Its study in the PACS arrives as a message, correlated by `orderId`.

    使检查出现在设备工作列表中。影像到达 PACS 后以消息返回，按 orderId 关联。
    """
    link = work.link()
    if link.kind not in KINDS:
        raise ConnectorFailed(f"The connection {link.name} is no worklist: its kind must be {' or '.join(KINDS)}.", kind="permanent")
    if len(given.procedure.modality) > 16 or len(given.station) > 16:
        raise ConnectorFailed("procedure.modality, station: DICOM allows 16 characters", kind="permanent")
    starts = _starts(given.starts)
    studies.record_number(given.patient_id)  # says in words when there is no such patient
    accession, uid = accession_of(given.order_id), study_uid(given.order_id)
    sent = {"accession": accession, "studyUid": uid, "action": given.action, "modality": given.procedure.modality, "station": given.station}
    message = Outbound("dicom.worklist", work.call.key[:120], sent, given.order_id, given.patient_id)
    kept = log.exchange(work.call, link, message, lambda: _listed(link, given, accession, uid, starts))
    return Output(kept["accession"], kept["studyUid"])


def _listed(link: Link, given: Input, accession: str, uid: str, starts: datetime) -> dict[str, Any]:
    from integrations.dicom import worklist

    with runtime.transaction() as session:
        if given.action == "cancel":
            worklist.cancel(session, given.order_id)
            if link.kind == "dicom_folder":
                worklist.file_of(Path(str(link.address["folder"])), accession).unlink(missing_ok=True)
            return {"accession": accession, "studyUid": uid}
        wanted = given.procedure
        entry = worklist.schedule(session, link.name, worklist.Step(
            given.order_id, accession, uid, given.patient_id, given.visit_number, wanted.code, wanted.name, wanted.modality, given.station,
            given.priority, starts, given.announce,
        ))  # fmt: skip
        if link.kind == "dicom_folder":
            zone, charset = runtime.settings().clinic_zone, str(link.address.get("charset", worklist.UTF8))
            data = worklist.data_set(session, entry, zone=zone, charset=charset, station=str(link.address.get("station", "ANY")))
            try:
                worklist.write_file(Path(str(link.address["folder"])), data)
            except OSError as error:
                raise ConnectorFailed(f"{link.name}: the worklist file cannot be written: {type(error).__name__}") from error
        return {"accession": accession, "studyUid": uid}


def _starts(text: str) -> datetime:
    if not text:
        return clock.now()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConnectorFailed("starts: must be an ISO 8601 time", kind="permanent") from error
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(runtime.settings().clinic_zone))
