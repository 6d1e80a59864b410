"""Reads the providers' daily bills as they send them.

WeChat: UTF-8 CSV (maybe with a BOM), every cell of the data prefixed with a backtick, amounts in yuan; columns are found by their
header, since older files have others. https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-trade.html
Alipay: a zip of GBK CSVs, four `#` lines before the header, ids padded with tabs, refunds as negative rows.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

from engine.errors import CarelaneError

BEIJING = timezone(timedelta(hours=8))  # no summer time since 1991; a fixed offset is quick over a hundred thousand lines
MOST_BYTES = 200 * 1024 * 1024


class BillUnreadable(CarelaneError):
    """Not a bill that we know."""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of money on one side. `key` is our order number for a payment, our refund number for a refund.

    `amount` in minor units is positive for a payment and for a refund alike; `kind` tells them apart.
    """

    kind: str  # pay, refund
    key: str
    amount: int
    at: datetime
    fee: int = 0
    transaction_id: str = ""


def wechat(content: bytes) -> list[Line]:
    """The lines of WeChat's ALL bill. Raises BillUnreadable naming the line that is wrong."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    header = next(rows, [])
    if "商户订单号" not in header or "交易状态" not in header:
        raise BillUnreadable("The first line is not the header of WeChat's bill.")
    found: list[Line] = []
    for number, cells in enumerate(rows, 2):
        if not cells or not cells[0].startswith("`"):
            break  # the summary follows
        row = dict(zip(header, (cell.removeprefix("`").strip() for cell in cells), strict=False))
        found.extend(_wechat_line(row, number))
    return found


def _wechat_line(row: dict[str, str], number: int) -> Iterator[Line]:
    at, fee = moment(row["交易时间"], number), fen(row.get("手续费", "0"), number)
    if row["交易状态"] in ("REFUND", "REVOKED"):
        amount = row.get("申请退款金额") or row.get("退款金额", "0")
        yield Line("refund", row["商户退款单号"] or row["商户订单号"], abs(fen(amount, number)), at, fee, row.get("微信退款单号", ""))
    elif row["交易状态"] == "SUCCESS":
        amount = row.get("订单金额") or row.get("应结订单金额") or row.get("总金额", "0")
        yield Line("pay", row["商户订单号"], fen(amount, number), at, fee, row.get("微信订单号", ""))


def alipay(content: bytes) -> list[Line]:
    """The lines of Alipay's trade bill, from its zip. Raises BillUnreadable naming the line that is wrong."""
    for text in _unzipped(content):
        lines = text.splitlines()
        start = next((i for i, line in enumerate(lines) if not line.startswith("#") and "商户订单号" in line and "业务类型" in line), None)
        if start is not None:
            return list(_alipay_lines(lines[start:], start + 1))
    raise BillUnreadable("The zip holds no list of trades (业务明细).")


def _alipay_lines(lines: list[str], first: int) -> Iterator[Line]:
    rows = csv.reader(lines)
    header = [cell.strip() for cell in next(rows)]
    for number, cells in enumerate(rows, first + 1):
        if not cells or cells[0].startswith("#"):
            return
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        amount, fee = fen(row["订单金额（元）"], number), fen(row.get("服务费（元）", "0"), number)
        at = moment(row["完成时间"] or row["创建时间"], number)
        if row["业务类型"] == "退款" or amount < 0:
            yield Line("refund", row["退款批次号/请求号"] or row["商户订单号"], abs(amount), at, fee, row["支付宝交易号"])
        else:
            yield Line("pay", row["商户订单号"], amount, at, fee, row["支付宝交易号"])


def _unzipped(content: bytes) -> Iterable[str]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise BillUnreadable("Alipay's bill is a zip; this is none.") from error
    with archive:
        members = archive.infolist()
        if len(members) > 20 or sum(member.file_size for member in members) > MOST_BYTES:
            raise BillUnreadable("The zip holds more than a bill.")
        for member in members:
            yield archive.read(member).decode("gb18030")


def fen(text: str, line: int) -> int:
    """Yuan as text to fen; refuses what is no whole number of fen."""
    try:
        fen = Decimal(text.replace(",", "") or "0") * 100
    except InvalidOperation as error:
        raise BillUnreadable(f"Line {line}: {text!r} is no amount.") from error
    if fen != fen.to_integral_value():
        raise BillUnreadable(f"Line {line}: {text!r} is no whole number of fen.")
    return int(fen)


def moment(text: str, line: int) -> datetime:
    """Beijing time, as both providers write it."""
    try:
        return datetime.fromisoformat(text if len(text) == 19 and text[10] == " " else "").replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError as error:
        raise BillUnreadable(f"Line {line}: {text!r} is no time.") from error
