"""The two weeks behind the demonstration clinic: visits that ran through the real engine under a shifted clock.

Each visit is played from arrival to exit in one transaction of its own, so that it is there whole or not at all and no worker
ever sees it half-way. Staff are booked on a calendar; what far ends would answer comes from the instant simulators.

    python -m web.demo
"""

from __future__ import annotations

import logging
import random
import threading
import time
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import open_engine, sessions, write_lock
from engine.execution.tables import Instance
from engine.settings import Settings
from integrations import runtime
from integrations.simulators import instant
from web.cli.serve import prepare
from web.demo import live, showcase, wires
from web.demo.journey import Journey
from web.demo.plan import BY, ENOUGH, SEED, plan
from web.demo.roster import Roster

log = logging.getLogger("carelane.past")


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
    days = sorted({visit.arrival.date() for visit in planned})[-2:]
    luck.shuffle(planned)  # both versions and all days fill up together, so that figures can be compared from the first minute
    planned.sort(key=lambda visit: visit.arrival.date() not in days)  # but first what money is compared of
    played = 0
    for visit in planned:
        if days and visit.arrival.date() not in days:
            showcase.reconcile(factory, days)
            days = []
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
        time.sleep(min(1.0, time.monotonic() - began))  # half the time for the people at work
    return played


def main() -> None:
    """Lets today's visits arrive and plays the past of the installation that the environment names."""
    settings = Settings.from_env()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(name)s %(message)s")
    engine = open_engine(settings)
    prepare(settings, engine)
    factory = sessions(engine)
    walkers = threading.Thread(target=wires.walk, args=(factory, settings))
    if waiting := live.begin(factory, settings):
        showcase.show(factory, settings)
        walkers.start()
    log.info("%d visits of today wait", waiting)
    log.info("%d past visits played", play(factory, settings))
