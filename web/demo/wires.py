"""Visits of today whose people are played and whose calls are not: the worker sends them over the wires to the simulated far ends.

They give the pages about connections, messages and data quality something true to show.
"""

from __future__ import annotations

import logging
import random
import time
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import write_lock
from engine.errors import CarelaneError
from engine.execution import instances
from engine.execution.tables import Instance, Task
from engine.rollout import routing
from engine.settings import Settings
from integrations.simulators import instant
from web.demo.journey import Journey
from web.demo.live import BY, OnDuty
from web.demo.people import patients
from web.demo.plan import Planned
from web.visits.begin import PROCESS, next_number

log = logging.getLogger("carelane.past")

WALKED = (("internal_medicine", "wechat"), ("surgery", "alipay"), ("orthopaedics", "wechat"))  # department, how the patient pays
LONGEST = timedelta(minutes=10)  # a visit that takes longer is left to whoever works there
PAUSE = 1.0  # seconds between two looks
THOUGHT = timedelta(seconds=8)  # for which a task lies: far ends answer sooner, and some tasks are for when they do not


class Walk(Journey):
    """People do their tasks at once; calls are the worker's."""

    def begin(self, visit: Planned, by: str = BY) -> Instance:
        """The patient arrives, in no arm of the comparison: nobody is seen as fast as people who are played."""
        return instances.start(
            self.session, PROCESS, {"arrival": "walk_in"}, version_tag=visit.arm, business_key=visit.number, department=visit.department,
            actor=by,
        )  # fmt: skip

    def _look(self) -> None:
        """Plans nothing: who is waited for is seen in `step`."""

    def step(self, row: Instance, visit: Planned) -> None:
        """Lets people do what is open for them."""
        self.row, self.visit = row, visit
        ready = (Task.state == "open", Task.assignee.is_(None), Task.created < clock.now() - THOUGHT)
        for task in self.session.scalars(select(Task).where(Task.instance_id == row.id, *ready)):
            _, who = self.roster.book(task.role, visit.department, clock.now(), 1)
            self._claim(task.id, who)
            self._complete(task.id, who)


def walk(factory: sessionmaker[Session], settings: Settings) -> int:
    """Walks today's visits through together; returns how many came to their end."""
    zone = ZoneInfo(settings.clinic_zone)
    people = patients(random.Random(f"wires {clock.now():%Y%m%d}"))  # noqa: S311 - invented patients
    under_way: dict[str, tuple[Planned, str]] = {}
    until, ended = clock.now() + LONGEST, 0
    for department, channel in WALKED:
        with factory() as session:
            write_lock(session)
            arm = routing.route(session, PROCESS, department).version_tag or "as-is"
            visit = Planned(next_number(session, zone.key), clock.now(), department, arm, next(people))
            under_way[_walker(session, zone, visit, channel).begin(visit).id] = (visit, channel)
            session.commit()
    while under_way and clock.now() < until:
        time.sleep(PAUSE)
        for key, (visit, channel) in list(under_way.items()):
            try:
                still = _goes_on(factory, zone, key, visit, channel)
            except CarelaneError as error:  # somebody else was faster: the next look sees what is left
                log.info("a visit over the wires waits: %s", type(error).__name__)
                continue
            if not still:
                del under_way[key]
                ended += 1
    return ended


def _goes_on(factory: sessionmaker[Session], zone: ZoneInfo, key: str, visit: Planned, channel: str) -> bool:
    with factory() as session:
        write_lock(session)
        row = session.get_one(Instance, key)
        if row.state == "running":
            _walker(session, zone, visit, channel).step(row, visit)
        session.commit()
        return row.state == "running"


def _walker(session: Session, zone: ZoneInfo, visit: Planned, channel: str) -> Walk:
    walker = Walk(session, OnDuty(zone), instant.FarEnds(1), random.Random(visit.number))  # noqa: S311 - no secret
    walker.said = {"channel": channel}
    return walker
