"""Sends a mail."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """The mail."""

    to: str = about("To", "收件人", personal=True)
    subject: str = about("Subject", "主题", personal=True)
    text: str = about("Text", "正文", personal=True)


@dataclass(frozen=True)
class Output:
    """The mail's Message-ID."""

    message_id: str = about("Message id", "邮件编号")


@connector(
    "mail.send", title=("Send a mail", "发送邮件"), group=("General", "通用"), connection="mail", standard="SMTP", icon="mail", errors=REFUSED,
)  # fmt: skip
def send(given: Input, work: Work) -> Output:
    """Sends a plain text mail. Every try carries the same Message-ID, by which mail systems drop a second copy.

    发送纯文本邮件。每次重试使用相同的 Message-ID，便于邮件系统去重。
    """
    link = work.link()
    mail = EmailMessage()
    number = f"<{sha256(work.call.key.encode()).hexdigest()[:32]}@{link.address.get('domain', 'carelane.invalid')}>"
    try:
        mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = str(link.address["sender"]), given.to, given.subject, number
    except ValueError as error:  # a line break in a header would smuggle in another one
        raise ConnectorFailed(f"to, subject: {error}", kind="permanent") from error
    mail.set_content(given.text)
    sent = {"to": given.to, "subject": given.subject, "text": given.text}
    log.exchange(work.call, link, Outbound("mail", number[:120], sent, None, work.call.subject), lambda: _deliver(link, mail))
    return Output(number)


def _deliver(link: Link, mail: EmailMessage) -> dict[str, str]:
    sent = False
    try:
        with smtplib.SMTP(str(link.address["host"]), int(link.address.get("port", 25)), timeout=link.timeout) as server:
            if link.address.get("tls"):
                server.starttls()
            if link.secrets.get("user"):
                server.login(link.secrets["user"], link.secrets["password"])
            sent = True
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code = next((status for status, _ in error.recipients.values()), 550)
        if code >= 500:
            raise BpmnError("FAR_END_REFUSED", f"{link.name} does not take mail for this address ({code})") from error
        raise ConnectorFailed(f"{link.name} does not take mail for this address now ({code})", kind="transient") from error
    except smtplib.SMTPResponseException as error:
        kind = "permanent" if error.smtp_code >= 500 else "transient"
        raise ConnectorFailed(f"{link.name} answered {error.smtp_code}", kind=kind) from error  # type: ignore[arg-type]
    except OSError as error:
        after = "unknown" if sent and not link.idempotent else "transient"
        raise ConnectorFailed(f"{link.name}: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    return {"sent": mail["Message-ID"]}
