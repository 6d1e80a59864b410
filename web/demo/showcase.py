"""What else lies about in a clinic that has been at work: something to retry, to decide, to place, to sign. Put there once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import write_lock
from engine.errors import ConnectorFailed
from engine.execution import jobs
from engine.execution.tables import Incident, Job
from engine.rollout import routing
from engine.settings import Settings
from integrations import runtime
from integrations.hl7 import inbound, write
from integrations.mappings import book as mappings
from integrations.patients import index
from integrations.payments import cases, sources, stored
from integrations.payments.bills import BEIJING, Line
from integrations.payments.reconcile import platform_lines
from integrations.simulators import alipay_end, instant, wechat_bill
from integrations.simulators.desk import Desk, Item
from web.demo.journey import Journey
from web.demo.live import BY, OnDuty
from web.demo.people import Patient, patients
from web.demo.plan import Planned
from web.visits.begin import PROCESS, next_number

BILLS = {"wechat": wechat_bill.bill, "alipay": alipay_end.bill}  # the connections that web/demo/setup.py holds
MISSED = "wechat"  # whose newest day the HIS has missed a posting of
SEXES = {"rows": [{"code": "1", "value": "male"}, {"code": "2", "value": "female"}, {"code": "9", "value": "unknown"}], "otherwise": None}
FIELDS = {
    "format": "json",
    "expression": '{\n  "name": XM,\n  "sex": $code("his.sex", XB),\n  "birthDate": $date(CSRQ),\n  "idCard": SFZH,\n  "phone": DH\n}\n',
}  # the columns as a hospital's view of its patients names them


def show(factory: sessionmaker[Session], settings: Settings) -> None:
    """Puts what a newcomer is to find, each once, in short transactions."""
    people = patients(random.Random("showcase"))  # noqa: S311 - invented patients
    for part in (_mappings, _twice, _messages, _stopped):
        with factory() as session:
            write_lock(session)
            with runtime.within(session):
                part(session, settings, people=[next(people) for _ in range(3)])
            session.commit()


def _mappings(session: Session, settings: Settings, people: list[Patient]) -> None:
    """A hospital's columns and codes, beside the dictionary."""
    if any(row.key == "his.sex" for row in mappings.listed(session)):
        return
    mappings.create(session, "his.sex", "codes", name_en="Sex in the HIS", name_zh="HIS 性别代码", by=BY, body=SEXES)
    mappings.publish(session, "his.sex", comment="GB/T 2261.1", by=BY)
    mappings.create(session, "his.patient", "fields", name_en="Patient in the HIS", name_zh="HIS 患者", by=BY, body=FIELDS)
    mappings.publish(session, "his.patient", comment="as shipped", by=BY)


def _twice(session: Session, settings: Settings, people: list[Patient]) -> None:
    """Two people who were registered a second time without their card: the worker finds the pairs, a registrar decides."""
    for person, digit in zip(people, "07", strict=False):
        body = {"name": person.name, "sex": person.sex, "birthDate": person.birth_date.isoformat(), "phone": person.phone}
        if index.find(session, settings, {**body, "idCard": person.id_card}):
            return
        index.save(session, settings, {**body, "idCard": person.id_card})
        index.save(session, settings, body if digit == "0" else {**body, "name": person.name[0] + person.name[-1]})


