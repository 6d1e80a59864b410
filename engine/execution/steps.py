"""One step of one instance: load, move, and write state, inbox, jobs, subscriptions and record together.

Nothing here commits. The instance's `rev` decides between two that computed at the same time: the later one is `Stale`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, make_transient_to_detached

from engine import clock, faults
from engine.errors import NotFound, Refused, Stale
from engine.execution import state, statements
from engine.execution.environment import Deployed
from engine.execution.prepared import Write, together
from engine.execution.rows import Rows
from engine.execution.run import Run
from engine.execution.statements import FOLLOWED
from engine.execution.tables import Instance, Message, urgency
from engine.execution.values import decode


def advance(session: Session, instance_id: str, act: Callable[[Run], Any], *, actor: str, handled: Collection[str] = ()) -> Instance:
    """Loads the instance, lets `act` move it, and writes what came of it.

    `handled` are tokens whose task or job row the caller has closed already. Raises NotFound, Refused when the instance is
    over or suspended, Stale when somebody else moved it meanwhile.
    """
    row = _instance(session, instance_id)
    if row.state != "running":
        raise Refused(f"The instance is {row.state}; nothing in it can be moved.", state=row.state)
    run = state.load(row.body, Deployed(session))
    act(run)
    store(session, row, run, actor=actor, handled=handled)
    return row


def store(session: Session, row: Instance, run: Run, *, actor: str, handled: Collection[str] = (), new: bool = False) -> None:
    """Writes the run's state and effects, then hands buffered messages to whoever began to wait for them."""
    values = {**_followed(row, run), "body": state.dump(run)}
    if run.over:
        values |= {"state": "completed", "ended": clock.now(), "end_element": run.end_element}
    connection = statements.connection(session)
    writes = _saving(row, values, new=new)
    rows = Rows(session, row, run.env, actor, handled)
    for effect in run.effects.items:
        rows.add(effect)
    run.effects.items = []
    if together(connection, [*writes, *rows.writes()], after_first=lambda: faults.point("step.saved")) != 1:
        raise Stale("The visit moved on while this step was computed.")
    if new:
        make_transient_to_detached(row)
        session.add(row)
    faults.point("step.written")
    if not run.over:
        _deliver_early(session, row, run, rows, actor)


def _instance(session: Session, id: str) -> Instance:
    if (row := statements.held(session, Instance, id)) is not None:
        return row
    found = statements.READ_INSTANCE.first(statements.connection(session), {"at_id": id})
    if found is None:
        raise NotFound(f"There is no instance {id}.")
    return statements.adopt(session, Instance, found)


def _saving(row: Instance, values: dict[str, Any], *, new: bool) -> list[Write]:
    """What writes the instance itself, the row first; the object is told at once."""
    if new:
        whole = {name: getattr(row, name) for name in Instance.__table__.c.keys()} | values  # noqa: SIM118  of columns
        statements.told(row, whole)
        return [(statements.INSERT[Instance], [whole])]
    followed = {name: values[name] for name in FOLLOWED if getattr(row, name) != values[name]}
    written = {name: value for name, value in values.items() if name not in FOLLOWED} | followed | {"rev": row.rev + 1}
    writes: list[Write] = [(statements.save_instance(tuple(written)), [{"at_id": row.id, "at_rev": row.rev, **written}])]
    statements.told(row, written)
    if followed:
        all_four = {name: values[name] for name in FOLLOWED}
        writes.append((statements.FOLLOW_TASKS, [{"at_instance": row.id, "at_acuity": urgency(row.acuity)[0], **all_four}]))
    return writes


def _followed(row: Instance, run: Run) -> dict[str, Any]:
    # A called process knows first: what it sets shows in lists at once, not only when it ends.
    data = ChainMap(*(scope.data for scope in reversed(run.scopes.values())))
    acuity = data.get("acuity")
    return {
        "subject": _text(data.get("patientId")) or row.subject,
        "ticket": _text(data.get("ticket")) or row.ticket,
        "acuity": acuity if isinstance(acuity, int) and not isinstance(acuity, bool) else row.acuity,
        "department": _text(data.get("department")) or row.department,
    }


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _deliver_early(session: Session, row: Instance, run: Run, rows: Rows, actor: str) -> None:
    """A message that came before its receiver was ready is given to it now, in the same transaction."""
    for waiting in [s for s in rows.subscriptions if s["kind"] == "message"]:
        query = select(Message).where(
            Message.state == "waiting", Message.name == waiting["name"], Message.key == waiting["key"], Message.expires > clock.now()
        )
        message = session.scalars(query.order_by(Message.received).limit(1)).first()
        if message is not None:
            message.state, message.instance_id = "correlated", row.id
            run.record("message", detail={"name": message.name, "id": message.message_id, "early": True})
            run.fire(waiting["token"], decode(message.payload))
            session.flush()
            store(session, row, run, actor=actor)
            return
