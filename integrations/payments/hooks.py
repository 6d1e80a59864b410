"""Notifications of payment providers: verified, opened, recorded once, handed to the instance that waits."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import write_lock
from engine.errors import Forbidden, NotFound
from integrations.connections import book
from integrations.connections.book import Link
from integrations.messages import log, webhook, worklist
from integrations.messages.tables import MessageLog
from integrations.payments import alipay, alipay_crypto, intents, ledger, providers, wechat_crypto
from integrations.payments.tables import Payment
from integrations.payments.wire import Standing

WINDOW_SECONDS = 300


def receive(session: Session, connection: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any] | str]:
    """Takes a notification for a connection and gives the HTTP status and the body to answer with (Alipay wants the word `success`).

    A forged, changed or stale one gives 401 and changes nothing. A replay gives 200 and changes nothing. What we cannot place
    (an unknown order, another amount) gives 200, is kept, and goes to the work list. The caller commits.
    """
    write_lock(session)
    row = book.find(session, connection)
    if row is not None and row.kind == "webhook":
        return webhook.receive(session, book.copy(row), headers, body)
    if row is None or row.kind not in _READERS:
        raise NotFound
    link = book.copy(row)
    wants_word = link.kind == "alipay"
    try:
        notice = _READERS[link.kind](link, headers, body)
    except Forbidden as error:
        return 401, "failure" if wants_word else {"code": "FAIL", "message": error.message}
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return 400, "failure" if wants_word else {"code": "FAIL", "message": "The notification cannot be read."}
    _take(session, link, *notice)
    return 200, "success" if wants_word else {"code": "SUCCESS", "message": ""}


Notice = tuple[str, str, str, dict[str, Any]]  # id, kind, our number, content


def _wechat(link: Link, headers: Mapping[str, str], body: bytes) -> Notice:
    text = body.decode("utf-8")
    key = wechat_crypto.public_key(link.secrets["platform_public_key"])
    wechat_crypto.check_platform(key, str(link.address["platform_serial"]), headers, text, _now(), window=WINDOW_SECONDS)
    envelope = json.loads(text)
    content = wechat_crypto.unseal(link.secrets["api_v3_key"], envelope["resource"])
    return str(envelope["id"]), str(envelope["event_type"]), str(content["out_trade_no"]), content


def _gateway(link: Link, headers: Mapping[str, str], body: bytes) -> Notice:
    given = {name.lower(): value for name, value in headers.items()}
    text, timestamp = body.decode("utf-8"), given.get("x-timestamp", "")
    if not timestamp.isdigit() or abs(_now() - int(timestamp)) > WINDOW_SECONDS:
        raise Forbidden("The signature is too old or from the future.")
    wanted = providers.gateway_signature(link.secrets["shared_key"], timestamp, text)
    if not hmac.compare_digest(wanted, given.get("x-signature", "")):
        raise Forbidden("The signature does not belong to this body.")
    content = json.loads(text)
    return str(content["id"]), str(content["event"]), str(content["trade_no"]), content


def _alipay(link: Link, headers: Mapping[str, str], body: bytes) -> Notice:
    content = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True))
    text = alipay_crypto.content(content, without=("sign", "sign_type"))
    if not alipay_crypto.verified(alipay.public_key(link.secrets["platform_public_key"]), content.get("sign", ""), text):
        raise Forbidden("The signature does not belong to this body.")
    if content["app_id"] != str(link.address["app_id"]):
        raise Forbidden("It is for another application.")
    event = "REFUND" if content.get("refund_fee") and content.get("out_biz_no") else content["trade_status"]
    return content["notify_id"], event, content["out_trade_no"], content


def _intents(link: Link, headers: Mapping[str, str], body: bytes) -> Notice:
    """https://docs.stripe.com/webhooks#verify-manually: HMAC-SHA256 over time, a dot, and the body."""
    given = {name.lower(): value for name, value in headers.items()}
    parts = [part.partition("=") for part in given.get("stripe-signature", "").split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    if not timestamp.isdigit() or abs(_now() - int(timestamp)) > WINDOW_SECONDS:
        raise Forbidden("The signature is too old or from the future.")
    wanted = hmac.new(link.secrets["webhook_secret"].encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not any(name == "v1" and hmac.compare_digest(wanted, value) for name, _, value in parts):
        raise Forbidden("The signature does not belong to this body.")
    content = json.loads(body)
    intent = content["data"]["object"]
    if intent.get("object") != "payment_intent":
        return str(content["id"]), "OTHER", "", content
    return str(content["id"]), str(content["type"]), str((intent.get("metadata") or {}).get("trade_no", "")), intent


_READERS: Mapping[str, Callable[[Link, Mapping[str, str], bytes], Notice]] = {
    "wechat": _wechat, "alipay": _alipay, "intents": _intents, "gateway": _gateway,
}  # fmt: skip
_STANDING: Mapping[str, Callable[[dict[str, Any]], Standing]] = {
    "wechat": providers.standing, "alipay": alipay.standing, "intents": intents.standing, "gateway": providers.gateway_standing,
}  # fmt: skip


def _take(session: Session, link: Link, notice_id: str, event: str, trade_no: str, content: dict[str, Any]) -> None:
    known = session.scalar(select(MessageLog).filter_by(connection=link.name, direction="in", control=notice_id))
    if known is not None:
        known.attempts += 1
        return
    payment = ledger.by_trade_no(session, trade_no)
    row = MessageLog(
        direction="in", connection=link.name, control=notice_id[:120], kind=event[:60], state="matched", attempts=1, raw={"text": content},
        digest=log.digest(json.dumps(content, sort_keys=True)), reference=payment.order_id if payment else trade_no, at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    faults.point("hook.recorded")
    if event == "OTHER":
        row.state = "ignored"
        return
    if payment is None:
        _unplaced(session, row, "unknown_order", f"We opened no payment {trade_no}")
        return
    row.instance_id, row.patient_id = payment.instance_id, payment.patient_id
    faults.point("hook.recorded")
    if event.startswith("REFUND"):
        _refund(session, row, payment, content)
        return
    _settle(session, row, payment, _STANDING[link.kind](content), notice_id)


def _settle(session: Session, row: MessageLog, payment: Payment, found: Standing, notice_id: str) -> None:
    if found.state == "paid" and found.amount != payment.amount:
        ledger.note(session, payment, "refused", notice_id, source="notification", detail={"amount": found.amount})
        _unplaced(session, row, "other_amount", f"It says {found.amount}, the order is over {payment.amount} {payment.currency}")
        return
    if found.state == "pending":
        row.state = "ignored"
        return
    before = payment.transaction_id
    changed = ledger.settle(session, payment, found.state, transaction_id=found.transaction_id, amount=found.amount, source="notification")
    if not changed and found.state == "paid" and before and found.transaction_id != before:
        _unplaced(session, row, "paid_twice", f"{payment.order_id} was paid by {before} already; this is {found.transaction_id}")
    elif not changed:
        row.state = "duplicate"


def _refund(session: Session, row: MessageLog, payment: Payment, content: dict[str, Any]) -> None:
    """WeChat says which refund and how much of it; Alipay says which refund and how much went back in all."""
    if "refund_fee" in content:
        number, amount = content["out_biz_no"], alipay.fen(content["refund_fee"]) - payment.refunded
        asked = [line.detail for line in ledger.entries(session, payment.id) if line.kind == "ask_refund" and line.reference == f"{number}#1"]
        amount = int(asked[0]["amount"]) if asked and asked[0] else amount
    elif str(content.get("refund_status")) == "SUCCESS":
        number, amount = str(content["out_refund_no"]), int((content.get("amount") or {}).get("refund", 0))
    else:
        row.state = "ignored"
        return
    known = any(line.kind == "refund" and line.reference == number for line in ledger.entries(session, payment.id))
    if known:
        row.state = "duplicate"
    elif amount <= 0 or payment.refunded + amount > payment.amount:
        ledger.note(session, payment, "refused", row.control, source="notification", detail={"amount": amount})
        _unplaced(session, row, "refund_too_large", f"It gives back {amount}; {payment.amount - payment.refunded} of the payment is left")
    else:
        ledger.refund(session, payment, number, amount, source="notification")


def _unplaced(session: Session, row: MessageLog, reason: str, detail: str) -> None:
    worklist.add(session, row, reason, detail)
    row.state, row.error = "unmatched", detail


def _now() -> int:
    return int(clock.now().timestamp())
