"""Answers a hospital that asked for more information about a referral."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.connector import REFUSED, Work, connector
from integrations.fhir import client, referral
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """The answer."""

    referral_id: str = about("Referral", "转诊单号")
    task_id: str = about("Task", "任务")
    text: str = about("Answer", "答复", personal=True)


@dataclass(frozen=True)
class Output:
    """Nothing comes back."""


@connector(
    "fhir.referral_answer", title=("Answer the hospital", "答复对方医院"), group=("Referral", "转诊"), connection="partner",
    standard="FHIR R4 Communication about a Task", icon="send", errors=REFUSED,
)  # fmt: skip
def reply(given: Input, work: Work) -> Output:
    """Sends the information that the other hospital asked for; it then decides on the referral again.

    发送对方医院要求补充的资料，由其重新决定是否接收。
    """
    link = work.link()
    resource = referral.answer(given.referral_id, given.task_id, given.text, work.call.key)
    message = Outbound("fhir.Communication", work.call.key[:120], resource, given.referral_id, work.call.subject)
    condition = {"If-None-Exist": f"identifier={referral.CALL}|{work.call.key}"}
    log.exchange(work.call, link, message, lambda: client.ask(link, "POST", "Communication", resource, headers=condition))
    return Output()
