"""The statements of every step, prepared once.

They run on the session's own connection, past the unit of work, so that what they change is told to loaded objects with
`told`, and what they read becomes a loaded object with `adopt`. Names of set values are columns; those of conditions begin
with `at_`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, String, Table, bindparam, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.orm import Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from engine.db import Base
from engine.execution.prepared import Prepared
from engine.execution.tables import Event, Incident, Instance, Job, Subscription, Task

E = TypeVar("E", bound=Base)


def _table(entity: Any) -> Table:
    table: Table = entity.__table__
    return table


def _insert(entity: Any) -> Prepared:
    names = [column.name for column in _table(entity).c if column.autoincrement is not True]
    return Prepared(insert(_table(entity)).inline(), names)


def _end(entity: Any, states: tuple[str, ...], *sets: str) -> Prepared:
    c = _table(entity).c
    where = (c.instance_id == bindparam("at_instance"), c.token == bindparam("at_token"), c.state.in_(_literals(states)))
    return Prepared(update(_table(entity)).where(*where), sets)


def _literals(states: tuple[str, ...]) -> list[Any]:
    return [literal_column(f"'{state}'") for state in states]


_instance, _task, _job, _subscription = map(_table, (Instance, Task, Job, Subscription))
OPEN: ColumnElement[str] = literal_column("'open'")  # a literal: indexes of open rows are found by it
FOLLOWED = ("subject", "ticket", "acuity", "department")  # columns that follow root variables

INSERT = {entity: _insert(entity) for entity in (Instance, Task, Job, Subscription, Incident, Event)}

READ_INSTANCE = Prepared(select(_instance).where(_instance.c.id == bindparam("at_id")).with_for_update())
READ_TASK = Prepared(
    select(_instance, _task.c.token.label("task_token"))
    .join(_task, _instance.c.id == _task.c.instance_id)
    .where(_task.c.id == bindparam("at_id"))
    .with_for_update(of=_instance)  # PostgreSQL: whoever moves an instance takes it before anything of it
)

FOLLOW_TASKS = Prepared(
    update(_task)
    .where(_task.c.instance_id == bindparam("at_instance"), _task.c.state == OPEN)
    .values(urgency=bindparam("at_acuity", type_=String) + func.substr(_task.c.urgency, 2)),
    FOLLOWED,
)
COMPLETE_TASK = Prepared(
    update(_task).where(
        _task.c.id == bindparam("at_id"), _task.c.state == OPEN, or_(_task.c.assignee.is_(None), _task.c.assignee == bindparam("at_user"))
    ),
    ("state", "ended", "ended_by", "assignee", "draft"),
)
END = {
    Task: _end(Task, ("open",), "state", "ended", "ended_by"),
    Job: _end(Job, ("ready", "running", "failed"), "state", "ended"),
    Incident: _end(Incident, ("open",), "state", "resolved", "resolved_by"),
}
UNSUBSCRIBE = Prepared(
    delete(_subscription).where(_subscription.c.instance_id == bindparam("at_instance"), _subscription.c.token == bindparam("at_token"))
)

CLAIM_JOB = Prepared(update(_job).where(_job.c.id == bindparam("at_id")), ("state", "owner", "lease", "attempts"))


def _due(kinds: tuple[str, ...] | None) -> Select[Any]:
    c, now = _job.c, bindparam("at_now", type_=_job.c.due.type)
    due = or_((c.state == literal_column("'ready'")) & (c.due <= now), (c.state == literal_column("'running'")) & (c.lease < now))
    query = select(_job).join(_instance, _instance.c.id == c.instance_id).where(due, _instance.c.state == literal_column("'running'"))
    if kinds is not None:
        query = query.where(c.kind.in_(_literals(kinds)))
    return query.order_by(c.priority.desc(), c.due, c.id).limit(bindparam("at_most")).with_for_update(skip_locked=True, of=_job)


@cache
def due_jobs(kinds: tuple[str, ...] | None) -> Prepared:
    """The jobs of these kinds (None: of all) that are due, or whose lease has run out."""
    return Prepared(_due(kinds).offset(bindparam("at_offset")))


@cache
def claim_due_jobs(kinds: tuple[str, ...] | None) -> Prepared:
    """Claims due jobs and reads them, in no order."""
    chosen = _due(kinds).with_only_columns(_job.c.id).cte("chosen").prefix_with("MATERIALIZED", dialect="postgresql")
    claim = update(_job).where(_job.c.id.in_(select(chosen.c.id))).values(attempts=_job.c.attempts + 1)
    return Prepared(claim.returning(*_job.c), ("state", "owner", "lease"))


@cache
def fenced_job(names: tuple[str, ...]) -> Prepared:
    """Writes these columns of a job, if the claim is still the owner's."""
    where = (_job.c.id == bindparam("at_id"), _job.c.owner == bindparam("at_owner"), _job.c.state == "running")
    return Prepared(update(_job).where(*where), names)


@cache
def save_instance(names: tuple[str, ...]) -> Prepared:
    """Writes these columns, if nobody has moved the instance meanwhile. What did not change is left alone, and so are its indexes."""
    return Prepared(update(_instance).where(_instance.c.id == bindparam("at_id"), _instance.c.rev == bindparam("at_rev")), names)


def connection(session: Session) -> Connection:
    """The session's connection, once what the session holds back is written: these statements see the database, not objects."""
    session.flush()
    return session.connection()


def told(entity: Any, values: dict[str, Any]) -> None:
    """Tells a loaded object what a statement has written."""
    for name, value in values.items():
        set_committed_value(entity, name, value)


def held(session: Session, entity: type[E], id: str) -> E | None:
    """The object that the session has loaded already."""
    return session.identity_map.get(entity.__mapper__.identity_key_from_primary_key((id,)))


def adopt(session: Session, entity: type[E], values: dict[str, Any]) -> E:
    """A row that a statement has read or written, as the session's object."""
    row: E = entity.__mapper__.class_manager.new_instance()
    row.__dict__.update(values)
    make_transient_to_detached(row)
    session.add(row)
    return row
