"""What the money pages show: days with their state, a day's classes and differences, the table to take away."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Task
from integrations.connections import book
from integrations.connections.tables import Connection
from integrations.payments import cases
from integrations.payments.reconcile import SIDES
from integrations.payments.tables import ReconciliationDay, ReconciliationDifference
from integrations.payments.upkeep import KINDS as WIRES
from web.accounts.tables import Account, AccountRole

DAYS = 31
SHOWN = 200  # differences on one page
FRESH = timedelta(days=1)  # how long a difference may wait before it is late


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of one connection in the list. `rag`: signed, green, amber, red or waiting."""

    row: ReconciliationDay
    rag: str
    undecided: int
    found: int


def rag(row: ReconciliationDay, undecided: int) -> str:
    """The state of a day as a colour."""
    if row.state in ("signed", "waiting"):
        return row.state
    if not undecided:
        return "green"
    return "amber" if clock.now() - row.ran < FRESH else "red"


def days(session: Session) -> list[tuple[str, list[DayRow]]]:
    """The newest days, each with its connections."""
    newest = select(ReconciliationDay.day).distinct().order_by(ReconciliationDay.day.desc()).limit(DAYS)
    query = (
        select(ReconciliationDay).where(ReconciliationDay.day.in_(newest)).order_by(ReconciliationDay.day.desc(), ReconciliationDay.connection)
    )
    rows = list(session.scalars(query))
    counts: dict[str, dict[str, int]] = {}
    counted = (
        select(ReconciliationDifference.day_id, ReconciliationDifference.state, func.count())
        .where(ReconciliationDifference.day_id.in_([row.id for row in rows]))
        .group_by(ReconciliationDifference.day_id, ReconciliationDifference.state)
    )
    for day_id, state, count in session.execute(counted):
        counts.setdefault(day_id, {})[state] = count
    made = [_row(row, counts.get(row.id, {})) for row in rows]
    return [(day, list(items)) for day, items in groupby(made, key=lambda item: item.row.day)]


def _row(row: ReconciliationDay, states: dict[str, int]) -> DayRow:
    undecided = states.get("open", 0)
    return DayRow(row, rag(row, undecided), undecided, sum(states.values()))


def connections(session: Session) -> list[Connection]:
    """The connections that money goes through."""
    return [row for row in book.listed(session) if row.kind in WIRES]


def titles(session: Session) -> dict[str, dict[str, str]]:
    """Each connection's name by language."""
    return {row.name: row.title or {"en": row.name, "zh": row.name} for row in connections(session)}


def report(session: Session, row: ReconciliationDay, kind: str) -> dict[str, Any]:
    """Everything on the page of a day; `kind` shows one class only."""
    query = select(ReconciliationDifference).filter_by(day_id=row.id)
    if kind:
        query = query.filter_by(kind=kind)
    ordered = query.order_by(ReconciliationDifference.state != "open", ReconciliationDifference.kind, ReconciliationDifference.key)
    items = list(session.scalars(ordered.limit(SHOWN)))
    undecided = cases.undecided(session, row)
    total = session.scalar(select(func.count()).select_from(query.subquery()))
    return {
        "day": row, "rag": rag(row, undecided), "undecided": undecided, "items": items, "total": total, "kind": kind, "SIDES": SIDES,
        "steps": steps(session, items), "feasible": {item.id: cases.feasible(item) for item in items},
        "suggested": {item.id: cases.suggested(item) for item in items}, "owners": owners(session), "titles": titles(session),
    }  # fmt: skip


def steps(session: Session, items: list[ReconciliationDifference]) -> dict[str, str]:
    """At which step the process of each difference waits for a person; nothing while it is being done."""
    query = select(Task.instance_id, Task.element_id).where(Task.instance_id.in_([item.instance_id for item in items]), Task.state == "open")
    waiting = dict(session.execute(query).all())
    return {item.id: waiting.get(item.instance_id or "", "") if item.instance_id else "Task_Assign" for item in items}


def owners(session: Session) -> list[Account]:
    """Who can answer for a difference."""
    query = select(Account).join(AccountRole, AccountRole.account_id == Account.id).where(AccountRole.role.in_(("cashier", "process_owner")))
    return list(session.scalars(query.distinct().order_by(Account.login)))


COLUMNS = ("kind", "line", "key", "his", "platform", "provider", "state", "owner", "action", "reason", "decided_by", "cleared_day")


def table(row: ReconciliationDay, items: list[dict[str, Any]]) -> str:
    """The day as CSV: totals by class, then each difference; amounts in yuan. A signed day gives what was signed."""
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(["day", "connection", "state", "signed_by", "signed_at", "digest"])
    digest = (row.signed or {}).get("digest", "")
    write.writerow([row.day, row.connection, row.state, row.signed_by or "", row.signed_at.isoformat() if row.signed_at else "", digest])
    write.writerow([])
    write.writerow(["class", "count", *SIDES])
    for kind, found in row.classes.items():
        write.writerow([kind, found["count"], *(_yuan(found[side]) for side in SIDES)])
    write.writerow(["own", "", *(_yuan(row.sides.get(side, {}).get("net")) for side in SIDES)])
    write.writerow(["carried in", "", *(_yuan(row.sides.get(side, {}).get("carried")) for side in SIDES)])
    write.writerow([])
    write.writerow(COLUMNS)
    for item in items:
        write.writerow([_yuan(item[name]) if name in SIDES else _harmless(item[name]) for name in COLUMNS])
    return "\ufeff" + out.getvalue()


def _yuan(fen: int | None) -> str:
    return "" if fen is None else f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _harmless(value: Any) -> str:
    """A spreadsheet takes what begins so for a formula, and numbers of orders come from outside."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
