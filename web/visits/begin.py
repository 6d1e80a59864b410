"""Beginning a visit: a number, a version by department, a running instance."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.clock import now
from engine.execution import instances
from engine.execution.tables import Instance, Task
from engine.rollout import routing
from web.visits.tables import VisitCounter

PROCESS = "outpatient_visit"


def begin(session: Session, department: str | None, *, actor: str, zone: str) -> Instance:
    """Starts a walk-in visit on the version that the rollout routes this department to."""
    route = routing.route(session, PROCESS, department)
    return instances.start(
        session,
        PROCESS,
        {"arrival": "walk_in"},
        version_tag=route.version_tag,
        arm=route.arm,
        business_key=next_number(session, zone),
        department=department,
        actor=actor,
    )


def next_number(session: Session, zone: str) -> str:
    """The next visit number of today in the clinic's zone: V20261122-0001."""
    day = now().astimezone(ZoneInfo(zone)).date()
    row = session.get(VisitCounter, day, with_for_update=True)
    if row is None:
        row = VisitCounter(day=day, last=0)
        session.add(row)
    row.last += 1
    session.flush()
    return f"V{day:%Y%m%d}-{row.last:04d}"


def first_task(session: Session, instance: Instance, roles: list[str]) -> Task | None:
    """The visit's first open task for one of `roles`, so that the person can go straight on."""
    query = select(Task).where(Task.instance_id == instance.id, Task.state == "open", Task.role.in_(roles), Task.assignee.is_(None))
    return session.scalars(query.order_by(Task.created).limit(1)).first()


def under_way(session: Session) -> dict[str, int]:
    """How many visits each department has running now."""
    query = select(Instance.department, func.count()).where(Instance.ended.is_(None), Instance.department.is_not(None))
    return {code: count for code, count in session.execute(query.group_by(Instance.department)) if code}