def _messages(session: Session, settings: Settings, people: list[Patient]) -> None:
    """What the laboratory sends and nobody waits for: a person finds its place. One unit is of the old days."""
    at = write.timestamp(clock.now(), settings.clinic_zone)
    for number, (person, unit) in enumerate(zip(people, ("g/dL", "gm%"), strict=False), 1):
        control = f"LIS{at[:8]}{number}"
        lines = (
            f"MSH|^~\\&|LIS|HOSPITAL|CARELANE|CLINIC|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1|||||CHN|UNICODE UTF-8",
            f"PID|1||{880000 + number}^^^HOSPITAL^MR||{person.name[0]}^{person.name[1:]}||{person.birth_date:%Y%m%d}|{person.sex[0].upper()}",
            f"ORC|RE|W-{number}0417",
            f"OBR|1|W-{number}0417|L{number}2231|58410-2^Complete blood count^LN|||{at}|||||||||||||||{at}||LAB|F",
            f"OBX|1|NM|718-7^Hemoglobin^LN||13.6|{unit}|11.5-17.5|N|||F|||{at}",
        )
        inbound.store(session, "mllp", ("\r".join(lines) + "\r").encode())


def _stopped(session: Session, settings: Settings, people: list[Patient]) -> None:
    """A visit whose registration did not reach the HIS: trying again is enough, since the HIS is back."""
    if session.scalar(select(Incident.id).limit(1)):
        return
    zone = ZoneInfo(settings.clinic_zone)
    arm = routing.route(session, PROCESS, "surgery").version_tag or "as-is"
    patient = replace(people[0], sickness=0.3)
    visit = Planned(next_number(session, zone.key), clock.now() - timedelta(minutes=14), "surgery", arm, patient)
    with instant.answering(1) as far:
        Stopped(session, OnDuty(zone), far, random.Random(1)).play_until(visit, "triage_nurse", BY)  # noqa: S311 - no secret


class Stopped(Journey):
    """A visit at which the HIS could not be reached."""

    def _answer(self, job: Job) -> None:
        if job.type != "hl7.adt_a04":
            super()._answer(job)
            return
        job.state, job.owner, job.lease, job.attempts = "running", BY, self.moment + timedelta(minutes=1), job.attempts_left
        job.attempts_left = 1
        self.session.flush()
        jobs.fail(self.session, job, BY, ConnectorFailed("his cannot be reached: connection refused"))


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def reconcile(factory: sessionmaker[Session], days: Iterable[date]) -> None:
    """Compares these days, oldest first, with bills and postings that agree; of the last one the HIS has missed a posting."""
    wanted = sorted(days)
    for day in wanted:
        for connection in BILLS:
            with factory() as session:
                write_lock(session)
                with runtime.within(session):
                    _reconcile(session, day.isoformat(), connection, last=day == wanted[-1])
                session.commit()


def _reconcile(session: Session, day: str, connection: str, *, last: bool) -> None:
    row = stored.opened(session, day, connection, by=BY)
    if row.signed_at is not None:
        return
    lines = sorted(platform_lines(session, *stored.span(day), connection), key=lambda line: line.at)
    posted = lines[:3] + lines[4:] if last and connection == MISSED else lines
    sources.keep(session, row, "provider", BILLS[connection](_desk(lines, connection), day), by=BY)
    sources.keep(session, row, "his", _postings(posted), by=BY)
    stored.run(session, day, connection, by=BY)
    cases.begin_open(session, actor=BY)
    if not last and not cases.undecided(session, row):
        cases.sign(session, row, by="cashier")


def _desk(lines: list[Line], connection: str) -> Desk:
    """The provider's side as its simulator would have it."""
    desk = Desk()
    for line in lines:
        at, name = f"{line.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}", f"{line.kind}{line.key}"
        paid = {"paid_at": at, "amount": line.amount, "refunds": {}, "refunded_at": {}}
        back = {"amount": line.amount, "refunds": {line.key: line.amount}, "refunded_at": {line.key: at}}
        shown, data = {"description": "门诊费用"}, {"transaction_id": line.transaction_id, **(paid if line.kind == "pay" else back)}
        desk.add(Item(name, connection, "payment", line.key, "answered", shown, data))
    return desk


def _postings(lines: list[Line]) -> bytes:
    rows = (f"{line.kind},{line.key},{line.amount / 100:.2f},{line.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}" for line in lines)
    return "\n".join(("kind,number,amount,time", *rows)).encode()
