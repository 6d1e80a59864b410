"""Sends a mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import tls
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
    reply_to: str = about("Reply to", "回复地址", default="")


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
        if given.reply_to:
            mail["Reply-To"] = given.reply_to
    except ValueError as error:  # a line break in a header would smuggle in another one
        raise ConnectorFailed("to, subject, replyTo: a header holds no line break", kind="permanent") from error
    mail.set_content(given.text)
    sent = {"payload": {"to": given.to, "subject": given.subject, "text": given.text}}
    log.exchange(work.call, link, Outbound("mail", number[:120], sent, None, work.call.subject), lambda: _deliver(link, mail))
    return Output(number)


@contextmanager
def connected(link: Link) -> Iterator[smtplib.SMTP]:
    """A session with the server: secured where the address says `tls` (STARTTLS) or `tls_at_once` (as on port 465), signed in where the
    secrets have a user. The server's certificate is checked.
    """
    host = str(link.address["host"])
    context = tls.client(link.address, link.secrets)
    if link.address.get("tls_at_once"):
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, int(link.address.get("port", 465)), timeout=link.timeout, context=context)
    else:
        server = smtplib.SMTP(host, int(link.address.get("port", 25)), timeout=link.timeout)
    with server:
        if link.address.get("tls") and not link.address.get("tls_at_once"):
            server.starttls(context=context)
        if link.secrets.get("user"):
            server.login(link.secrets["user"], link.secrets["password"])
        yield server


def _deliver(link: Link, mail: EmailMessage) -> dict[str, str]:
    sent = False
    try:
        with connected(link) as server:
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
    except smtplib.SMTPNotSupportedError as error:
        raise ConnectorFailed(
            f"{link.name}: the server offers no {'STARTTLS' if link.address.get('tls') else 'sign-in'}", kind="permanent"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise ConnectorFailed(f"{link.name}: its certificate is not to be trusted: {error.verify_message}", kind="permanent") from error
    except OSError as error:
        after = "unknown" if sent and not link.idempotent else "transient"
        raise ConnectorFailed(f"{link.name}: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    return {"sent": mail["Message-ID"]}
