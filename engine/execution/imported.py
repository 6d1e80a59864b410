"""Cases of another system: ended ones with their past in the record, open ones with a token where they stand, and both taken away again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.errors import CarelaneError, Refused
from engine.execution import state, waits
from engine.execution.environment import Deployed
from engine.execution.operations import _failed, _gaps, _target
from engine.execution.run import Run
from engine.execution.steps import _followed, store
from engine.execution.tables import Event, Incident, Instance, Job, Message, Subscription, Task
from engine.execution.values import encode
from engine.models.tables import Definition


@dataclass(frozen=True, slots=True)
class Step:
    """A stay at an element, as the other system knew it."""

    element: str
    entered: datetime
    completed: datetime
    claimed: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it was. `source` names where it comes from, in every row of its record."""

    source: str
    variables: dict[str, Any]
    started: datetime
    steps: Sequence[Step] = ()
    ended: datetime | None = None
    outcome: Literal["completed", "cancelled"] = "completed"
    business_key: str | None = None
    department: str | None = None
    arm: str | None = None
    note: dict[str, Any] = field(default_factory=dict)  # kept with the beginning: the other system's number, the batch


def problems(session: Session, definition: Definition, case: Case, element: str | None) -> list[str]:
    """What stands in the way of taking a case over, in words; nothing is written. `element`: where an open one stands."""
    model = Deployed(session).compiled(definition.id).model
    found = [f"{definition.key} has no element {step.element!r}." for step in case.steps if step.element not in model.elements]
    now = clock.now()
    last = case.ended or now
    if case.started > now or last > now:
        found.append("It began or ended in the future.")
    if case.ended is not None and case.ended < case.started:
        found.append("It ended before it began.")
    for step in case.steps:
        times = [case.started, step.entered, *([step.claimed] if step.claimed else []), step.completed, last]
        if times != sorted(times):
            found.append(f"The times of {step.element} do not follow each other, or lie outside the case.")
    if element is not None and not found:
        try:
            _standing(session, definition, case, element)
        except CarelaneError as error:
            found.append(error.message)
    return found


def ended(session: Session, definition: Definition, case: Case) -> Instance:
    """Writes a case that is over: an instance that cannot be moved, and its record with the times of then."""
    run, _ = _opened(session, definition, case)
    row = _row(definition, case)
    row.state, row.ended = case.outcome, case.ended
    for name, value in _followed(row, run).items():
        setattr(row, name, value)
    run.end_element = row.end_element = case.steps[-1].element if case.steps else None
    row.body = state.dump(run)
    session.add(row)
    session.flush()
    past = _past(session, definition, case, row, run.root.id)
    kind = "ended" if case.outcome == "completed" else "cancelled"
    session.add_all([*past, _event(definition, case, row, kind, case.ended or case.started, scope=run.root.id)])
    session.flush()
    return row


def standing(session: Session, definition: Definition, case: Case, element: str) -> Instance:
    """Writes a case that goes on: a running instance with a token on `element`, its past in the record.

    Refused where no token may stand, where a join would wait for ever, or where it would fail at once.
    """
    run = _standing(session, definition, case, element)
    row = _row(definition, case)
    store(session, row, run, actor=_actor(case), new=True)
    session.flush()
    session.add_all(_past(session, definition, case, row, run.root.id))
    session.flush()
    return row


def touched(session: Session, instance_id: str) -> str | None:
    """What has gone on in a case since it was taken over, in words; None when nothing has."""
    row = session.get(Instance, instance_id)
    if row is None:
        return None
    for task in session.scalars(select(Task).where(Task.instance_id == instance_id).order_by(Task.id)):
        if task.state == "completed":
            return f"{task.ended_by} has completed {task.name}."
        if task.claimed is not None or task.draft is not None:
            return f"{task.assignee or 'Somebody'} has begun {task.name}."
    job = session.scalars(select(Job).where(Job.instance_id == instance_id, Job.kind == "call", Job.attempts > 0).limit(1)).first()
    if job is not None:
        return f"Another system was asked at {job.element_id} ({job.type})."
    told = select(Message.id).where(Message.instance_id == instance_id).limit(1)
    if row.rev or session.scalars(told).first() is not None:
        return "The case has moved on."
    return None


def take_away(session: Session, instance_id: str) -> None:
    """Deletes a case that was taken over, with its record; Refused in words where work has gone on since."""
    if why := touched(session, instance_id):
        raise Refused(why)
    for table in (Task, Job, Subscription, Incident, Event):
        session.execute(delete(table).where(table.instance_id == instance_id))
    session.execute(delete(Instance).where(Instance.id == instance_id))


def _actor(case: Case) -> str:
    return f"legacy:{case.source}"


def _opened(session: Session, definition: Definition, case: Case) -> tuple[Run, Any]:
    run = Run(Deployed(session))
    scope = run.open_scope(None, "process", run.env.compiled(definition.id), definition.id, None, encoded(case.variables))
    return run, scope


def encoded(variables: dict[str, Any]) -> dict[str, Any]:
    """The variables, refused in words where one cannot be kept."""
    try:
        encode(variables)
    except TypeError as error:
        raise Refused(str(error)) from error
    return dict(variables)


def _standing(session: Session, definition: Definition, case: Case, element: str) -> Run:
    run, scope = _opened(session, definition, case)
    waits.arm_event_subprocesses(scope)
    run.arrive(scope, _target(scope, element).id, None)
    if gaps := _gaps(run):
        names = ", ".join(run.scopes[one].compiled.model.elements[join].label() for one, join in sorted(gaps))
        raise Refused(f"{names} would wait for ever for a token that can no longer come.")
    run.drain()
    if failures := list(_failed(run).values()):
        raise Refused(f"It would fail at once: {failures[0]}")
    if run.over:
        raise Refused(f"A case on {element} would be over at once: it is an ended one.")
    return run


def _row(definition: Definition, case: Case) -> Instance:
    return Instance(
        id=new_id(), definition_id=definition.id, process_id=definition.key, version=definition.version, state="running", rev=0,
        business_key=case.business_key, department=case.department, arm=case.arm, started=case.started, started_by=_actor(case),
    )  # fmt: skip


def _past(session: Session, definition: Definition, case: Case, row: Instance, scope: str) -> list[Event]:
    made = [_event(definition, case, row, "started", case.started, scope=scope, detail=case.note)]
    elements = Deployed(session).compiled(definition.id).model.elements
    for number, step in enumerate(case.steps, start=1):
        element = elements[step.element]
        about = {
            "element_id": element.id, "element_type": element.type, "token": f"p{number}", "scope": scope, "role": element.lane_role,
            "tag": element.tag,
        }  # fmt: skip
        for kind, at in (("entered", step.entered), ("claimed", step.claimed), ("completed", step.completed)):
            if at is not None:
                detail = {"by": step.by} if step.by and kind != "entered" else {}
                made.append(_event(definition, case, row, kind, at, detail=detail, **about))
    return sorted(made, key=lambda event: event.at)


def _event(
    definition: Definition, case: Case, row: Instance, kind: str, at: datetime, detail: dict[str, Any] | None = None, **about: Any
) -> Event:
    return Event(
        instance_id=row.id, at=at, kind=kind, process_id=definition.key, version=definition.version, actor=_actor(case),
        department=row.department, arm=row.arm, detail=encode({"imported": case.source, **(detail or {})}), **about,
    )  # fmt: skip
