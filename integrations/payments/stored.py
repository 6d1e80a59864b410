"""Stored reconciliation: a day of a connection is compared, kept, cleared by the next day, and stays as it is once signed.

Running a day again over the same sides changes nothing. A new bill for an unsigned day is compared afresh, and the days after it that
are not signed follow, because their carried lines may be others now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound
from integrations.payments import cases, sources
from integrations.payments.bills import BEIJING, Line
from integrations.payments.reconcile import SIDES, Difference, Kind, Report, platform_lines, reconcile
from integrations.payments.tables import Payment, ReconciliationDay, ReconciliationDifference

CORRECTED_DAYS = 40  # how long a decided difference waits for the line that its decision makes


def day_of(at: datetime) -> str:
    """The day (ISO date) to which an instant belongs for the providers."""
    return at.astimezone(BEIJING).date().isoformat()


def yesterday() -> str:
    """The newest day that is over."""
    return day_of(clock.now() - timedelta(days=1))


def span(day: str) -> tuple[datetime, datetime]:
    """Begin and end of a day."""
    begin = datetime.combine(date.fromisoformat(day), datetime.min.time(), BEIJING).astimezone(UTC)
    return begin, begin + timedelta(days=1)


def get(session: Session, day_id: str) -> ReconciliationDay:
    """The day, or NotFound."""
    found = session.get(ReconciliationDay, day_id)
    if found is None:
        raise NotFound
    return found


def find(session: Session, day: str, connection: str) -> ReconciliationDay | None:
    """The day of a connection, when it was run."""
    return session.scalar(select(ReconciliationDay).filter_by(day=day, connection=connection))


def differences(session: Session, row: ReconciliationDay) -> list[ReconciliationDifference]:
    """A day's differences in the order of their keys."""
    query = select(ReconciliationDifference).filter_by(day_id=row.id).order_by(ReconciliationDifference.key, ReconciliationDifference.line)
    return list(session.scalars(query))


def opened(session: Session, day: str, connection: str, *, by: str) -> ReconciliationDay:
    """The day's row, made on first asking."""
    row = find(session, day, connection)
    if row is None:
        row = ReconciliationDay(day=day, connection=connection, state="waiting", ran=clock.now(), ran_by=by)
        session.add(row)
        session.flush()
    return row


def wait(session: Session, day: str, connection: str, why: str, *, by: str) -> ReconciliationDay:
    """Notes why a day cannot be compared yet. A day that was compared stays as it is."""
    row = opened(session, day, connection, by=by)
    if row.state == "waiting":
        row.error, row.ran, row.ran_by = why[:500], clock.now(), by
        session.flush()
    return row


def run(session: Session, day: str, connection: str, *, by: str) -> ReconciliationDay:
    """Compares a day with the files that are kept for it. Raises Conflict for a signed day whose sides are others now."""
    row = opened(session, day, connection, by=by)
    begin, end = span(day)
    own = {
        "his": sources.his(session, row, begin, end),
        "platform": platform_lines(session, begin, end, connection),
        "provider": sources.provider(session, row),
    }
    carried = _carried(session, row, own)
    rate = sources.fee_rate(session, connection)
    digest = _digest(own, carried, rate)
    if row.digest == digest:
        return row
    if row.signed_at is not None:
        raise Conflict(f"{day} was signed by {row.signed_by}; what is compared now is something else.")
    _later_days_allow_it(session, row)
    report = reconcile(**own, day_end=end, carried=carried, fee_rate=rate)
    row.sides = _sides(own, carried)
    row.classes = _classes(report)
    row.digest, row.state, row.error, row.ran, row.ran_by = digest, "open", None, clock.now(), by
    session.flush()
    _store(session, row, report, by)
    _clear(session, row, report, carried)
    session.flush()
    following = find(session, (date.fromisoformat(day) + timedelta(days=1)).isoformat(), connection)
    if following is not None and following.state != "waiting":
        run(session, following.day, connection, by=by)
    return row


def _later_days_allow_it(session: Session, row: ReconciliationDay) -> None:
    query = select(ReconciliationDay).where(
        ReconciliationDay.connection == row.connection, ReconciliationDay.day > row.day, ReconciliationDay.signed_at.is_not(None)
    )
    later = session.scalars(query.order_by(ReconciliationDay.day)).first()
    if later is not None and row.digest:
        raise Conflict(f"{later.day} is signed already, and it stands on {row.day}.")


# ── what is carried in ───────────────────────────────────────────────────────────────────────────────────────────────────


def _carried(session: Session, row: ReconciliationDay, own: Mapping[str, list[Line]]) -> list[Difference]:
    """The day before's cases of the day's cut, and decided differences whose correction arrives on this day."""
    first = date.fromisoformat(row.day)
    query = (
        select(ReconciliationDifference, ReconciliationDay.day)
        .join(ReconciliationDay, ReconciliationDay.id == ReconciliationDifference.day_id)
        .where(
            ReconciliationDay.connection == row.connection, ReconciliationDay.day < row.day,
            ReconciliationDay.day >= (first - timedelta(days=CORRECTED_DAYS)).isoformat(),
        )
        .order_by(ReconciliationDay.day, ReconciliationDifference.key)
    )  # fmt: skip
    yesterday = (first - timedelta(days=1)).isoformat()
    here = {(line.kind, line.key) for lines in own.values() for line in lines}
    found: dict[tuple[str, str], Difference] = {}
    for item, day in session.execute(query):
        elsewhere = item.cleared_day is not None and item.cleared_day != row.day
        cut = item.kind == "CROSS_DAY" and day == yesterday
        corrected = item.action == "repost" and (item.line, item.key) in here
        if not elsewhere and (cut or corrected):
            found[item.line, item.key] = _difference(item)
    return list(found.values())


