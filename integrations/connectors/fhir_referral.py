"""Refers a patient to another hospital."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.errors import ConnectorFailed, NotFound
from integrations import runtime
from integrations.connections import book
from integrations.connector import REFUSED, Work, connector
from integrations.fhir import client
from integrations.fhir import referral as fhir
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.patients import index
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Who is referred where and why."""

    patient_id: str = about("Patient", "患者")
    referral_id: str = about("Referral", "转诊单号", help=("The same referral is created once.", "同一转诊单只创建一次。"))
    reason: str = about("Reason", "转诊原因", personal=True)
    summary: str = about("Clinical summary", "病情摘要", personal=True, default="")
    department: str = about("Department", "科室", default="")
    hospital: str = about("Hospital", "医院", default="", help=("A connection's name, or else the default one.", "连接名称；否则用默认连接。"))
    priority: str = about("Priority: routine, urgent, stat", "优先级：routine、urgent、stat", default="routine")
    deadline: str | None = about("Deadline", "期限", default=None)


@dataclass(frozen=True)
class Output:
    """The receiver's ids."""

    task_id: str = about("Task", "任务")
    service_request_id: str = about("Service request", "转诊申请")


@connector(
    "fhir.referral", title=("Refer to a hospital", "向外院转诊"), group=("Referral", "转诊"), connection="partner",
    standard="FHIR R4 transaction: Patient, ServiceRequest, Task", icon="send", errors=REFUSED, message="referral_update",
)  # fmt: skip
def refer(given: Input, work: Work) -> Output:
    """Creates the referral at the other hospital. News arrives as the message `referral_update`, correlated by `referralId`.

    在对方医院创建转诊。进展以消息 referral_update 返回，按 referralId 关联。
    """
    link = work.link(given.hospital if given.hospital and book.exists(given.hospital) else "")
    with runtime.reading() as session:
        try:
            patient = index.present(session, given.patient_id)
        except NotFound as error:
            raise ConnectorFailed(f"patientId: there is no patient {given.patient_id!r} in the index", kind="permanent") from error
    resource = fhir.bundle({**asdict(given), "deadline": _instant(given.deadline)}, patient.body, patient.record_number)
    control = f"referral-{given.referral_id}"[:120]
    message = Outbound("fhir.Bundle", control, resource, given.referral_id, given.patient_id)
    answer: dict[str, Any] = log.exchange(work.call, link, message, lambda: client.ask(link, "POST", "", resource))
    return Output(client.created(answer, "Task"), client.created(answer, "ServiceRequest"))


def _instant(text: str | None) -> str | None:
    """A deadline, ISO 8601 or FEEL's own text (`…@Asia/Shanghai`), as FHIR's dateTime; ConnectorFailed (permanent) when it is none."""
    if text is None:
        return None
    moment, _, zone = text.partition("@")
    try:
        read = datetime.fromisoformat(moment)
        return (read.replace(tzinfo=ZoneInfo(zone)) if zone else read).isoformat()
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise ConnectorFailed(f"deadline: {text!r} is no date and time", kind="permanent") from error
