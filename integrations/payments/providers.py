"""The providers' wires behind one shape: order, query, close, refund."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import httpx

from engine import clock
from engine.errors import BpmnError, ConnectorFailed, Forbidden
from integrations import http
from integrations.connections.book import Link
from integrations.payments import wechat_crypto

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands at the provider. `state`: pending, paid, failed or closed."""

    state: str
    transaction_id: str = ""
    amount: int = 0


class Provider(Protocol):
    """A payment provider. Every call may be repeated: the provider knows our numbers."""

    kind: str

    def order(self, trade_no: str, amount: int, currency: str, description: str) -> dict[str, Any]:
        """Opens the order; gives `code_url` where the patient scans one."""

    def query(self, trade_no: str) -> Standing:
        """How the order stands."""

    def close(self, trade_no: str) -> Standing:
        """Closes an unpaid order; an order that was paid meanwhile stays paid."""

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """Sends money back: refunded, processing or failed."""


def provider(link: Link) -> Provider:
    """The wire of a connection."""
    makers: dict[str, type[WeChat | Gateway]] = {"wechat": WeChat, "gateway": Gateway}
    if link.kind not in makers:
        raise ConnectorFailed(f"The connection {link.name} is no payment provider ({link.kind}).", kind="permanent")
    return makers[link.kind](link)


_REFUSALS = frozenset(
    ("NOT_ENOUGH", "NOTENOUGH", "RULE_LIMIT", "TRADE_ERROR", "ACCOUNT_ERROR", "USER_ACCOUNT_ABNORMAL", "ORDER_CLOSED", "OUT_TRADE_NO_USED")
)
_STATES = {"SUCCESS": "paid", "REFUND": "paid", "NOTPAY": "pending", "USERPAYING": "pending", "CLOSED": "closed", "REVOKED": "closed"}


@dataclass(frozen=True)
class WeChat:
    """WeChat Pay API v3, Native payment."""

    link: Link
    kind = "wechat"

    def order(self, trade_no: str, amount: int, currency: str, description: str) -> dict[str, Any]:
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
        return {"SUCCESS": "refunded", "PROCESSING": "processing"}.get(str(answer.get("status")), "failed")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        text = "" if body is None else json.dumps(body, ensure_ascii=False)
        key = wechat_crypto.private_key(self.link.secrets["private_key"])
        headers = {**JSON, "Authorization": wechat_crypto.authorization(
            key, merchant=str(self.link.address["mchid"]), serial=str(self.link.address["serial"]), method=method, path=path, body=text,
            timestamp=int(clock.now().timestamp()),
        )}  # fmt: skip
        answer = http.request(self.link, method, path, headers=headers, content=text.encode(), repeatable=True)
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
    """A JSON gateway signed with a shared key: how the simulated Alipay, card and insurance ends are reached."""

    link: Link
    kind = "gateway"

    def order(self, trade_no: str, amount: int, currency: str, description: str) -> dict[str, Any]:
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
