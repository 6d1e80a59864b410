"""Which visits lie behind the demonstration clinic, and how many of them are there already: light enough for every page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Instance
from engine.settings import Settings
from web.demo.people import Patient, patients

DAYS = 14
SWITCHED = 7  # days ago, when internal medicine took up the to-be version
A_DAY = {"internal_medicine": 20, "surgery": 6}  # visits on a weekday
ENOUGH = 250  # a past that was played on another day is not played again
SEED = 20260105
BY = "past"  # who started these visits, so that they can be told from live ones


@dataclass(frozen=True)
class Planned:
    """One visit that is to be played."""

    number: str
    arrival: datetime
    department: str
    arm: str
    patient: Patient


def plan(now: datetime, zone: ZoneInfo, luck: random.Random) -> list[Planned]:
    """The visits of the last two weeks up to yesterday, Sundays closed, Saturdays half; the same for the same seed and day."""
    today = now.astimezone(zone).date()
    people = patients(luck)
    planned = []
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago)
        share = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0)[day.weekday()]
        for department, count in A_DAY.items():
            arm = "to-be" if department == "internal_medicine" and ago <= SWITCHED else "as-is"
            planned += [(arrival, department, arm) for arrival in _arrivals(day, round(count * share), zone, luck)]
    planned.sort()
    return [Planned(f"P{arrival:%Y%m%d}-{n:04d}", arrival, dep, arm, next(people)) for n, (arrival, dep, arm) in enumerate(planned, 1)]


def _arrivals(day: date, count: int, zone: ZoneInfo, luck: random.Random) -> Iterator[datetime]:
    """Most come in the morning, with a smaller wave after lunch."""
    for _ in range(count):
        hour = luck.triangular(8.0, 11.5, 8.6) if luck.random() < 0.68 else luck.triangular(13.5, 16.2, 14.0)
        yield datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(hours=hour)


def progress(session: Session, settings: Settings) -> tuple[int, int] | None:
    """How many past visits are played, and how many it will be; None when they are all there."""
    there = _there(session)
    planned = len(plan(clock.now(), ZoneInfo(settings.clinic_zone), random.Random(SEED)))  # noqa: S311
    return None if there >= min(planned, ENOUGH) else (there, planned)


def _there(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Instance).where(Instance.started_by == BY)) or 0
