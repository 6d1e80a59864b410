"""Acknowledgements: what an answer means for us, and the answers that we give (HL7 v2.5.1, section 2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.errors import BpmnError, ConnectorFailed
from integrations.hl7 import read, write
from integrations.hl7.read import Message


def judge(answer: bytes, control: str) -> Message:
    """The parsed answer when it accepts our message (AA or CA).

    AE and CE (an error at the far end) are transient; AR and CR (a refusal) are BpmnError FAR_END_REFUSED with the reason.
    """
    try:
        message = read.parse(read.split(answer)[0])
    except read.Unreadable as error:
        raise ConnectorFailed(f"The answer is no HL7 acknowledgement. {error.message}", kind="transient") from error
    code, about = message.get("MSA", 1), message.get("MSA", 2)
    if about != control:
        raise ConnectorFailed(f"The answer is about another message ({about or 'none'}, not {control}).", kind="transient")
    if code in ("AA", "CA"):
        return message
    reason = reason_of(message)
    if code in ("AR", "CR"):
        raise BpmnError("FAR_END_REFUSED", f"The far end refused the message: {reason}", {"refusal": reason})
    raise ConnectorFailed(f"The far end answered {code or 'nothing'}: {reason}", kind="transient")


def is_accept(answer: bytes, control: str) -> bool:
    """Whether an answer is only the accept acknowledgement (CA) of our message, so that another one will follow."""
    try:
        message = read.parse(read.split(answer)[0])
    except read.Unreadable:
        return False
    return message.get("MSA", 1) == "CA" and message.get("MSA", 2) == control


def reason_of(message: Message) -> str:
    """Why it was not accepted: MSA-3, else ERR-8, ERR-7 or ERR-3."""
    candidates = (message.get("MSA", 3), message.get("ERR", 8), message.get("ERR", 7), message.get("ERR", 3, 2), message.get("ERR", 3))
    return next((text for text in candidates if text), "no reason given")


def asked(message: Message | None, *, good: bool) -> str:
    """The letter of the answer that a sender wants at once: A (original mode), C (enhanced mode's accept), or empty for none.

    MSH-15 and MSH-16 both empty are original mode. AL, NE, ER and SU are HL7's table 0155.
    """
    accept, application = (message.get("MSH", 15), message.get("MSH", 16)) if message is not None else ("", "")
    if not accept and not application:
        return "A"
    if accept in ("", "NE"):
        return "A" if _due(application, good=good) else ""
    return "C" if _due(accept, good=good) else ""


def asked_later(message: Message | None, *, good: bool) -> bool:
    """Whether the sender wants an application acknowledgement beside the accept one."""
    accept, application = (message.get("MSH", 15), message.get("MSH", 16)) if message is not None else ("", "")
    return accept not in ("", "NE") and _due(application, good=good)


def answer(
    message: Message | None, code: str, text: str = "", *, at: datetime, zone: str, control: str, kind: tuple[str, str, str] | None = None,
    segments: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """An ACK for a message that came in; `message` None for one that could not be read. `segments` follow MSA (and ERR)."""
    receiver = (message.get("MSH", 3), message.get("MSH", 4)) if message else ("", "")
    trigger = message.get("MSH", 9, 2) if message else ""
    about = message.control if message else ""
    made = [write.segment("MSA", {1: code, 2: about, 3: text or None})]
    if text:
        error_code = ["207", "Application error", "HL70357"] if code[1:] != "R" else ["200", "Unsupported message type", "HL70357"]
        made.append(write.segment("ERR", {3: error_code, 4: "E", 8: text}))
    return write.message(kind or ("ACK", trigger, "ACK"), [*made, *segments], control=control, receiver=receiver, at=at, zone=zone).encode()


def _due(condition: str, *, good: bool) -> bool:
    return condition == "AL" or condition == ("SU" if good else "ER")
