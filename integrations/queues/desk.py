"""Draws queue tickets and says how busy each department is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Instance, Task
from integrations.queues.tables import QueueTicket

DEPARTMENTS = {
    "internal_medicine": "N", "surgery": "W", "paediatrics": "E", "gynaecology": "F", "orthopaedics": "G", "ent": "B",
}  # fmt: skip
MINUTES_PER_PATIENT = 8  # a consultation, until the clinic's own figures are fitted
_WAITING_ROLES = ("triage_nurse", "doctor")


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a department is: patients who wait and the minutes that a new one would."""

    code: str
    waiting: int
    minutes: int


def draw(
    session: Session, *, department: str, patient_id: str, key: str, acuity: int | None, zone: str, instance_id: str | None = None
) -> QueueTicket:
    """The next ticket of the department's day; the same key draws the same ticket. Must run in a writing transaction."""
    found = session.scalar(select(QueueTicket).where(QueueTicket.key == key))
    if found is not None:
        return found
    now = clock.now()
    day = now.astimezone(ZoneInfo(zone)).date()
    last = session.scalar(select(func.max(QueueTicket.number)).where(QueueTicket.department == department, QueueTicket.day == day))
    number = (last or 0) + 1
    made = QueueTicket(
        key=key, department=department, day=day, number=number, ticket=f"{DEPARTMENTS.get(department, 'Z')}{number:03d}",
        acuity=acuity, patient_id=patient_id, instance_id=instance_id, at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def ahead(session: Session, *, department: str, acuity: int | None, instance_id: str | None) -> int:
    """Patients of the department who wait for a nurse or a doctor and would be called before one of this acuity."""
    query = _waiting().where(Instance.department == department)
    if instance_id is not None:
        query = query.where(Task.instance_id != instance_id)
    if acuity is not None:
        query = query.where(or_(Instance.acuity.is_(None), Instance.acuity <= acuity))
    return int(session.scalar(query.with_only_columns(func.count(func.distinct(Task.instance_id)))) or 0)


def load(session: Session) -> list[Load]:
    """Every department with the patients that wait in it now."""
    counted = _waiting().with_only_columns(Instance.department, func.count(func.distinct(Task.instance_id))).group_by(Instance.department)
    waiting = {row[0]: int(row[1]) for row in session.execute(counted)}
    return [Load(code, waiting.get(code, 0), waiting.get(code, 0) * MINUTES_PER_PATIENT) for code in DEPARTMENTS]


def _waiting() -> Select[Any]:
    return (
        select(Task.instance_id)
        .join(Instance, Instance.id == Task.instance_id)
        .where(Task.state == "open", Task.claimed.is_(None), Task.role.in_(_WAITING_ROLES), Instance.state == "running")
    )
