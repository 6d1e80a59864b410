"""Answers a referral that another hospital sent us over HL7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integrations.connector import REFUSED, Work, connector
from integrations.hl7 import order, referrals, write
from integrations.schema import about

DECISIONS = {"A": ("accept", "接收"), "P": ("still pending", "待定"), "R": ("reject", "拒绝"), "E": ("expired", "过期")}


@dataclass(frozen=True)
class Input:
    """The decision."""

    patient_id: str = about("Patient", "患者")
    referral_id: str = about("The sender's referral number", "对方转诊单号")
    decision: Literal["A", "P", "R", "E"] = about("Decision", "决定", choices=DECISIONS)
    text: str = about("Reason or advice", "说明", personal=True, default="")


@dataclass(frozen=True)
class Output:
    """The acknowledgement."""

    ack: str = about("Acknowledgement", "应答码")


@connector(
    "hl7.rri_i12", title=("Answer a referral over HL7", "通过 HL7 答复转诊"), group=("Referral", "转诊"), connection="referral_hl7",
    standard="HL7 v2.5.1 RRI^I12 over MLLP", icon="send", errors=REFUSED,
)  # fmt: skip
def decide(given: Input, work: Work) -> Output:
    """Tells the hospital that referred a patient to us whether we take them.

    告知转出医院是否接收患者。
    """

    def segments(control: str) -> list[str]:
        lines = [
            write.segment("MSA", {1: "AA", 2: given.referral_id[:20]}),
            write.segment("RF1", {1: [given.decision, referrals.STATUS[given.decision], "HL70283"], 6: given.referral_id}),
            write.segment("PRD", {1: ["RT", "Referred to provider", "HL70286"], 2: [write.OURS[1]]}),
            order.PATIENT,
        ]
        return [*lines, write.segment("NTE", {1: 1, 3: given.text})] if given.text else lines

    # Another reference than the sender's number: a later answer to it is none to a referral of ours
    answer = order.submit(work, ("RRI", "I12", "RRI_I12"), given.patient_id, segments, reference=f"answer/{given.referral_id}"[:120])
    return Output(answer.get("MSA", 1))
