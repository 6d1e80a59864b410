"""The providers' wires behind one shape: order, query, close, refund."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx

from engine import clock
from engine.errors import BpmnError, ConnectorFailed, Forbidden
from integrations import http
from integrations.connections.book import Link
from integrations.payments import wechat_crypto
from integrations.payments.alipay import Alipay
from integrations.payments.intents import Intents
from integrations.payments.wire import Provider, Standing

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def provider(link: Link) -> Provider:
    """The wire of a connection."""
    makers: dict[str, Callable[[Link], Provider]] = {"wechat": WeChat, "alipay": Alipay, "intents": Intents, "gateway": Gateway}
    if link.kind not in makers:
        raise ConnectorFailed(f"The connection {link.name} is no payment provider ({link.kind}).", kind="permanent")
    return makers[link.kind](link)


_REFUSALS = frozenset(
    ("NOT_ENOUGH", "NOTENOUGH", "RULE_LIMIT", "TRADE_ERROR", "ACCOUNT_ERROR", "USER_ACCOUNT_ABNORMAL", "ORDER_CLOSED", "OUT_TRADE_NO_USED")
)
_REFUNDS = {"SUCCESS": "refunded", "PROCESSING": "processing"}
_STATES = {"SUCCESS": "paid", "REFUND": "paid", "NOTPAY": "pending", "USERPAYING": "pending", "CLOSED": "closed", "REVOKED": "closed"}


@dataclass(frozen=True)
class WeChat:
    """WeChat Pay API v3, Native payment."""

    link: Link
    kind = "wechat"

    def order(self, trade_no: str, amount: int, currency: str, description: str, card_token: str = "") -> dict[str, Any]:
        """POST /v3/pay/transactions/native."""
        return self._ask("POST", "/v3/pay/transactions/native", {
            "appid": self.link.address["appid"], "mchid": self.link.address["mchid"], "description": description[:127],
            "out_trade_no": trade_no, "notify_url": self.link.address["notify_url"], "amount": {"total": amount, "currency": currency},
        })  # fmt: skip

    def query(self, trade_no: str) -> Standing:
        """GET /v3/pay/transactions/out-trade-no/{out_trade_no}."""
        return standing(self._ask("GET", f"/v3/pay/transactions/out-trade-no/{trade_no}?mchid={self.link.address['mchid']}"))

    def close(self, trade_no: str) -> Standing:
        """POST …/close; ORDERPAID means that the money came first."""
        try:
            self._ask("POST", f"/v3/pay/transactions/out-trade-no/{trade_no}/close", {"mchid": self.link.address["mchid"]})
        except _AlreadyPaid:
            return self.query(trade_no)
        return Standing("closed")

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """POST /v3/refund/domestic/refunds."""
        answer = self._ask("POST", "/v3/refund/domestic/refunds", {
            "out_trade_no": trade_no, "out_refund_no": refund_no, "reason": reason[:80], "notify_url": self.link.address["notify_url"],
            "amount": {"refund": amount, "total": total, "currency": currency},
        })  # fmt: skip
        return _REFUNDS.get(str(answer.get("status")), "failed")

    def refund_state(self, trade_no: str, refund_no: str) -> str:
        """GET /v3/refund/domestic/refunds/{out_refund_no}."""
        try:
            return _REFUNDS.get(str(self._ask("GET", f"/v3/refund/domestic/refunds/{refund_no}").get("status")), "failed")
        except ConnectorFailed as error:
            if "RESOURCE_NOT_EXISTS" not in error.message:
                raise
            return "unknown"

    def bill(self, day: str) -> bytes:
        """GET /v3/bill/tradebill, then its download address; the file is believed by its SHA1."""
        try:
            told = self._ask("GET", f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP")
        except ConnectorFailed as error:
            ready = not any(code in error.message for code in ("STATEMENT_CREATING", "NO_STATEMENT_EXIST"))
            raise ConnectorFailed(error.message, kind=error.kind if ready else "transient") from error
        place = urlsplit(str(told["download_url"]))
        path = f"{place.path}?{place.query}"
        packed = http.request(self.link, "GET", path, headers=self._headers("GET", path, "")).content
        content = gzip.decompress(packed)
        if hashlib.sha1(content).hexdigest() != str(told["hash_value"]).lower():  # noqa: S324  the hash that WeChat gives
            raise ConnectorFailed(f"{self.link.name}: the bill was changed on the way.", kind="transient")
        return content

    def _headers(self, method: str, path: str, text: str) -> dict[str, str]:
        key = wechat_crypto.private_key(self.link.secrets["private_key"])
        return {**JSON, "Authorization": wechat_crypto.authorization(
            key, merchant=str(self.link.address["mchid"]), serial=str(self.link.address["serial"]), method=method, path=path, body=text,
            timestamp=int(clock.now().timestamp()),
        )}  # fmt: skip

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        text = "" if body is None else json.dumps(body, ensure_ascii=False)
        answer = http.request(self.link, method, path, headers=self._headers(method, path, text), content=text.encode(), repeatable=True)
        if answer.status_code >= 400:
            self._refused(answer)
        self._check(answer)
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def _check(self, answer: httpx.Response) -> None:
        """Only an answer that the platform signed is believed."""
        platform = wechat_crypto.public_key(self.link.secrets["platform_public_key"])
        try:
            wechat_crypto.check_platform(
                platform, str(self.link.address["platform_serial"]), answer.headers, answer.text, int(clock.now().timestamp())
            )
        except Forbidden as error:
            raise ConnectorFailed(f"{self.link.name}: the answer is not believed. {error.message}", kind="transient") from error

    def _refused(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        code, message = str(body.get("code", answer.status_code)), str(body.get("message", ""))
        if code in ("ORDERPAID", "ORDER_PAID"):
            raise _AlreadyPaid(code, message)
        if code in _REFUSALS:
            raise BpmnError("FAR_END_REFUSED", f"{self.link.name} refused: {code} {message}", {"refusal": code})
        kind = "transient" if code in ("SYSTEM_ERROR", "FREQUENCY_LIMITED", "BANK_ERROR") else "permanent"
        raise ConnectorFailed(f"{self.link.name} answered {code}: {message}", kind=kind)  # type: ignore[arg-type]


class _AlreadyPaid(BpmnError):
    """The order was paid already."""


def standing(body: dict[str, Any]) -> Standing:
    """A WeChat transaction as ours."""
    amount = body.get("amount") or {}
    return Standing(_STATES.get(str(body.get("trade_state")), "failed"), str(body.get("transaction_id", "")), int(amount.get("total", 0)))


@dataclass(frozen=True)
class Gateway:
    """A JSON gateway signed with a shared key: how the simulated card and insurance ends are reached."""

    link: Link
    kind = "gateway"

    def order(self, trade_no: str, amount: int, currency: str, description: str, card_token: str = "") -> dict[str, Any]:
        """POST /orders."""
        body = {"trade_no": trade_no, "amount": amount, "currency": currency, "description": description}
        return self._ask("POST", "/orders", {**body, "notify_url": self.link.address["notify_url"]}, trade_no)

    def query(self, trade_no: str) -> Standing:
        """GET /orders/{trade_no}."""
        return gateway_standing(self._ask("GET", f"/orders/{trade_no}"))

    def close(self, trade_no: str) -> Standing:
        """POST /orders/{trade_no}/close answers with how the order stands then."""
        return gateway_standing(self._ask("POST", f"/orders/{trade_no}/close", {}, f"close-{trade_no}"))

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """POST /refunds."""
        body = {"trade_no": trade_no, "refund_no": refund_no, "amount": amount, "total": total, "currency": currency, "reason": reason}
        return str(self._ask("POST", "/refunds", body, refund_no).get("state", "failed"))

    def refund_state(self, trade_no: str, refund_no: str) -> str:
        """GET /orders/{trade_no}/refunds/{refund_no}."""
        return str(self._ask("GET", f"/orders/{trade_no}/refunds/{refund_no}").get("state", "unknown"))

    def bill(self, day: str) -> bytes:
        """Such a gateway has none: its file is given by hand."""
        raise ConnectorFailed(f"{self.link.name} gives no bill; upload its file.", kind="permanent")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        text = "" if body is None else json.dumps(body, ensure_ascii=False)
        timestamp = str(int(clock.now().timestamp()))
        path = str(self.link.address.get("prefix", "")) + path
        headers = {**JSON, "X-Timestamp": timestamp, "X-Signature": gateway_signature(self.link.secrets["shared_key"], timestamp, text)}
        if key:
            headers["Idempotency-Key"] = key
        answer = http.request(self.link, method, path, headers=headers, content=text.encode(), repeatable=True)
        found: dict[str, Any] = answer.json() if answer.content else {}
        if answer.status_code in (402, 409, 422):
            raise BpmnError("FAR_END_REFUSED", f"{self.link.name} refused: {found.get('message', answer.status_code)}", {"refusal": found})
        if answer.status_code >= 400:
            raise ConnectorFailed(f"{self.link.name} answered {answer.status_code}: {found.get('message', '')}", kind="permanent")
        return found


def gateway_signature(key: str, timestamp: str, body: str) -> str:
    """HMAC-SHA256 over timestamp and body."""
    return hmac.new(key.encode(), f"{timestamp}\n{body}".encode(), sha256).hexdigest()


def gateway_standing(body: dict[str, Any]) -> Standing:
    """A gateway's order as ours."""
    return Standing(str(body.get("state", "failed")), str(body.get("transaction_id", "")), int(body.get("amount", 0)))