def _difference(item: ReconciliationDifference) -> Difference:
    sides = [tuple(_line(item, cells) for cells in item.lines.get(side, ())) for side in SIDES]
    kind: Kind = "CROSS_DAY"
    return Difference(kind, item.line, item.key, *sides)


def _line(item: ReconciliationDifference, cells: Iterable[Any]) -> Line:
    amount, at, fee, transaction = cells
    return Line(item.line, item.key, int(amount), datetime.fromisoformat(str(at)), int(fee), str(transaction))


def _cells(line: Line) -> list[Any]:
    return [line.amount, line.at.isoformat(), line.fee, line.transaction_id]


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _digest(own: Mapping[str, list[Line]], carried: list[Difference], rate: Decimal | None) -> str:
    made = hashlib.sha256(f"{rate}".encode())
    for side in SIDES:
        rows = [*sorted(_row(line) for line in own[side]), side, *sorted(_row(line) for item in carried for line in getattr(item, side))]
        made.update("\n".join(rows).encode())
    return made.hexdigest()


def _row(line: Line) -> str:
    return f"{line.kind}|{line.key}|{line.amount}|{line.at.timestamp():.0f}|{line.fee}|{line.transaction_id}"


def _money(lines: Iterable[Line]) -> int:
    return sum(-line.amount if line.kind == "refund" else line.amount for line in lines)


def _sides(own: Mapping[str, list[Line]], carried: Iterable[Difference]) -> dict[str, Any]:
    """Each side's own lines and money, and what was carried in."""
    made: dict[str, Any] = {}
    for side, lines in own.items():
        old = [line for item in carried for line in getattr(item, side)]
        paid, back = [x for x in lines if x.kind == "pay"], [x for x in lines if x.kind == "refund"]
        made[side] = {
            "lines": len(lines), "paid": _money(paid), "refunded": -_money(back), "net": _money(lines),
            "carried_lines": len(old), "carried": _money(old),
        }  # fmt: skip
    return made


def _classes(report: Report) -> dict[str, Any]:
    totals = {side: report.totals(side) for side in SIDES}
    return {kind: {"count": count, **{side: totals[side].get(kind, 0) for side in SIDES}} for kind, count in sorted(report.counts().items())}


def balanced(row: ReconciliationDay) -> bool:
    """Whether the classes add up to each side's own money and what was carried in."""
    return all(sum(found[side] for found in row.classes.values()) == row.sides[side]["net"] + row.sides[side]["carried"] for side in row.sides)


def _store(session: Session, row: ReconciliationDay, report: Report, by: str) -> None:
    known = {(item.line, item.key): item for item in differences(session, row)}
    payments = _payments(session, report)
    for found in report.differences:
        if found.kind == "MATCH":
            continue
        old = known.pop((found.line, found.key), None)
        values = _values(found)
        if old is not None and all(getattr(old, name) == value for name, value in values.items()):
            continue
        if old is not None:
            cases.withdraw(session, old, "the sides are others now", by=by)
        item = old or ReconciliationDifference(day_id=row.id, line=found.line, key=found.key)
        for name, value in values.items():
            setattr(item, name, value)
        item.state, item.action, item.reason, item.decided, item.decided_by, item.cleared_day = "open", None, None, None, None, None
        payment = payments.get(found.key)
        item.payment_id = payment
        session.add(item)
        session.flush()
        cases.judge(session, item)
    for gone in known.values():  # a new bill explains it
        cases.withdraw(session, gone, "a new file explains it", by=by)
        session.delete(gone)


def _values(found: Difference) -> dict[str, Any]:
    lines = {side: [_cells(line) for line in getattr(found, side)] for side in SIDES}
    amounts = {side: found.amount(side) if getattr(found, side) else None for side in SIDES}
    return {"kind": found.kind, "lines": lines, **amounts}


def _payments(session: Session, report: Report) -> dict[str, str]:
    """Our payment behind each key that is no match: by its own number, or by the refund's line in the ledger."""
    keys = sorted({item.key for item in report.differences if item.kind != "MATCH"})
    found: dict[str, str] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        found |= dict(session.execute(select(Payment.trade_no, Payment.id).where(Payment.trade_no.in_(part))).all())
        found |= sources.refunded_payments(session, part)
    return found


def _clear(session: Session, row: ReconciliationDay, report: Report, carried: Iterable[Difference]) -> None:
    """Tells the days before what became of what they handed on."""
    now = {(item.line, item.key): item.kind for item in report.differences}
    for old in carried:
        query = (
            select(ReconciliationDifference)
            .join(ReconciliationDay, ReconciliationDay.id == ReconciliationDifference.day_id)
            .where(
                ReconciliationDay.connection == row.connection, ReconciliationDay.day < row.day,
                ReconciliationDifference.line == old.line, ReconciliationDifference.key == old.key,
            )
            .order_by(ReconciliationDay.day.desc())
        )  # fmt: skip
        item = session.scalars(query).first()
        if item is None:
            continue
        matched = now[old.line, old.key] == "MATCH"
        if item.state in ("carried", "cleared", "moved"):
            item.state = "cleared" if matched else "moved"
        item.cleared_day = row.day if matched else None
