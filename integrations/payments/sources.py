"""Where the sides of a reconciliation come from: files that are kept, the HIS's acknowledged postings, a query of the HIS."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, ConnectorFailed
from integrations.connections import book
from integrations.messages.tables import MessageLog
from integrations.payments import bills, providers
from integrations.payments.bills import BillUnreadable, Line
from integrations.payments.tables import Payment, PaymentEntry, ReconciliationDay, ReconciliationFile

READERS: Mapping[str, Callable[[bytes], list[Line]]] = {"wechat": bills.wechat, "alipay": bills.alipay}
COLUMNS = ("kind", "number", "amount", "time")


def reader(session: Session, connection: str) -> Callable[[bytes], list[Line]]:
    """How the bill of a connection is read: by its wire, or as our own plain table."""
    row = book.find(session, connection)
    return READERS.get(row.kind if row else "", plain)


def fee_rate(session: Session, connection: str) -> Decimal | None:
    """The contract's fee, where the connection says it."""
    row = book.find(session, connection)
    rate = (row.address if row else {}).get("fee_rate")
    return None if rate is None else Decimal(str(rate))


def keep(session: Session, day: ReconciliationDay, side: str, content: bytes, *, by: str) -> None:
    """Keeps a side's file. Raises BillUnreadable when it is none, Conflict when the day is signed."""
    (reader(session, day.connection) if side == "provider" else plain)(content)
    digest = hashlib.sha256(content).hexdigest()
    row = session.scalar(select(ReconciliationFile).filter_by(day_id=day.id, side=side))
    if row is not None and row.digest == digest:
        return
    if day.signed_at is not None:
        raise Conflict(f"{day.day} is signed by {day.signed_by}; its files stay as they are.")
    if row is None:
        row = ReconciliationFile(day_id=day.id, side=side)
        session.add(row)
    row.digest, row.content, row.at, row.by = digest, gzip.compress(content, mtime=0), clock.now(), by
    session.flush()


def has_bill(session: Session, day: ReconciliationDay) -> bool:
    """Whether the provider's file of a day is kept already."""
    return session.scalar(select(ReconciliationFile.id).filter_by(day_id=day.id, side="provider")) is not None


def provider(session: Session, day: ReconciliationDay) -> list[Line]:
    """The provider's side. Raises BillUnreadable while no bill is kept."""
    kept = _kept(session, day, "provider")
    if kept is None:
        raise BillUnreadable("There is no bill of that day yet.")
    return reader(session, day.connection)(kept)


def his(session: Session, day: ReconciliationDay, begin: datetime, end: datetime) -> list[Line]:
    """The HIS's side: the file that was given for the day; without one, what the HIS acknowledged to us (DFT^P03)."""
    kept = _kept(session, day, "his")
    return list(acknowledged(session, begin, end, day.connection)) if kept is None else plain(kept)


def _kept(session: Session, day: ReconciliationDay, side: str) -> bytes | None:
    packed = session.scalar(select(ReconciliationFile.content).filter_by(day_id=day.id, side=side))
    return None if packed is None else gzip.decompress(packed)


def acknowledged(session: Session, begin: datetime, end: datetime, connection: str) -> Iterator[Line]:
    """The postings that the HIS acknowledged between two instants, of payments through a connection."""
    query = (
        select(MessageLog, Payment)
        .join(Payment, Payment.id == MessageLog.reference)
        .where(
            MessageLog.direction == "out", MessageLog.kind == "DFT^P03", MessageLog.state == "answered", MessageLog.at >= begin,
            MessageLog.at < end, Payment.connection == connection,
        )
        .order_by(MessageLog.at, MessageLog.id)
    )  # fmt: skip
    for message, payment in session.execute(query):
        for line in str(message.sent or "").replace("\n", "\r").split("\r"):
            cells = line.split("|")
            if cells[0] == "FT1" and cells[6] == "PY":
                amount = bills.fen(re.split("[&^]", cells[11])[0], 1)
                kind, key = ("pay", payment.trade_no) if amount >= 0 else ("refund", cells[2])
                yield Line(kind, key, abs(amount), message.at, 0, message.control)


def plain(content: bytes) -> list[Line]:
    """A table of ours for whoever has no format of their own: kind (pay, refund), number, amount (yuan), time (Beijing).

    CSV in UTF-8 or GB18030, with a header; other columns are left alone. Raises BillUnreadable naming the line that is wrong.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", "replace")
    rows = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(rows, [])]
    if not set(COLUMNS) <= set(header):
        raise BillUnreadable(f"The first line must name the columns {', '.join(COLUMNS)}.")
    places = [header.index(name) for name in COLUMNS]
    found = []
    for line, cells in enumerate(rows, 2):
        if not cells:
            continue
        if len(cells) <= max(places):
            raise BillUnreadable(f"Line {line}: it has fewer cells than the header.")
        kind, number, amount, time = (cells[place].strip() for place in places)
        if kind not in ("pay", "refund") or not number:
            raise BillUnreadable(f"Line {line}: kind is pay or refund, and number is not empty.")
        found.append(Line(kind, number, abs(bills.fen(amount, line)), bills.moment(time, line)))
    return found


def refunded_payments(session: Session, numbers: list[str]) -> dict[str, str]:
    """The payment behind each refund number that our ledger knows."""
    query = select(PaymentEntry.reference, PaymentEntry.payment_id).where(PaymentEntry.kind == "refund", PaymentEntry.reference.in_(numbers))
    return dict(session.execute(query).all())


def fetched(link: book.Link, day: str) -> bytes:
    """The provider's bill over its wire. Raises ConnectorFailed; transient while it is not made yet."""
    content = providers.provider(link).bill(day)
    if not content:
        raise ConnectorFailed(f"{link.name} gave an empty bill.", kind="transient")
    return content
