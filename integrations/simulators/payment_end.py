"""The payment providers: WeChat Pay's API v3 wire, Alipay's gateway, and a signed JSON gateway for card and insurance."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from werkzeug.wrappers import Request

from integrations.payments import providers, wechat_crypto
from integrations.simulators import wechat_bill
from integrations.simulators.alipay_end import AlipayEnd
from integrations.simulators.desk import Desk, Item
from integrations.simulators.insurance_end import InsuranceEnd
from integrations.simulators.ports import HOST, MERCHANT, PLATFORM_SERIAL, Keys
from integrations.simulators.web import Handler, body_of

Answer = tuple[int, Any]


class PaymentEnd:
    """Orders by out_trade_no, each known once; notifications repeat until they are answered with 200."""

    def __init__(self, desk: Desk, keys: Keys) -> None:
        self._desk, self._keys = desk, keys
        self._platform = wechat_crypto.private_key(keys.platform_private)
        self._merchant = wechat_crypto.public_key(keys.merchant_public)
        self._alipay = AlipayEnd(desk, keys)
        self._insurance = InsuranceEnd(desk)
        self._http = httpx.Client(timeout=10, trust_env=False)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What this end answers to."""
        transactions = r"/v3/pay/transactions"
        return {
            ("POST", transactions + "/native"): self._native,
            ("GET", transactions + r"/out-trade-no/([^/]+)"): self._query,
            ("POST", transactions + r"/out-trade-no/([^/]+)/close"): self._close,
            ("POST", "/v3/refund/domestic/refunds"): self._refund,
            ("GET", r"/v3/refund/domestic/refunds/([^/]+)"): self._refund_query,
            ("GET", "/v3/bill/tradebill"): self._bill,
            ("GET", "/v3/billdownload/file"): self._bill_file,
            **self._alipay.routes(),
            **self._insurance.routes(),
            ("POST", r"/gateway/(\w+)/orders"): self._gateway_order,
            ("GET", r"/gateway/(\w+)/orders/([^/]+)"): self._gateway_query,
            ("POST", r"/gateway/(\w+)/orders/([^/]+)/close"): self._gateway_close,
            ("POST", r"/gateway/(\w+)/refunds"): self._gateway_refund,
            ("GET", r"/gateway/(\w+)/orders/([^/]+)/refunds/([^/]+)"): self._gateway_refund_query,
        }

    def sign(self, text: str) -> dict[str, str]:
        """The platform's signature on an answer."""
        return wechat_crypto.signed_headers(self._platform, PLATFORM_SERIAL, text, int(time.time()))

    def answer(self, item: Item, action: str) -> None:
        """A person (or auto mode) pays or fails to pay; the notification follows, sometimes late, sometimes twice."""
        with self._desk.lock:
            if item.data["state"] != "pending":
                return
            item.data["state"] = "paid" if action == "pay" else "failed"
            if action == "pay":
                item.data["paid_at"] = datetime.now(wechat_bill.BEIJING).strftime("%Y-%m-%d %H:%M:%S")
                item.data["transaction_id"] = "42" + str(int(hashlib.sha256(item.number.encode()).hexdigest(), 16))[:26]
            item.state, item.answer = "answered", action
            luck = self._desk.random
            late = luck.uniform(0.5, 2.0) * self._desk.delay if luck.random() < 0.2 else 0.0
            times = [time.time() + late] + ([time.time() + late + 0.5] if luck.random() < 0.3 else [])
            item.data["notices"] = [{"event": "TRANSACTION", "due": due, "tries": 0} for due in times]
            self._desk.save()

    def deliver(self) -> None:
        """Sends the notifications that are due; those not answered with 200 come again."""
        with self._desk.lock:
            due = [
                (item, notice) for item in self._desk.items.values() for notice in item.data.get("notices", ()) if notice["due"] <= time.time()
            ]
        for item, notice in due:
            delivered = self._notify(item, notice)
            with self._desk.lock:
                notice["tries"] += 1
                if delivered or notice["tries"] > 15:
                    item.data["notices"].remove(notice)
                else:
                    notice["due"] = time.time() + min(60, 2 ** notice["tries"])
                self._desk.save()

    def _notify(self, item: Item, notice: dict[str, Any]) -> bool:
        makers = {"wechat": self._wechat_notice, "alipay": self._alipay_notice}
        body, headers = makers.get(item.end, self._gateway_notice)(item, notice)
        try:
            sent = self._http.post(item.data["notify_url"], content=body.encode(), headers={"Content-Type": "application/json", **headers})
        except httpx.HTTPError:
            return False
        return sent.status_code == 200 and (item.end != "alipay" or sent.text.strip() == "success")

    def _alipay_notice(self, item: Item, notice: dict[str, Any]) -> tuple[str, dict[str, str]]:
        return self._alipay.notice(item, notice if notice["event"] == "REFUND" else None)

    def _wechat_notice(self, item: Item, notice: dict[str, Any]) -> tuple[str, dict[str, str]]:
        refund = notice["event"] == "REFUND"
        content = notice["content"] if refund else self._transaction(item)
        event = "REFUND.SUCCESS" if refund else "TRANSACTION.SUCCESS" if item.data["state"] == "paid" else "TRANSACTION.FAIL"
        body = json.dumps({
            "id": "EV-" + hashlib.sha256(f"{item.number}|{event}|{notice.get('number', '')}".encode()).hexdigest()[:32],
            "create_time": datetime.now(UTC).isoformat(timespec="seconds"), "resource_type": "encrypt-resource", "event_type": event,
            "summary": "", "resource": wechat_crypto.seal(self._keys.api_v3_key, content, "refund" if refund else "transaction"),
        })  # fmt: skip
        return body, self.sign(body)

    def _gateway_notice(self, item: Item, notice: dict[str, Any]) -> tuple[str, dict[str, str]]:
        event = f"PAYMENT.{item.data['state'].upper()}"
        body = json.dumps({"id": f"{item.number}-{event}", "event": event, **self._gateway_state(item)})
        timestamp = str(int(time.time()))
        return body, {"X-Timestamp": timestamp, "X-Signature": providers.gateway_signature(self._keys.shared_key, timestamp, body)}

    # ── WeChat ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _trusted(self, request: Request) -> bool:
        given = dict(re.findall(r'(\w+)="([^"]*)"', request.headers.get("Authorization", "")))
        path = request.full_path if request.query_string else request.path
        lines = (request.method, path, given.get("timestamp", ""), given.get("nonce_str", ""), request.get_data(as_text=True))
        return given.get("mchid") == MERCHANT and wechat_crypto.verified(self._merchant, given.get("signature", ""), *lines)

    def _native(self, request: Request) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        body = body_of(request)
        return self._open("wechat", str(body["out_trade_no"]), int(body["amount"]["total"]), body["description"], body["notify_url"])

    def _query(self, request: Request, number: str) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        item = self._desk.items.get(f"wechat-{number}")
        return _error(404, "ORDER_NOT_EXIST", number) if item is None else (200, self._transaction(item))

    def _close(self, request: Request, number: str) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        item = self._desk.items.get(f"wechat-{number}")
        if item is None:
            return _error(404, "ORDER_NOT_EXIST", number)
        return (204, None) if self._closed(item) else _error(400, "ORDERPAID", "the order is paid")

    def _refund(self, request: Request) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        body = body_of(request)
        item = self._desk.items.get(f"wechat-{body['out_trade_no']}")
        if item is None:
            return _error(404, "RESOURCE_NOT_EXISTS", "no such order")
        number, amount = str(body["out_refund_no"]), int(body["amount"]["refund"])
        if not self._gave_back(item, number, amount):
            return _error(403, "NOT_ENOUGH", "more than was paid")
        made = {
            "refund_id": f"50{write_number(number)}", "out_refund_no": number, "transaction_id": item.data["transaction_id"],
            "out_trade_no": item.number, "status": "SUCCESS", "create_time": datetime.now(UTC).isoformat(timespec="seconds"),
            "amount": {"total": item.data["amount"], "refund": amount, "currency": "CNY"},
        }  # fmt: skip
        with self._desk.lock:
            notice = {
                "event": "REFUND",
                "number": number,
                "due": time.time() + 0.5,
                "tries": 0,
                "content": {**made, "refund_status": "SUCCESS"},
            }
            item.data.setdefault("notices", []).append(notice)
        return 200, made

    def _refund_query(self, request: Request, number: str) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        for item in self._desk.of("wechat"):
            if number in item.data["refunds"]:
                amount = {"total": item.data["amount"], "refund": item.data["refunds"][number], "currency": "CNY"}
                return 200, {"out_refund_no": number, "out_trade_no": item.number, "status": "SUCCESS", "amount": amount}
        return _error(404, "RESOURCE_NOT_EXISTS", "no such refund")

    def _bill(self, request: Request) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        day = request.args["bill_date"]
        if day >= datetime.now(wechat_bill.BEIJING).date().isoformat() and not self._desk.early_bills:
            return _error(400, "NO_STATEMENT_EXIST", "the bill is made after 09:00 of the next day")
        digest = hashlib.sha1(wechat_bill.bill(self._desk, day)).hexdigest()  # noqa: S324  as the real one does
        url = f"http://{HOST}:{request.environ['SERVER_PORT']}/v3/billdownload/file?token={day}"
        return 200, {"hash_type": "SHA1", "hash_value": digest, "download_url": url}

    def _bill_file(self, request: Request) -> Answer:
        if not self._trusted(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        return 200, gzip.compress(wechat_bill.bill(self._desk, request.args["token"]))

    def _transaction(self, item: Item) -> dict[str, Any]:
        states = {"pending": "NOTPAY", "paid": "SUCCESS", "closed": "CLOSED", "failed": "PAYERROR"}
        made = {
            "out_trade_no": item.number, "mchid": MERCHANT, "trade_type": "NATIVE", "trade_state": states[item.data["state"]],
            "amount": {"total": item.data["amount"], "payer_total": item.data["amount"], "currency": "CNY"},
        }  # fmt: skip
        if item.data["state"] == "paid":
            made |= {"transaction_id": item.data["transaction_id"], "success_time": datetime.now(UTC).isoformat(timespec="seconds")}
        return made

    # ── the other channels ───────────────────────────────────────────────────────────────────────────────────────────────

    def _known(self, request: Request) -> bool:
        text, timestamp = request.get_data(as_text=True), request.headers.get("X-Timestamp", "")
        return providers.gateway_signature(self._keys.shared_key, timestamp, text) == request.headers.get("X-Signature")

    def _gateway_order(self, request: Request, channel: str) -> Answer:
        if not self._known(request):
            return _error(401, "SIGN_ERROR", "the signature does not fit")
        body = body_of(request)
        return self._open(channel, str(body["trade_no"]), int(body["amount"]), body["description"], body["notify_url"])

    def _gateway_query(self, request: Request, channel: str, number: str) -> Answer:
        item = self._desk.items.get(f"{channel}-{number}")
        if item is None or not self._known(request):
            return _error(404, "ORDER_NOT_EXIST", number)
        return 200, self._gateway_state(item)

    def _gateway_close(self, request: Request, channel: str, number: str) -> Answer:
        item = self._desk.items.get(f"{channel}-{number}")
        if item is None or not self._known(request):
            return _error(404, "ORDER_NOT_EXIST", number)
        self._closed(item)
        return 200, self._gateway_state(item)

    def _gateway_refund(self, request: Request, channel: str) -> Answer:
        body = body_of(request)
        item = self._desk.items.get(f"{channel}-{body['trade_no']}")
        if item is None or not self._known(request):
            return _error(404, "ORDER_NOT_EXIST", str(body["trade_no"]))
        if not self._gave_back(item, str(body["refund_no"]), int(body["amount"])):
            return _error(422, "NOT_ENOUGH", "more than was paid")
        return 200, {"state": "refunded", "refund_no": body["refund_no"]}

    def _gateway_refund_query(self, request: Request, channel: str, number: str, refund: str) -> Answer:
        item = self._desk.items.get(f"{channel}-{number}")
        if item is None or not self._known(request):
            return _error(404, "ORDER_NOT_EXIST", number)
        return 200, {"state": "refunded" if refund in item.data["refunds"] else "unknown", "refund_no": refund}

    def _gateway_state(self, item: Item) -> dict[str, Any]:
        return {
            "trade_no": item.number, "state": item.data["state"], "amount": item.data["amount"],
            "transaction_id": item.data.get("transaction_id", ""),
        }  # fmt: skip

    # ── what both share ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, end: str, number: str, amount: int, description: str, notify_url: str) -> Answer:
        shown = {"amount": f"¥{amount / 100:.2f}", "description": description}
        data = {"amount": amount, "state": "pending", "notify_url": notify_url, "refunds": {}}
        item = self._desk.add(Item(f"{end}-{number}", end, "payment", number, "waiting", shown, data))
        if item.data["amount"] != amount:
            return _error(409 if end != "wechat" else 400, "OUT_TRADE_NO_USED", "this number was used for another amount")
        return 200, {"code_url": f"weixin://wxpay/bizpayurl?pr={write_number(number)[:9]}" if end == "wechat" else f"pay://{end}/{number}"}

    def _closed(self, item: Item) -> bool:
        with self._desk.lock:
            if item.data["state"] == "pending":
                item.data["state"], item.state, item.answer = "closed", "answered", "closed"
                self._desk.save()
            return bool(item.data["state"] != "paid")

    def _gave_back(self, item: Item, number: str, amount: int) -> bool:
        with self._desk.lock:
            refunds: dict[str, int] = item.data["refunds"]
            if number in refunds:
                return refunds[number] == amount
            if item.data["state"] != "paid" or sum(refunds.values()) + amount > item.data["amount"]:
                return False
            refunds[number] = amount
            item.data.setdefault("refunded_at", {})[number] = datetime.now(wechat_bill.BEIJING).strftime("%Y-%m-%d %H:%M:%S")
            item.shown["refunded"] = f"¥{sum(refunds.values()) / 100:.2f}"
            self._desk.save()
            return True


def write_number(text: str) -> str:
    """A long number that is always the same for the same text."""
    return str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[:24]


def _error(status: int, code: str, message: str) -> Answer:
    return status, {"code": code, "message": message}
