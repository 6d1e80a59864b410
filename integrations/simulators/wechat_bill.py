"""WeChat Pay's bill of a day, as the real one writes it: UTF-8 with a BOM, every cell behind a backtick, amounts in yuan."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from integrations.simulators.desk import Desk, Item
from integrations.simulators.ports import APP, MERCHANT

BEIJING = ZoneInfo("Asia/Shanghai")
HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


def bill(desk: Desk, day: str) -> bytes:
    """The ALL bill of a day (ISO date, Beijing)."""
    rows, paid, back = [], 0, 0
    for item in desk.of("wechat"):
        if str(item.data.get("paid_at", ""))[:10] == day:
            rows.append(_row(item, item.data["paid_at"], item.data["amount"], ""))
            paid += item.data["amount"]
        for number, amount in item.data["refunds"].items():
            if item.data["refunded_at"][number][:10] == day:
                rows.append(_row(item, item.data["refunded_at"][number], amount, number))
                back += amount
    total = [str(len(rows)), _yuan(paid), _yuan(back), "0.00", "0.00", _yuan(paid), _yuan(back)]
    lines = [HEADER, *(",".join(f"`{cell}" for cell in row) for row in rows), SUMMARY, ",".join(f"`{cell}" for cell in total)]
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode()


def _row(item: Item, at: str, amount: int, refund: str) -> list[str]:
    pay, back = ("0.00", _yuan(amount)) if refund else (_yuan(amount), "0.00")
    return [
        at, APP, MERCHANT, "0", "", item.data["transaction_id"], item.number, "o1", "NATIVE", "REFUND" if refund else "SUCCESS", "OTHERS",
        "CNY", pay, "0.00", f"50{refund}" if refund else "0", refund or "0", back, "0.00", "ORIGINAL" if refund else "",
        "SUCCESS" if refund else "", str(item.shown["description"]).replace(",", "，"), "", "0.00", "0.60%", pay, back, "",
    ]  # fmt: skip


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
