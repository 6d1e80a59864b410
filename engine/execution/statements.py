"""The statements of every step, built once: building one anew costs more than carrying it out.

They run on the session's own connection, past the unit of work, so that what they change is told to loaded objects with
`told`. Names of set values are columns; those of conditions begin with `at_`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm.attributes import set_committed_value

from engine.execution.tables import Event, Incident, Instance, Job, Subscription, Task


def _table(entity: Any) -> Table:
    table: Table = entity.__table__
    return table


_instance, _task, _job, _subscription, _incident = map(_table, (Instance, Task, Job, Subscription, Incident))
_tokens: BindParameter[Any] = bindparam("at_tokens", expanding=True)
_states: BindParameter[Any] = bindparam("at_states", expanding=True)

INSERT = {entity: insert(_table(entity)) for entity in (Task, Job, Subscription, Incident, Event)}

TASK_AND_INSTANCE = select(Task, Instance).join(Instance, Instance.id == Task.instance_id).where(Task.id == bindparam("at_id"))

SAVE_INSTANCE = update(_instance).where(_instance.c.id == bindparam("at_id"), _instance.c.rev == bindparam("at_rev"))
FOLLOW_TASKS = update(_task).where(_task.c.instance_id == bindparam("at_instance"), _task.c.state == "open")
COMPLETE_TASK = update(_task).where(
    _task.c.id == bindparam("at_id"), _task.c.state == "open", or_(_task.c.assignee.is_(None), _task.c.assignee == bindparam("at_user"))
)
END = {
    entity: update(table).where(table.c.instance_id == bindparam("at_instance"), table.c.token.in_(_tokens), table.c.state.in_(_states))
    for entity, table in ((Task, _task), (Job, _job), (Incident, _incident))
}
UNSUBSCRIBE = delete(_subscription).where(_subscription.c.instance_id == bindparam("at_instance"), _subscription.c.token.in_(_tokens))

_is_due = or_((Job.state == "ready") & (Job.due <= bindparam("at_now")), (Job.state == "running") & (Job.lease < bindparam("at_now")))
DUE_JOBS = (
    select(Job)
    .join(Instance, Instance.id == Job.instance_id)
    .where(_is_due, Instance.state == "running")
    .order_by(Job.priority.desc(), Job.due)
    .limit(bindparam("at_most"))
    .with_for_update(skip_locked=True, of=Job)
)
DUE_JOBS_OF_KINDS = DUE_JOBS.where(Job.kind.in_(bindparam("at_kinds", expanding=True)))
CLAIM_JOB = update(_job).where(_job.c.id == bindparam("at_id"))
FENCED_JOB = update(_job).where(_job.c.id == bindparam("at_id"), _job.c.owner == bindparam("at_owner"), _job.c.state == "running")


def told(entity: Any, values: dict[str, Any]) -> None:
    """Tells a loaded object what a statement has written."""
    for name, value in values.items():
        set_committed_value(entity, name, value)
