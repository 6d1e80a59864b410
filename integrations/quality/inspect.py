"""Looks at what came in: keeps what broke a rule, once a message, and counts for the scorecard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine import clock
from engine.settings import Settings
from integrations.dictionary import book as dictionary
from integrations.hl7 import read
from integrations.mappings import book as mappings
from integrations.messages import log
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import blind
from integrations.quality import rules as rulebook
from integrations.quality.check import Finding, Known, findings
from integrations.quality.rules import Rule
from integrations.quality.tables import QualityFinding, QualityInspection, QualityValue

_LOST = {  # a message that became no record, by why it is on the work list: what the scorecard counts it as
    "unreadable": "unreadable", "truncated": "unreadable", "too_large": "unreadable", "no_mapping": "unmapped", "unmapped": "unmapped",
}  # fmt: skip
MOST_FINDINGS = 200  # kept of one message; the count is of all


def known(session: Session, settings: Settings, source: str, at: datetime) -> Known:
    """What the rules need to know, read once for many records of a source."""
    codes = {row.key: frozenset(str(r["value"]) for r in mappings.version(session, row.key).body["rows"])
             for row in mappings.listed(session, "codes") if row.latest}  # fmt: skip
    return Known(dictionary.fields(session), codes, _day(settings, at), _memory(session, settings, source, at))


def inspect(
    session: Session,
    settings: Settings,
    source: str,
    records: list[Mapping[str, Any]],
    *,
    message_id: str | None = None,
    about: str = "",
    reference: str = "",
    at: datetime | None = None,
    lost: Iterable[tuple[str, str]] = (),
) -> list[Finding]:
    """Holds records of a source against the rules and keeps the findings, linked to the message. A message is looked at once.

    `lost`: why the message became no record (unreadable, unmapped), with the place; it counts as one record that failed.
    """
    if message_id and session.scalar(select(QualityInspection.id).where(QualityInspection.message_id == message_id)):
        return []
    at = at or clock.now()
    background, demands = known(session, settings, source, at), rulebook.rules(session)
    by_record = [findings(record, demands, background, source=source, about=about) for record in records]
    failed = sum(any(one.rule.severity == "error" for one in found) for found in by_record)
    day, lost = background.today.isoformat(), list(lost)
    row = QualityInspection(
        source=source, message_id=message_id, reference=reference, day=day, records=len(records) + bool(lost), failed=failed + bool(lost), at=at
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.add_all(
        QualityFinding(
            inspection_id=row.id, rule_id=kind, source=source, day=day, kind=kind, field="", place=place[:200], detail="", severity="error"
        )
        for kind, place in lost[:MOST_FINDINGS]
    )
    found = [one for of_record in by_record for one in of_record]
    session.add_all(
        QualityFinding(
            inspection_id=row.id, rule_id=one.rule.id, source=source, day=day, kind=one.rule.kind, field=one.rule.field,
            place=one.place[:200], detail=one.detail[:500], severity=one.rule.severity,
        )
        for one in found[:MOST_FINDINGS]
    )  # fmt: skip
    session.flush()
    return found


def sweep(session: Session, settings: Settings, limit: int = 200) -> int:
    """Looks at inbound messages that were mapped and not looked at yet, oldest first; returns how many."""
    looked = select(QualityInspection.message_id).where(QualityInspection.message_id == MessageLog.id).exists()
    waiting = select(MessageLog).where(MessageLog.direction == "in", MessageLog.state != "stored", ~looked)
    rows = list(session.scalars(waiting.order_by(MessageLog.at, MessageLog.id).limit(limit)))
    for row in rows:
        lost = _lost(session, row)
        inspect(
            session, settings, row.connection, [] if lost else _records(session, settings, row), message_id=row.id, about=row.kind,
            reference=row.reference or "", at=row.at, lost=lost,
        )  # fmt: skip
    return len(rows)


def forget(session: Session, before: datetime) -> None:
    """Deletes the values that were only kept to notice a duplicate."""
    session.execute(delete(QualityValue).where(QualityValue.at < before))


def _lost(session: Session, row: MessageLog) -> list[tuple[str, str]]:
    """Why a message became no record, with the place in it; the value there is the patient's and stays with the message."""
    if row.state != "unmatched":
        return []
    items = session.scalars(select(WorkItem).where(WorkItem.message_id == row.id, WorkItem.reason.in_(_LOST)).order_by(WorkItem.id))
    return [(_LOST[item.reason], item.detail.split(": ")[1] if item.reason == "unmapped" and ": " in item.detail else "") for item in items]


def _records(session: Session, settings: Settings, row: MessageLog) -> list[Mapping[str, Any]]:
    """The mapped records of a message with what we know of their order: when it was sent, and when the result was made."""
    mapped = row.mapped if isinstance(row.mapped, list) else [row.mapped]
    made = []
    for record in mapped:
        if isinstance(record, Mapping):
            order = log.by_reference(session, str(record.get("orderId"))) if record.get("orderId") else None
            times = {"orderedAt": order.at if order else None, "resultedAt": _resulted(settings, row)}
            made.append({**{name: at for name, at in times.items() if at}, **record})
    return made


def _resulted(settings: Settings, row: MessageLog) -> datetime | None:
    """OBR-22, else OBX-14, of an HL7 result; without a zone it is the clinic's."""
    text = str(row.raw.get("text", "")) if isinstance(row.raw, Mapping) else ""
    try:
        message = read.parse(text)
    except read.Unreadable:
        return None
    given = message.get("OBR", 22) or message.get("OBX", 14)
    try:
        return (
            datetime.strptime(given[:14].ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo(settings.clinic_zone)) if given[8:] else None
        )
    except ValueError:
        return None


def _memory(session: Session, settings: Settings, source: str, at: datetime) -> Callable[[Rule, str], bool]:
    """Whether a value came from this source within the rule's days; remembers it as a keyed hash."""
    key = blind.key(settings)

    def seen(rule: Rule, value: str) -> bool:
        digest = blind.digest(key, f"quality {rule.id}", value)
        row = session.scalar(select(QualityValue).filter_by(source=source, rule_id=rule.id, digest=digest))
        if row is None:
            session.add(QualityValue(source=source, rule_id=rule.id, digest=digest, at=at))
            session.flush()
            return False
        again = at - row.at < timedelta(days=int(rule.parameters["days"]))
        row.at = max(row.at, at)
        return again

    return seen


def _day(settings: Settings, at: datetime) -> date:
    return at.astimezone(ZoneInfo(settings.clinic_zone)).date()
