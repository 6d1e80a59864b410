"""Process instances: start, look into, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from SpiffWorkflow.util.task import TaskState
from sqlalchemy import bindparam, literal_column, select, update
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import new_id
from engine.errors import NotFound, Refused
from engine.execution import state, statements
from engine.execution.environment import Deployed
from engine.execution.prepared import Prepared
from engine.execution.run import Run
from engine.execution.steps import advance, store
from engine.execution.tables import Incident, Instance, Job, Subscription, Task
from engine.models.tables import Definition


@dataclass(frozen=True, slots=True)
class TokenView:
    """Where a token stands."""

    token: str
    element_id: str
    type: str
    process_id: str
    definition_id: str
    state: str  # waiting, ready, failed
    scope: str
    waits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScopeView:
    """A process that runs inside an instance: the root, or a called one."""

    scope: str
    definition_id: str
    process_id: str
    parent: str | None
    owner_element: str | None


@cache
def _version(numbered: bool, tagged: bool) -> Prepared:
    c = Definition.__table__.c
    query = select(Definition.__table__).where(c.kind == literal_column("'process'"), c.key == bindparam("at_key"))
    if numbered:
        query = query.where(c.version == bindparam("at_version"))
    if tagged:
        query = query.where(c.version_tag == bindparam("at_tag"))
    return Prepared(query.order_by(c.version.desc()).limit(1))


def definition_of(session: Session, process_id: str, version: int | None = None, version_tag: str | None = None) -> Definition:
    """The newest version of a process, the given one, or the newest with the tag; NotFound when there is none."""
    asked = {"at_key": process_id, "at_version": version, "at_tag": version_tag}
    row = _version(version is not None, version_tag is not None).first(statements.connection(session), asked)
    if row is None:
        which = f" version {version}" if version is not None else f" tagged {version_tag!r}" if version_tag else ""
        raise NotFound(f"The process {process_id!r}{which} is not deployed.")
    return statements.held(session, Definition, row["id"]) or statements.adopt(session, Definition, row)


def start(
    session: Session,
    process_id: str,
    variables: dict[str, Any] | None = None,
    *,
    version: int | None = None,
    version_tag: str | None = None,
    business_key: str | None = None,
    department: str | None = None,
    arm: str | None = None,
    actor: str = "system",
) -> Instance:
    """Starts an instance and moves it until it waits. A department is also given to the process as a variable."""
    found = definition_of(session, process_id, version, version_tag)
    given = {**({"department": department} if department else {}), **(variables or {})}
    if business_key is not None:
        given.setdefault("visitNumber", business_key)
    return start_definition(session, found, given, business_key=business_key, department=department, arm=arm, actor=actor)


def start_definition(
    session: Session,
    definition: Definition,
    variables: dict[str, Any],
    *,
    start_element: str | None = None,
    payload: dict[str, Any] | None = None,
    business_key: str | None = None,
    department: str | None = None,
    arm: str | None = None,
    actor: str = "system",
) -> Instance:
    """Starts an instance of one version, at a certain start event when it is a triggered one."""
    row = Instance(
        id=new_id(), definition_id=definition.id, process_id=definition.key, version=definition.version, state="running", rev=0,
        business_key=business_key, department=department, arm=arm, started=clock.now(), started_by=actor,
    )  # fmt: skip
    run = Run(Deployed(session))
    run.start(definition.id, variables, start_element, payload)
    store(session, row, run, actor=actor, new=True)
    faults.point("instance.started")
    return row


def get(session: Session, instance_id: str) -> Instance:
    """An instance, or NotFound."""
    row = session.get(Instance, instance_id)
    if row is None:
        raise NotFound(f"There is no instance {instance_id}.")
    return row


def _run(session: Session, instance_id: str) -> Run:
    return state.load(get(session, instance_id).body, Deployed(session))


def variables(session: Session, instance_id: str) -> dict[str, Any]:
    """The variables of the instance's own scope."""
    return dict(_run(session, instance_id).root.data)


def tokens(session: Session, instance_id: str) -> list[TokenView]:
    """Where the instance stands now; events that only listen are left out."""
    run = _run(session, instance_id)
    names = {TaskState.READY: "ready", TaskState.ERROR: "failed"}
    return [
        TokenView(
            t.id, t.element.id, t.element.type, scope.compiled.model.id, scope.definition, names.get(t.state, "waiting"),
            scope.id, tuple(t.notes.get("waits", ())),
        )
        for scope in run.scopes.values()
        for t in scope.live()
    ]  # fmt: skip


def scopes(session: Session, instance_id: str) -> list[ScopeView]:
    """The processes that run in the instance now, outermost first."""
    run = _run(session, instance_id)
    found = []
    for scope in run.scopes.values():
        if scope.kind in ("process", "call"):
            owner = scope.owner_token()
            parent = scope.parent.process_scope().id if scope.parent is not None else None
            found.append(ScopeView(scope.id, scope.definition, scope.compiled.model.id, parent, owner.element.id if owner else None))
    return found


def set_variables(session: Session, instance_id: str, values: dict[str, Any], *, actor: str, reason: str) -> Instance:
    """Changes root variables by hand; who and why is recorded."""

    def act(run: Run) -> None:
        run.record("variables", detail={"set": values, "reason": reason})
        run.root.data.update(values)
        run.dirty = True
        run.drain()

    return advance(session, instance_id, act, actor=actor)


def suspend(session: Session, instance_id: str, reason: str, *, actor: str) -> Instance:
    """Holds an instance: its tasks, jobs and messages wait until it is resumed."""
    row = get(session, instance_id)
    if row.state != "running":
        raise Refused(f"The instance is {row.state}.")
    advance(session, instance_id, lambda run: run.record("suspended", detail={"reason": reason}), actor=actor)
    row.state = "suspended"
    return row


def resume(session: Session, instance_id: str, reason: str, *, actor: str) -> Instance:
    """Lets a suspended instance go on."""
    row = get(session, instance_id)
    if row.state != "suspended":
        raise Refused(f"The instance is {row.state}.")
    row.state = "running"
    session.flush()
    return advance(session, instance_id, lambda run: run.record("resumed", detail={"reason": reason}), actor=actor)


def cancel(session: Session, instance_id: str, reason: str, *, actor: str) -> Instance:
    """Ends an instance early; the reason is recorded, its tasks, jobs and subscriptions are withdrawn."""
    row = get(session, instance_id)
    if row.state == "suspended":
        row.state = "running"
        session.flush()

    def act(run: Run) -> None:
        run.record("cancelled", detail={"reason": reason})
        root = run.root
        for token in list(root.tasks.values()):
            run.cancel(token)

    advance(session, instance_id, act, actor=actor)
    row.state = "cancelled"
    for table, states in ((Task, ("open",)), (Job, ("ready", "running", "failed")), (Incident, ("open",))):
        ended = "resolved" if table is Incident else "cancelled"
        session.execute(update(table).where(table.instance_id == row.id, table.state.in_(states)).values(state=ended))
    session.query(Subscription).filter(Subscription.instance_id == row.id).delete()
    return row
