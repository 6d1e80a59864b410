"""The inbox: who may do which task, claiming, drafts, completing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, false, or_, select, union, update
from sqlalchemy.orm import Session

import forms
from engine import clock, errors
from engine.execution import environment, state, statements
from engine.execution.environment import Deployed
from engine.execution.prepared import read_and_change
from engine.execution.steps import advance
from engine.execution.tables import Event, Instance, Task
from engine.execution.values import encode


def inbox(
    session: Session,
    *,
    user: str | None = None,
    roles: Collection[str] = (),
    departments: Collection[str] | None = None,
    state: str = "open",
    mine: bool = False,
    limit: int = 50,
    offset: int = 0,
    text: str | None = None,
    subjects: Collection[str] = (),
) -> list[Task]:
    """The tasks that `user` with `roles` may do, most urgent first: acuity, then priority, then due, then age.

    `departments` keeps tasks of those departments and of none; None keeps all. `mine` keeps what the user has claimed.
    `text` searches tickets and step names; `subjects` are patients found by name elsewhere.
    """
    also = [Task.state == (statements.OPEN if state == "open" else state)]
    if departments is not None:
        also.append(or_(Task.department.in_(departments), Task.department.is_(None)))
    if text:
        like = f"%{text}%"
        found = [Task.ticket.ilike(like), Task.name.ilike(like), cast(Task.names, String).ilike(like)]
        also.append(or_(*found, Task.subject.in_(subjects)))
    order = (Task.urgency, Task.id)
    # Each way of being offered a task is a walk along an index of its own, which ends when there are enough.
    ways = [select(Task.id).where(way, *also).order_by(*order).limit(limit + offset).subquery() for way in _ways(user, roles, mine=mine)]
    query = select(Task).where(Task.id.in_(union(*[select(way.c.id) for way in ways])))
    return list(session.scalars(query.order_by(*order).limit(limit).offset(offset)))


def _ways(user: str | None, roles: Collection[str], *, mine: bool) -> list[ColumnElement[bool]]:
    """The ways in which a task may be offered to somebody."""
    held = Task.assignee == user
    if mine:
        return [held]
    nobody = and_(Task.role == "", cast(Task.users, String) == "[]")
    listed = or_(nobody, _listed(Task.roles, roles), _listed(Task.users, [user] if user else []))
    return [held, and_(Task.offer == "*", listed), *(Task.offer == role for role in roles)]


def _listed(column: Any, names: Collection[str]) -> ColumnElement[bool]:
    """True where a JSON list holds one of the names."""
    return or_(false(), *(cast(column, String).contains(f'"{name}"', autoescape=True) for name in names))


def get(session: Session, task_id: str) -> Task:
    """A task, or NotFound."""
    task = session.get(Task, task_id)
    if task is None:
        raise errors.NotFound("There is no such task.")
    return task


def may_do(task: Task, *, user: str, roles: Collection[str]) -> bool:
    """True when the task is offered to one of the roles or to the user."""
    offered = set(task.roles) | ({task.role} if task.role else set())
    return task.assignee == user or user in task.users or bool(offered & set(roles)) or (not offered and not task.users)


def claim(session: Session, task_id: str, *, user: str, roles: Collection[str] = ()) -> Task:
    """Takes a task for oneself; Conflict says who was faster."""
    task = get(session, task_id)
    if not may_do(task, user=user, roles=roles):
        raise errors.Forbidden("This task is offered to another role.")
    if task.assignee == user and task.state == "open":
        return task
    taken = session.execute(
        update(Task).where(Task.id == task_id, Task.state == "open", Task.assignee.is_(None)).values(assignee=user, claimed=clock.now())
    )
    session.refresh(task)
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise errors.Conflict(_taken(task), assignee=task.assignee, state=task.state)
    _note(session, task, "claimed", user)
    return task


def unclaim(session: Session, task_id: str, *, user: str) -> Task:
    """Gives a claimed task back."""
    task = get(session, task_id)
    if task.state != "open" or task.assignee != user:
        raise errors.Conflict("You do not hold this task.", assignee=task.assignee)
    task.assignee, task.claimed = None, None
    _note(session, task, "unclaimed", user)
    return task


def save_draft(session: Session, task_id: str, values: dict[str, Any], *, user: str) -> Task:
    """Keeps what was typed so far."""
    task = get(session, task_id)
    if task.state != "open" or task.assignee not in (None, user):
        raise errors.Conflict(_taken(task), assignee=task.assignee)
    task.draft = encode(values)
    return task


def complete(session: Session, task_id: str, values: dict[str, Any], *, user: str) -> Instance:
    """Completes a task with typed, validated values and moves its instance on. Exactly one of many callers succeeds."""
    connection = statements.connection(session)
    ending = {"state": "completed", "ended": clock.now(), "ended_by": user, "assignee": user, "draft": None}
    asked = {"at_id": task_id, "at_user": user, **ending}
    found, completed = read_and_change(connection, statements.READ_TASK, statements.COMPLETE_TASK, asked)
    if found is None:
        raise errors.NotFound("There is no such task.")
    token = found.pop("task_token")
    if not completed:
        task = get(session, task_id)
        session.refresh(task)
        raise errors.Conflict(_taken(task), assignee=task.assignee, state=task.state)
    if (loaded := statements.held(session, Task, task_id)) is not None:
        statements.told(loaded, ending)
    # Held here: the session itself forgets what nobody else holds, and would read it once more.
    row = statements.held(session, Instance, found["id"]) or statements.adopt(session, Instance, found)
    by = {"user": user, "values": values}
    return advance(session, row.id, lambda run: run.complete(token, values, by), actor=user, handled=[token])


def form_of(session: Session, task: Task) -> forms.Form | None:
    """The task's form; None when it has none."""
    return environment.form(session, task.form_id, task.element_id, task.definition_id) if task.form_id else None


def context(session: Session, task: Task) -> dict[str, Any]:
    """All variables that the task's element sees."""
    row = session.get(Instance, task.instance_id)
    if row is None or task.state != "open":
        return {}
    return dict(state.load(row.body, Deployed(session)).token(task.token).variables())


def _taken(task: Task) -> str:
    if task.state == "completed":
        return f"{task.ended_by or 'Somebody'} has completed this task."
    return "This task was withdrawn." if task.state == "cancelled" else f"{task.assignee} has taken this task."


def _note(session: Session, task: Task, kind: str, user: str) -> None:
    """A row of the record about the task itself; the instance does not move."""
    entered = session.scalars(select(Event).where(Event.instance_id == task.instance_id, Event.token == task.token).order_by(Event.id)).first()
    about = (
        {name: getattr(entered, name) for name in ("process_id", "version", "element_type", "scope", "via", "role", "tag", "arm")}
        if entered
        else {}
    )
    row = {
        "process_id": task.process_id,
        "version": 0,
        **about,
        "element_id": task.element_id,
        "token": task.token,
        "department": task.department,
    }
    session.add(Event(instance_id=task.instance_id, at=clock.now(), kind=kind, actor=user, **row))
