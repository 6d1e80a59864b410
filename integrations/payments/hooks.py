"""Notifications of payment providers: verified, opened, recorded once, handed to the instance that waits."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import write_lock
from engine.errors import Forbidden, NotFound
from integrations.connections import book
from integrations.connections.book import Link
from integrations.messages import log, worklist
from integrations.messages.tables import MessageLog
from integrations.payments import ledger, providers, wechat_crypto
from integrations.payments.providers import Standing
from integrations.payments.tables import Payment

WINDOW_SECONDS = 300


def receive(session: Session, connection: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Takes a notification for a connection and gives the HTTP status and JSON body to answer with.

    A forged, changed or stale one gives 401 and changes nothing. A replay gives 200 and changes nothing. What we cannot place
    (an unknown order, another amount) gives 200, is kept, and goes to the work list. The caller commits.
    """
    write_lock(session)
    row = book.find(session, connection)
    if row is None or row.kind not in ("wechat", "gateway"):
        raise NotFound
    link = book.copy(row)
    try:
        notice = _wechat(link, headers, body) if link.kind == "wechat" else _gateway(link, headers, body)
    except Forbidden as error:
        return 401, {"code": "FAIL", "message": error.message}
    except (ValueError, KeyError, TypeError):
        return 400, {"code": "FAIL", "message": "The notification cannot be read."}
    _take(session, link, *notice)
    return 200, {"code": "SUCCESS", "message": ""}


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
    if payment is None:
        _unplaced(session, row, "unknown_order", f"We opened no payment {trade_no}")
        return
    row.instance_id, row.patient_id = payment.instance_id, payment.patient_id
    faults.point("hook.recorded")
    if event.startswith("REFUND"):
        _refund(session, payment, content)
        return
    found = providers.standing(content) if link.kind == "wechat" else providers.gateway_standing(content)
    _settle(session, row, payment, found, notice_id)


def _settle(session: Session, row: MessageLog, payment: Payment, found: Standing, notice_id: str) -> None:
    if found.state == "paid" and found.amount != payment.amount:
        ledger.note(session, payment, "refused", notice_id, source="notification", detail={"amount": found.amount})
        _unplaced(session, row, "other_amount", f"It says {found.amount}, the order is over {payment.amount} {payment.currency}")
        return
    if found.state == "pending":
        row.state = "ignored"
        return
    changed = ledger.settle(session, payment, found.state, transaction_id=found.transaction_id, amount=found.amount, source="notification")
    if not changed:
        row.state = "duplicate"


def _refund(session: Session, payment: Payment, content: dict[str, Any]) -> None:
    if str(content.get("refund_status")) == "SUCCESS":
        amount = int((content.get("amount") or {}).get("refund", 0))
        ledger.refund(session, payment, str(content["out_refund_no"]), amount, source="notification")


def _unplaced(session: Session, row: MessageLog, reason: str, detail: str) -> None:
    worklist.add(session, row, reason, detail)
    row.state, row.error = "unmatched", detail


def _now() -> int:
    return int(clock.now().timestamp())
