"""Refers a patient to a hospital that speaks HL7 v2."""

from __future__ import annotations

from dataclasses import dataclass

from engine import clock
from integrations import outcomes, runtime
from integrations.connections import book
from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, referrals, write
from integrations.messages import log
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
    diagnosis_code: str = about("Diagnosis (ICD-10)", "诊断（ICD-10）", default="")
    diagnosis: str = about("Diagnosis", "诊断名称", personal=True, default="")


@dataclass(frozen=True)
class Output:
    """How the receiver answered at once. `task_id` is its own number of the referral."""

    ack: str = about("Acknowledgement", "应答码")
    status: str = about("Status: accepted, pending, rejected", "状态：accepted、pending、rejected")
    task_id: str = about("Receiver's number", "对方转诊号", default="")


@connector(
    "hl7.ref_i12", title=("Refer over HL7", "通过 HL7 转诊"), group=("Referral", "转诊"), connection="referral_hl7",
    standard="HL7 v2.5.1 REF^I12, RRI^I12 over MLLP", icon="send", errors=REFUSED, message="referral_update",
)  # fmt: skip
def refer(given: Input, work: Work) -> Output:
    """Asks a hospital to take a patient. Its decision arrives as the message `referral_update`, correlated by `referralId`.

    请求对方医院接收患者。对方的决定以消息 referral_update 返回，按 referralId 关联。
    """
    name = given.hospital if given.hospital and book.exists(given.hospital) else ""
    now = write.timestamp(clock.now(), runtime.settings().clinic_zone)

    def segments(control: str) -> list[str]:
        # REF_I12 (section 11.5): RF1, PRD for who refers and who shall receive, PID, DG1, PV1, NTE
        rf1 = {
            1: ["P", "Pending", "HL70283"],
            2: referrals.PRIORITY.get(given.priority, "R"),
            6: given.referral_id,
            7: now,
            10: ["", given.reason],
        }
        lines = [
            write.segment("RF1", rf1),
            write.segment("PRD", {1: ["RP", "Referring provider", "HL70286"], 2: [write.OURS[1]], 7: [given.department or write.OURS[1]]}),
            write.segment("PRD", {1: ["RT", "Referred to provider", "HL70286"], 2: [given.hospital or "HOSPITAL"], 7: [given.hospital]}),
            order.PATIENT,
        ]
        if given.diagnosis or given.diagnosis_code:
            lines.append(write.segment("DG1", {1: 1, 3: [given.diagnosis_code, given.diagnosis, "I10"], 6: "W"}))
        lines.append(order.visit("", given.department))
        if given.summary:
            lines.append(write.segment("NTE", {1: 1, 3: given.summary}))
        return lines

    kind = ("REF", "I12", "REF_I12")
    answer = order.submit(work, kind, given.patient_id, segments, reference=given.referral_id, connection=name)
    told = referrals.news(answer)
    if told is not None:
        with runtime.transaction() as session:
            row = log.by_reference(session, given.referral_id)
            if row is not None:  # decided at once: the process hears it as it would hear it later
                outcomes.hand_on(
                    session, row, "referral_update", given.referral_id, {**told, "referralId": given.referral_id}, actor=row.connection
                )
    return Output(answer.get("MSA", 1), told["status"] if told else "pending", answer.get("RF1", 11))
