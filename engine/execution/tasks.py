"""The inbox: who may do which task, claiming, drafts, completing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import String, and_, cast, or_, select, update
from sqlalchemy.orm import Session

import forms
from engine import clock, errors
from engine.execution import environment, state, statements
from engine.execution.environment import Deployed
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
    """The tasks that `user` with `roles` may do, most urgent first.

    `departments` keeps tasks of those departments and of none; None keeps all. `mine` keeps what the user has claimed.
    `text` searches tickets and step names; `subjects` are patients found by name elsewhere.
    """
    may = or_(Task.role.in_(roles), _listed(Task.roles, roles), Task.assignee == user, _listed(Task.users, [user] if user else []))
    query = select(Task).where(Task.state == state, Task.assignee == user if mine else may)
    if departments is not None:
        query = query.where(or_(Task.department.in_(departments), Task.department.is_(None)))
    if text:
        like = f"%{text}%"
        found = [Task.ticket.ilike(like), Task.name.ilike(like), cast(Task.names, String).ilike(like)]
        query = query.where(or_(*found, Task.subject.in_(subjects)))
    order = (Task.priority.desc(), Task.due.is_(None), Task.due, Task.created, Task.id)
    return list(session.scalars(query.order_by(*order).limit(limit).offset(offset)))


def _listed(column: Any, names: Collection[str]) -> Any:
    """True where a JSON list holds one of the names beyond its first (which has a column of its own)."""
    return or_(*[and_(cast(column, String).like(f'%"{name}"%')) for name in names]) if names else column.is_(None)


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
    found = session.execute(statements.TASK_AND_INSTANCE, {"at_id": task_id}).first()
    if found is None:
        raise errors.NotFound("There is no such task.")
    task: Task = found[0]
    if task.assignee not in (None, user):
        raise errors.Conflict(_taken(task), assignee=task.assignee)
    ending = {"state": "completed", "ended": clock.now(), "ended_by": user, "assignee": user, "draft": None}
    done = session.connection().execute(statements.COMPLETE_TASK, {"at_id": task_id, "at_user": user, **ending})
    if done.rowcount != 1:
        session.refresh(task)
        raise errors.Conflict(_taken(task), assignee=task.assignee, state=task.state)
    statements.told(task, ending)
    token, by = task.token, {"user": user, "values": values}
    return advance(session, task.instance_id, lambda run: run.complete(token, values, by), actor=user, handled=[token])


def form_of(session: Session, task: Task) -> forms.Form | None:
    """The task's form; None when it has none."""
    return environment.form(session, task.form_id) if task.form_id else None


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
