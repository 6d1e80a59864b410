"""Visits of today that wait at various steps, so that every role of the demonstration has something to do at once."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import write_lock
from engine.execution.tables import Instance
from engine.rollout import routing
from engine.settings import Settings
from integrations import runtime
from integrations.simulators import instant
from web.demo.journey import Journey
from web.demo.people import Patient, patients
from web.demo.plan import Planned
from web.demo.roster import Roster
from web.visits.begin import PROCESS, next_number

BY = "demo"
AT_WINDOW = {"channel": "cash"}
REFERRED = {"nextStep": "refer", "disposition": "refer"}


@dataclass(frozen=True)
class Wanted:
    """A visit that is to wait for somebody: for how long already, and how long it was under way before, roughly."""

    role: str
    department: str
    waited: int  # minutes
    before: int = 0  # minutes
    said: dict[str, str] = field(default_factory=dict)


WANTED = (
    Wanted("doctor", "internal_medicine", 6, 7), Wanted("triage_nurse", "surgery", 3, 2), Wanted("registrar", "paediatrics", 1),
    Wanted("cashier", "ent", 4, 31, AT_WINDOW), Wanted("lab_technician", "internal_medicine", 8, 29), Wanted("pharmacist", "surgery", 5, 152),
    Wanted("imaging_technician", "orthopaedics", 9, 72), Wanted("doctor", "surgery", 11, 7), Wanted("referral_coordinator", "gynaecology", 12, 250, REFERRED),
    Wanted("triage_nurse", "internal_medicine", 7, 2), Wanted("registrar", "ent", 2), Wanted("doctor", "paediatrics", 2, 7),
    Wanted("cashier", "surgery", 9, 31, AT_WINDOW), Wanted("lab_technician", "paediatrics", 3, 49),
)  # fmt: skip
TRIES = 3  # patients that may come until one needs what is wanted: not everybody is sent to imaging
SICK = (0.75, 0.2, 0.45, 0.3)  # how ill they are, so that acuities differ


class OnDuty(Roster):
    """Staff at every hour: a demonstration may be started at night."""

    def _on_duty(self, moment: datetime) -> datetime:
        return moment


def begin(factory: sessionmaker[Session], settings: Settings) -> int:
    """Lets today's visits arrive that are not there yet, one in a transaction; returns how many wait."""
    zone = ZoneInfo(settings.clinic_zone)
    people = patients(random.Random(f"{clock.now().astimezone(zone):%Y%m%d}"))  # noqa: S311 - invented patients
    with factory() as session:
        if _are_there(session, zone):
            return 0
    waiting = 0
    for number, wanted in enumerate(WANTED):
        for _ in range(TRIES):
            patient = replace(next(people), sickness=SICK[number % len(SICK)])
            with factory() as session:
                write_lock(session)
                if _arrives(session, zone, wanted, patient):
                    session.commit()
                    waiting += 1
                    break
        time.sleep(0.2)  # time for the people at work
    return waiting


def _are_there(session: Session, zone: ZoneInfo) -> bool:
    midnight = clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    query = select(Instance.id).where(Instance.started_by == BY, Instance.started >= midnight)
    return session.scalars(query.limit(1)).first() is not None


def _arrives(session: Session, zone: ZoneInfo, wanted: Wanted, patient: Patient) -> bool:
    """Plays one visit until it waits for the role; False when it never does, or would do so only later than now."""
    arm = routing.route(session, PROCESS, wanted.department).version_tag or "as-is"
    arrival = clock.now() - timedelta(minutes=wanted.waited + wanted.before)
    visit = Planned(next_number(session, zone.key), arrival, wanted.department, arm, patient)
    luck = random.Random(patient.id_card)  # noqa: S311 - no secret
    with runtime.within(session), instant.answering(luck.randrange(10**6)) as far:
        journey = Journey(session, OnDuty(zone), far, luck)
        journey.said = dict(wanted.said)
        task = journey.play_until(visit, wanted.role, BY)
    return task is not None and task.created <= clock.now()
