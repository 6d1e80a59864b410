"""The scorecard: a row a source and day, made by the worker; findings stay behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.settings import Settings
from integrations.quality import inspect
from integrations.quality.tables import QualityFinding, QualityInspection, QualityScore

KEEP_VALUES = timedelta(days=366)


def make(session: Session, day: str) -> list[QualityScore]:
    """Makes or renews the rows of one day from what was looked at; doing it again gives the same."""
    looked = select(
        QualityInspection.source, func.sum(QualityInspection.records), func.sum(QualityInspection.failed)
    ).where(QualityInspection.day == day).group_by(QualityInspection.source)  # fmt: skip
    made = []
    for source, records, failed in session.execute(looked).all():
        counted = select(QualityFinding.kind, QualityFinding.severity, func.count()).where(
            QualityFinding.day == day, QualityFinding.source == source
        ).group_by(QualityFinding.kind, QualityFinding.severity)  # fmt: skip
        rows = session.execute(counted).all()
        row = session.scalar(select(QualityScore).where(QualityScore.source == source, QualityScore.day == day))
        if row is None:
            row = QualityScore(source=source, day=day)
            session.add(row)
        row.records, row.failed = int(records), int(failed)
        row.warnings = sum(n for _, severity, n in rows if severity == "warning")
        row.counts = {kind: sum(n for other, _, n in rows if other == kind) for kind in sorted({kind for kind, _, _ in rows})}
        row.made = clock.now()
        made.append(row)
    session.flush()
    return made


def tend(session: Session, settings: Settings, limit: int = 200) -> int:
    """What the worker does now and then: looks at new messages, renews the days that changed, forgets old values.

    Yesterday's row is final once a later day has begun and every message of it was looked at. Returns how many messages it took.
    """
    taken = inspect.sweep(session, settings, limit)
    for day in _stale(session):
        make(session, day)
    if taken:
        inspect.forget(session, clock.now() - KEEP_VALUES)
    return taken


def days(session: Session, last: str, count: int = 14) -> list[QualityScore]:
    """The rows of the last `count` days up to `last`, oldest first."""
    first = (datetime.fromisoformat(last) - timedelta(days=count - 1)).date().isoformat()
    query = select(QualityScore).where(QualityScore.day >= first, QualityScore.day <= last)
    return list(session.scalars(query.order_by(QualityScore.source, QualityScore.day)))


def found(session: Session, source: str, day: str, kind: str = "", limit: int = 200) -> Sequence[tuple[QualityFinding, QualityInspection]]:
    """The findings behind a row, newest first, each with its inspection, which names the message."""
    query = (
        select(QualityFinding, QualityInspection)
        .join(QualityInspection, QualityInspection.id == QualityFinding.inspection_id)
        .where(QualityFinding.source == source, QualityFinding.day == day)
    )
    if kind:
        query = query.where(QualityFinding.kind == kind)
    return [(row[0], row[1]) for row in session.execute(query.order_by(QualityFinding.id.desc()).limit(limit))]


def today(settings: Settings) -> str:
    """The clinic's day."""
    return clock.now().astimezone(ZoneInfo(settings.clinic_zone)).date().isoformat()


def _stale(session: Session) -> list[str]:
    """Days on which something was looked at after their row was made, or that have none."""
    latest = select(QualityInspection.day, func.sum(QualityInspection.records)).group_by(QualityInspection.day)
    made = session.execute(select(QualityScore.day, func.sum(QualityScore.records)).group_by(QualityScore.day))
    scored = {row[0]: row[1] for row in made}
    return [day for day, records in session.execute(latest) if scored.get(day) != records]
