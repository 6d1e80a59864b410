"""The two weeks behind the demonstration clinic: visits that ran through the real engine under a shifted clock.

Each visit is played from arrival to exit in one transaction of its own, so that it is there whole or not at all and no worker
ever sees it half-way. Staff are booked on a calendar; what far ends would answer comes from the instant simulators.

    python -m web.demo
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import open_engine, sessions, write_lock
from engine.execution.tables import Instance
from engine.settings import Settings
from integrations import runtime
from integrations.simulators import instant
from web.cli.serve import prepare
from web.demo.journey import Journey
from web.demo.people import Patient, patients
from web.demo.roster import Roster

log = logging.getLogger("carelane.past")
PROCESS = "outpatient_visit"
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


def play(factory: sessionmaker[Session], settings: Settings) -> int:
    """Plays what is planned and not there yet; returns how many visits were played. It may be stopped and started again."""
    zone = ZoneInfo(settings.clinic_zone)
    luck = random.Random(SEED)  # noqa: S311 - a demonstration must look the same twice
    with factory() as session:
        there = set(session.scalars(select(Instance.business_key).where(Instance.started_by == BY)))
    if len(there) >= ENOUGH:
        return 0
    roster = Roster(zone)
    planned = plan(clock.now(), zone, luck)
    luck.shuffle(planned)  # both versions and all days fill up together, so that figures can be compared from the first minute
    played = 0
    for visit in planned:
        if visit.number in there:
            continue
        began = time.monotonic()
        with factory() as session:
            write_lock(session)
            luck = random.Random(visit.number)  # noqa: S311
            with runtime.within(session), instant.answering(luck.randrange(10**6)) as far:
                Journey(session, roster, far, luck).play(visit)
            session.commit()
        played += 1
        if played % 50 == 0:
            log.info("%d of %d past visits played", played, len(planned))
        time.sleep(min(0.3, time.monotonic() - began))  # time for the people at work
    return played


def progress(session: Session, settings: Settings) -> tuple[int, int] | None:
    """How many past visits are played, and how many it will be; None when they are all there."""
    there = _there(session)
    planned = len(plan(clock.now(), ZoneInfo(settings.clinic_zone), random.Random(SEED)))  # noqa: S311
    return None if there >= min(planned, ENOUGH) else (there, planned)


def _there(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Instance).where(Instance.started_by == BY)) or 0


def main() -> None:
    """Plays the past of the installation that the environment names."""
    settings = Settings.from_env()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(name)s %(message)s")
    engine = open_engine(settings)
    prepare(settings, engine)
    log.info("%d past visits played", play(sessions(engine), settings))
