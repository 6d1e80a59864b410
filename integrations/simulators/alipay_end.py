"""Alipay's open gateway, simulated: checks the merchant's signature, signs its answers, notifies by a signed form."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request

from integrations.payments import alipay_crypto, wechat_crypto
from integrations.payments.alipay import BEIJING, fen, yuan
from integrations.simulators.desk import Desk, Item
from integrations.simulators.ports import ALIPAY_APP, HOST, Keys
from integrations.simulators.web import Handler

_STATES = {"pending": "WAIT_BUYER_PAY", "paid": "TRADE_SUCCESS", "closed": "TRADE_CLOSED", "failed": "TRADE_CLOSED"}
Answer = dict[str, Any]


class AlipayEnd:
    """Trades by out_trade_no. A trade exists from the scan on: before it, a query says ACQ.TRADE_NOT_EXIST, as the real one does."""

    def __init__(self, desk: Desk, keys: Keys) -> None:
        self._desk = desk
        self._own = wechat_crypto.private_key(keys.platform_private)
        self._merchant = wechat_crypto.public_key(keys.merchant_public)
        self._methods = {
            "alipay.trade.precreate": self._precreate, "alipay.trade.query": self._query, "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund, "alipay.trade.fastpay.refund.query": self._refund_query,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill_url,
        }  # fmt: skip

    def routes(self) -> dict[tuple[str, str], Handler]:
        """The gateway takes forms, and query strings as the public client sends them."""
        return {("POST", "/gateway.do"): self._gateway, ("GET", "/gateway.do"): self._gateway, ("GET", "/alipay/bill"): self._bill}

    def notice(self, item: Item, refund: Mapping[str, Any] | None = None) -> tuple[str, dict[str, str]]:
        """A notification as the form that is posted, and its headers."""
        event = f"{item.number}|{item.data['state']}|{(refund or {}).get('number', '')}"
        parameters = {
            "app_id": ALIPAY_APP, "notify_id": hashlib.md5(event.encode(), usedforsecurity=False).hexdigest(),
            "notify_type": "trade_status_sync", "notify_time": _now(), "charset": "utf-8", "version": "1.0", "sign_type": "RSA2",
            "out_trade_no": item.number, "trade_no": item.data.get("transaction_id", ""), "trade_status": _STATES[item.data["state"]],
            "total_amount": yuan(item.data["amount"]), "subject": item.shown["description"],
        }  # fmt: skip
        if refund:
            parameters |= {"out_biz_no": refund["number"], "refund_fee": yuan(sum(item.data["refunds"].values())), "gmt_refund": _now()}
        parameters["sign"] = alipay_crypto.sign(self._own, alipay_crypto.content(parameters, without=("sign", "sign_type")))
        return urlencode(parameters), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    def _gateway(self, request: Request) -> tuple[int, Any]:
        given = {name: request.values[name] for name in request.values}
        name = given.get("method", "").replace(".", "_") + "_response"
        if given.get("app_id") != ALIPAY_APP or not alipay_crypto.verified(self._merchant, given.get("sign", ""), alipay_crypto.content(given)):
            return 200, self._signed("error_response", _refusal("40002", "isv.invalid-signature", "验签出错"))
        act = self._methods.get(given["method"])
        if act is None:
            return 200, self._signed(name, _refusal("40004", "isv.invalid-method", given["method"]))
        answer = act(json.loads(given["biz_content"]), given, request)
        return 200, self._signed(name, {"code": "10000", "msg": "Success", **answer})

    def _signed(self, name: str, answer: Answer) -> str:
        part = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return f'{{"{name}":{part},"sign":"{alipay_crypto.sign(self._own, part)}"}}'

    def _precreate(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        number, amount = str(content["out_trade_no"]), fen(content["total_amount"])
        data = {"amount": amount, "state": "pending", "notify_url": given.get("notify_url", ""), "refunds": {}, "refunded_at": {}}
        shown = {"amount": f"¥{yuan(amount)}", "description": str(content["subject"])}
        item = self._desk.add(Item(f"alipay-{number}", "alipay", "payment", number, "waiting", shown, data))
        if item.data["amount"] != amount:
            return _refusal("40004", "ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        if item.data["state"] == "paid":
            return _refusal("40004", "ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
        if item.data["state"] != "pending":
            return _refusal("40004", "ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
        return {"out_trade_no": number, "qr_code": f"https://qr.alipay.com/bax{hashlib.sha256(number.encode()).hexdigest()[:20]}"}

    def _trade(self, content: Answer) -> Item | None:
        item = self._desk.items.get(f"alipay-{content.get('out_trade_no')}")
        return None if item is None or (item.data["state"] == "pending" and not item.data.get("scanned")) else item

    def _query(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        item = self._trade(content)
        if item is None:
            return _no_trade()
        return {
            "out_trade_no": item.number, "trade_no": item.data.get("transaction_id", ""), "trade_status": _STATES[item.data["state"]],
            "total_amount": yuan(item.data["amount"]), "buyer_logon_id": "159****5620",
        }  # fmt: skip

    def _close(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        there = self._trade(content)
        with self._desk.lock:
            item = self._desk.items.get(f"alipay-{content.get('out_trade_no')}")
            if item is not None and item.data["state"] == "pending":  # not scanned: the code runs out
                item.data["state"], item.state, item.answer = "closed", "answered", "closed"
                self._desk.save()
        if there is None:
            return _no_trade()
        if there.data["state"] == "paid":
            return _refusal("40004", "ACQ.REASON_TRADE_STATUS_INVALID", "交易状态异常")
        return {"out_trade_no": there.number, "trade_no": there.data.get("transaction_id", "")}

    def _refund(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        item = self._trade(content)
        if item is None:
            return _no_trade()
        number, amount = str(content.get("out_request_no") or content["out_trade_no"]), fen(content["refund_amount"])
        with self._desk.lock:
            refunds: dict[str, int] = item.data["refunds"]
            again = number in refunds
            if again and refunds[number] != amount:
                return _refusal("40004", "ACQ.DISCORDANT_REPEAT_REQUEST", "不一致的请求")
            if item.data["state"] != "paid":
                return _refusal("40004", "ACQ.TRADE_NOT_ALLOW_REFUND", "当前交易不允许退款")
            if not again and sum(refunds.values()) + amount > item.data["amount"]:
                return _refusal("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")
            if not again:
                refunds[number] = amount
                item.data["refunded_at"][number] = _now()
                item.shown["refunded"] = f"¥{yuan(sum(refunds.values()))}"
                item.data.setdefault("notices", []).append({"event": "REFUND", "number": number, "due": time.time() + 0.5, "tries": 0})
                self._desk.save()
        return {
            "out_trade_no": item.number, "trade_no": item.data["transaction_id"], "fund_change": "N" if again else "Y",
            "refund_fee": yuan(sum(refunds.values())),
        }  # fmt: skip

    def _refund_query(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        item = self._trade(content)
        if item is None:
            return _no_trade()
        amount = item.data["refunds"].get(str(content["out_request_no"]))
        if amount is None:
            return {}  # the real one answers success without a single field
        return {
            "out_trade_no": item.number, "out_request_no": content["out_request_no"], "refund_amount": yuan(amount),
            "total_amount": yuan(item.data["amount"]), "refund_status": "REFUND_SUCCESS",
        }  # fmt: skip

    def _bill_url(self, content: Answer, given: Mapping[str, str], request: Request) -> Answer:
        if str(content["bill_date"]) >= _now()[:10] and not self._desk.early_bills:
            return _refusal("40004", "isp.bill_not_exist", "账单不存在")
        port = request.environ["SERVER_PORT"]
        return {"bill_download_url": f"http://{HOST}:{port}/alipay/bill?day={content['bill_date']}&until={int(time.time()) + 30}"}

    def _bill(self, request: Request) -> tuple[int, Any]:
        if int(request.args.get("until", 0)) < time.time():
            return 403, "expired"
        return 200, bill(self._desk, request.args["day"])


HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,"
    "集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


def bill(desk: Desk, day: str) -> bytes:
    """The day's trades as Alipay sends them: GBK CSVs in a zip, ids padded with tabs, refunds negative."""
    rows = []
    for item in desk.of("alipay"):
        paid, number = str(item.data.get("paid_at", "")), item.data.get("transaction_id", "")
        if paid[:10] == day:
            rows.append(_row(number, item, "交易", paid, item.data["amount"], ""))
        for refund, amount in item.data["refunds"].items():
            at = str(item.data["refunded_at"][refund])
            if at[:10] == day:
                rows.append(_row(number, item, "退款", at, -amount, refund))
    head = ["#支付宝业务明细查询", "#账号：[20880000000000010156]", f"#起始日期：[{day}]", "#-----业务明细列表-----", HEADER]
    text = "\n".join([*head, *rows, "#-----业务明细列表结束-----", f"#交易合计：{len(rows)}笔"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        stem = f"20880000000000010156_{day.replace('-', '')}"
        archive.writestr(f"{stem}_业务明细(汇总).csv", "#支付宝业务汇总查询\n".encode("gbk"))
        archive.writestr(f"{stem}_业务明细.csv", text.encode("gbk"))
    return buffer.getvalue()


def _row(number: str, item: Item, kind: str, at: str, amount: int, refund: str) -> str:
    money, fee = f"{amount / 100:.2f}", f"{-round(amount * 0.006) / 100:.2f}"
    what = str(item.shown["description"]).encode("gbk", "replace").decode("gbk").replace(",", "，")
    cells = [f"{number}\t", f"{item.number}\t", kind, what, at, at, "", "", "", "", "a***", money, money, *["0"] * 5, "", "0", "0"]
    return ",".join([*cells, f"{refund}\t" if refund else "", fee, "0", ""])


def _no_trade() -> Answer:
    return _refusal("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在")


def _refusal(code: str, sub_code: str, message: str) -> Answer:
    return {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": message}


def _now() -> str:
    return datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
