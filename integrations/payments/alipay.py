"""Alipay's open gateway: one address, form parameters, RSA2 signatures both ways.

https://opendocs.alipay.com/open/02ekfg (precreate), 02ekfh (query), 02o6e7 (close), 02ekfk (refund), 02ekfl (refund query), 02fkbc (bill)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from engine import clock
from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.payments import alipay_crypto
from integrations.payments.wechat_crypto import private_key, public_key
from integrations.payments.wire import Standing

BEIJING = ZoneInfo("Asia/Shanghai")
_STATES = {"WAIT_BUYER_PAY": "pending", "TRADE_SUCCESS": "paid", "TRADE_FINISHED": "paid", "TRADE_CLOSED": "closed"}
_AGAIN = ("20000", "ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error")  # the far end's own spelling


def yuan(fen: int) -> str:
    """Fen as Alipay writes amounts: yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def fen(text: Any) -> int:
    """Alipay's yuan as fen."""
    return int(Decimal(str(text or "0")) * 100)


@dataclass(frozen=True)
class Alipay:
    """Alipay, precreate: the patient scans a code. The trade exists at Alipay from the scan on, not before."""

    link: Link
    kind = "alipay"

    def order(self, trade_no: str, amount: int, currency: str, description: str, card_token: str = "") -> dict[str, Any]:
        """alipay.trade.precreate; the code dies after `expires` of the connection (15m)."""
        answer = self._ask("alipay.trade.precreate", {
            "out_trade_no": trade_no, "total_amount": yuan(amount), "subject": description[:127],
            "qr_code_timeout_express": str(self.link.address.get("expires", "15m")),
        }, notify_url=str(self.link.address["notify_url"]))  # fmt: skip
        return {"code_url": answer["qr_code"]}

    def query(self, trade_no: str) -> Standing:
        """alipay.trade.query; a trade that does not exist was not scanned yet."""
        try:
            return standing(self._ask("alipay.trade.query", {"out_trade_no": trade_no}))
        except _NoTrade:
            return Standing("pending")

    def close(self, trade_no: str) -> Standing:
        """alipay.trade.close. Nothing to close is closed; what cannot be closed is asked how it stands."""
        try:
            self._ask("alipay.trade.close", {"out_trade_no": trade_no})
        except _NoTrade:
            return Standing("closed")
        except _NotNow:
            return self.query(trade_no)
        return Standing("closed")

    def refund(self, trade_no: str, refund_no: str, amount: int, total: int, currency: str, reason: str) -> str:
        """alipay.trade.refund; out_request_no makes a repeated request the same refund."""
        answer = self._ask("alipay.trade.refund", {
            "out_trade_no": trade_no, "out_request_no": refund_no, "refund_amount": yuan(amount), "refund_reason": reason[:200],
        })  # fmt: skip
        # fund_change N is said of a repeated request too: only the query tells whether the money went back
        return "refunded" if answer.get("fund_change") == "Y" else self.refund_state(trade_no, refund_no)

    def refund_state(self, trade_no: str, refund_no: str) -> str:
        """alipay.trade.fastpay.refund.query."""
        try:
            answer = self._ask("alipay.trade.fastpay.refund.query", {"out_trade_no": trade_no, "out_request_no": refund_no})
        except _NoTrade:
            return "unknown"
        if not answer.get("refund_amount"):
            return "unknown"
        return {"REFUND_SUCCESS": "refunded", "": "refunded"}.get(str(answer.get("refund_status", "")), "processing")

    def bill(self, day: str) -> bytes:
        """alipay.data.dataservice.bill.downloadurl.query, then the address that it gives, which lives for 30 seconds."""
        answer = self._ask("alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": day})
        place = urlsplit(str(answer["bill_download_url"]))
        own = urlsplit(str(self.link.address["url"]))
        hosts = (own.hostname, *self.link.address.get("bill_hosts", ("dwbillcenter.alipay.com",)))
        if place.hostname not in hosts:
            raise ConnectorFailed(f"{self.link.name}: the bill lies on {place.hostname}, which bill_hosts does not name.", kind="permanent")
        there = Link(self.link.name, self.link.kind, {**self.link.address, "url": f"{place.scheme}://{place.netloc}"})
        found = http.request(there, "GET", f"{place.path}?{place.query}")
        if found.status_code != 200:
            raise ConnectorFailed(f"{self.link.name}: the bill's address answered {found.status_code}.", kind="transient")
        return found.content

    def _ask(self, method: str, content: dict[str, Any], **more: str) -> dict[str, Any]:
        parameters = {
            "app_id": str(self.link.address["app_id"]), "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
            "timestamp": clock.now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"), "version": "1.0",
            "biz_content": json.dumps(content, ensure_ascii=False), **more,
        }  # fmt: skip
        parameters["sign"] = alipay_crypto.sign(private_key(self.link.secrets["private_key"]), alipay_crypto.content(parameters))
        answer = http.request(
            self.link, "POST", str(self.link.address.get("path", "/gateway.do")), content=urlencode(parameters).encode(), repeatable=True,
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
        )  # fmt: skip
        return self._believed(answer.text, method.replace(".", "_") + "_response")

    def _believed(self, text: str, name: str) -> dict[str, Any]:
        """The answer under `name`, when Alipay's signature belongs to it. Raises by its code."""
        try:
            whole = json.loads(text)
        except ValueError as error:
            raise ConnectorFailed(f"{self.link.name} answered no JSON.", kind="transient") from error
        part = alipay_crypto.signed_part(text, name)
        if not part:  # refused before it was read: no signature of ours can be on that
            refused = whole.get("error_response") or {}
            raise ConnectorFailed(f"{self.link.name} refused: {refused.get('sub_code')} {refused.get('sub_msg', '')}", kind="permanent")
        if not alipay_crypto.verified(public_key(self.link.secrets["platform_public_key"]), str(whole.get("sign", "")), part):
            raise ConnectorFailed(f"{self.link.name}: the answer is not believed, its signature is wrong.", kind="transient")
        found: dict[str, Any] = json.loads(part)
        if found.get("code") != "10000":
            self._refused(found)
        return found

    def _refused(self, found: dict[str, Any]) -> None:
        code = str(found.get("sub_code") or found.get("code"))
        text = f"{self.link.name} refused: {code} {found.get('sub_msg', '')}"
        if code == "ACQ.TRADE_NOT_EXIST":
            raise _NoTrade(code, text)
        if code in ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"):
            raise _NotNow("FAR_END_REFUSED", text, {"refusal": code})
        if code in _AGAIN or found.get("code") == "20000":
            raise ConnectorFailed(text, kind="transient")
        if "bill_not_exist" in code.lower():
            raise ConnectorFailed(text, kind="transient")
        if code.startswith("ACQ."):
            raise BpmnError("FAR_END_REFUSED", text, {"refusal": code})
        raise ConnectorFailed(text, kind="permanent")


class _NoTrade(BpmnError):
    """Alipay knows no such trade: nobody scanned it."""


class _NotNow(BpmnError):
    """The trade is in a state that does not allow it."""


def standing(body: dict[str, Any]) -> Standing:
    """An Alipay trade (an answer or a notification) as ours."""
    return Standing(_STATES.get(str(body.get("trade_status")), "failed"), str(body.get("trade_no", "")), fen(body.get("total_amount")))
