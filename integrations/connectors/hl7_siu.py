"""Books, moves or cancels an appointment in another system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, write
from integrations.schema import about

_EVENTS = {"book": ("S12", "Booked"), "move": ("S13", "Booked"), "change": ("S14", "Booked"), "cancel": ("S15", "Cancelled"),
           "no-show": ("S26", "Noshow")}  # fmt: skip
_SEGMENT = {"book": "A", "cancel": "D"}  # RGS-2, table 0206; the rest update
WHAT = {
    "book": ("book", "预约"),
    "move": ("move", "改约"),
    "change": ("change something else", "修改"),
    "cancel": ("cancel", "取消"),
    "no-show": ("did not come", "爽约"),
}


@dataclass(frozen=True)
class Input:
    """The appointment."""

    patient_id: str = about("Patient", "患者")
    appointment_id: str = about("Appointment", "预约号")
    department: str = about("Department", "科室")
    start: str = about("Start, date and time", "开始时间")
    minutes: int = about("Minutes", "时长（分钟）", default=15)
    action: Literal["book", "move", "change", "cancel", "no-show"] = about("Action", "操作", default="book", choices=WHAT)
    reason: str = about("Reason", "原因", default="")


@dataclass(frozen=True)
class Output:
    """The other system's number of it."""

    ack: str = about("Acknowledgement", "应答码")
    filler_appointment: str | None = about("Number at the other system", "对方预约号", default=None)


@connector(
    "hl7.siu", title=("Book an appointment", "预约登记"), group=("HIS", "医院信息系统"), connection="his",
    standard="HL7 v2.5.1 SIU^S12, S13, S14, S15, S26 over MLLP", icon="table", errors=REFUSED,
)  # fmt: skip
def book(given: Input, work: Work) -> Output:
    """Books, moves or cancels an appointment (SCH-25 carries its status), or says that the patient did not come.

    预约、改约、取消或登记爽约（状态见 SCH-25）。
    """
    event, status = _EVENTS[given.action]
    start = _start(given.start)
    zone = runtime.settings().clinic_zone
    begins, ends = (write.timestamp(at, zone) for at in (start, start + timedelta(minutes=given.minutes)))
    action = _SEGMENT.get(given.action, "U")

    def segments(control: str) -> list[str]:
        slot = ["", "", "", begins, ends]
        return [
            write.segment(
                "SCH",
                {
                    1: given.appointment_id,
                    6: given.action,
                    7: given.reason,
                    9: given.minutes,
                    10: "min",
                    11: slot,
                    16: write.OURS[0],
                    20: write.OURS[0],
                    25: status,
                },
            ),
            order.PATIENT,
            write.segment("PV1", {1: 1, 2: "O", 3: [given.department]}),
            write.segment("RGS", {1: 1, 2: action}),
            write.segment("AIL", {1: 1, 2: action, 3: [given.department], 6: begins, 9: given.minutes, 10: "min"}),
        ]

    answer = order.submit(work, ("SIU", event, "SIU_S12"), given.patient_id, segments, reference=given.appointment_id)
    return Output(answer.get("MSA", 1), answer.get("SCH", 2) or None)


def _start(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConnectorFailed(f"start: {text!r} is no date and time", kind="permanent") from error
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(runtime.settings().clinic_zone))
