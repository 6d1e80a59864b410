"""Moving tokens by hand: refused where it would leave the instance unable to end, recorded with who and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound, Refused
from engine.execution import instances, state
from engine.execution.environment import Deployed
from engine.execution.run import Run
from engine.execution.steps import advance
from engine.execution.tables import Event, Instance, Job
from engine.execution.tokens import Scope, Token
from engine.execution.values import encode
from engine.models.elements import Element, ProcessModel

PARTS = frozenset({"iteration", "compensates"})  # notes of tokens that live only in the name of another
Gap = tuple[str, str]  # scope, join that waits for a flow by which nothing can come


@dataclass(frozen=True, slots=True)
class Place:
    """One scope as it stands: what may be done in it by hand."""

    scope: str
    kind: str  # process, call, sub, event
    definition: str
    model: ProcessModel
    variables: dict[str, Any]
    tokens: tuple[Token, ...]  # that may be moved or taken away
    targets: tuple[Element, ...]  # on which a token may be put


def places(session: Session, instance_id: str) -> list[Place]:
    """The scopes that live in an instance, outermost first."""
    run = state.load(instances.get(session, instance_id).body, Deployed(session))
    return [
        Place(
            scope.id, scope.kind, scope.definition, scope.compiled.model, dict(scope.data),
            tuple(t for t in scope.live() if not t.notes.keys() & PARTS),
            tuple(e for e in scope.compiled.model.inside(scope.body) if _unfit(scope, e) is None),
        )
        for scope in run.scopes.values()
    ]  # fmt: skip


def move(session: Session, instance_id: str, token_id: str, to: str, *, actor: str, reason: str) -> Instance:
    """Takes a token away and puts one on another element of the same scope."""
    _wait_for_answer(session, instance_id, token_id)

    def act(run: Run) -> None:
        token = _movable(run, token_id)
        target = _target(token.scope, to)
        run.record("moved", token, detail={"to": to, "reason": reason})
        run.cancel(token)
        run.arrive(token.scope, target.id, None)

    return _carefully(session, instance_id, act, actor, reason)


def go_back(session: Session, instance_id: str, token_id: str, to: str, *, actor: str, reason: str) -> Instance:
    """Moves a token to a step that its scope has completed before."""
    if to not in earlier(session, instance_id, token_id):
        raise Refused(f"{to} is no earlier step here; move the token if that is meant.")
    return move(session, instance_id, token_id, to, actor=actor, reason=reason)


def earlier(session: Session, instance_id: str, token_id: str) -> list[str]:
    """The activities that a token's scope has completed, newest first: where it may go back to."""
    run = state.load(instances.get(session, instance_id).body, Deployed(session))
    token = run.token(token_id)
    query = select(Event.element_id).where(
        Event.instance_id == instance_id, Event.scope == token.scope.id, Event.kind == "completed", Event.element_type.like("%Task")
    )
    known = token.scope.compiled.model.elements
    done = dict.fromkeys(str(id) for id in session.scalars(query.order_by(Event.id.desc())))
    return [id for id in done if id in known and id != token.element.id]


def add(session: Session, instance_id: str, element: str, *, scope_id: str | None = None, actor: str, reason: str) -> Instance:
    """Puts a further token on an element, in the given scope or in the only one that has the element."""

    def act(run: Run) -> None:
        scope = _scope_of(run, element, scope_id)
        target = _target(scope, element)
        if scope is run.root and run.over:
            raise Refused("The instance is over.")
        run.record("moved", scope=scope, detail={"added": element, "reason": reason})
        run.arrive(scope, target.id, None)

    return _carefully(session, instance_id, act, actor, reason)


def cancel(session: Session, instance_id: str, token_id: str, *, actor: str, reason: str) -> Instance:
    """Takes a token away; the others in its scope go on."""
    _wait_for_answer(session, instance_id, token_id)

    def act(run: Run) -> None:
        token = _movable(run, token_id)
        if len(token.scope.live()) == 1:
            raise Refused("It is the last one here: nothing would go on. Move it, or cancel what is around it.")
        run.record("moved", token, detail={"taken": token.element.id, "reason": reason})
        run.cancel(token)

    return _carefully(session, instance_id, act, actor, reason)


def change_variables(
    session: Session, instance_id: str, values: dict[str, Any], *, scope_id: str | None = None, actor: str, reason: str
) -> Instance:
    """Sets variables of the process's own scope, or of an inner one. Conditions that become true fire."""

    def act(run: Run) -> None:
        scope = run.scopes.get(scope_id) if scope_id else run.root
        if scope is None:
            raise NotFound("This scope is over.")
        try:
            encode(values)
        except TypeError as error:
            raise Refused(str(error)) from error
        before = {name: scope.data.get(name) for name in values}
        run.record("variables", scope=scope, detail={"set": values, "before": before, "reason": reason})
        scope.data.update(values)
        run.dirty = True

    return _carefully(session, instance_id, act, actor, reason)


def hasten(session: Session, job_id: str, *, actor: str, reason: str) -> Job:
    """Lets a job that waits for its time, a further try or a timer, be done now."""
    if not reason.strip():
        raise Refused("Say why: the reason is recorded.")
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    now = clock.now()
    if job.state != "ready" or job.due <= now:
        raise Conflict("The job does not wait for its time.")
    token, detail = job.token.split(".", maxsplit=1)[0], {"hastened": job.element_id, "due": job.due, "reason": reason}
    advance(session, job.instance_id, lambda run: run.record("moved", run.find(token), detail=detail), actor=actor)
    job.due = now
    return job


def _carefully(session: Session, instance_id: str, act: Callable[[Run], None], actor: str, reason: str) -> Instance:
    """Carries out a change; nothing is written when it would leave a join waiting for ever or raise an incident."""
    if not reason.strip():
        raise Refused("Say why: the reason is recorded.")

    def checked(run: Run) -> None:
        gaps, failed = _gaps(run), _failed(run)
        act(run)
        if new := sorted(_gaps(run) - gaps):
            names = ", ".join(run.scopes[scope].compiled.model.elements[join].label() for scope, join in new)
            raise Refused(f"{names} would wait for ever for a token that can no longer come.")
        run.drain()
        if new_failures := [text for id, text in _failed(run).items() if id not in failed]:
            raise Refused(f"It would fail at once: {new_failures[0]}")

    return advance(session, instance_id, checked, actor=actor)


def _failed(run: Run) -> dict[str, str]:
    return {
        token.id: str(token.notes["failed"]["message"])
        for scope in run.scopes.values()
        for token in scope.tasks.values()
        if "failed" in token.notes
    }


def _gaps(run: Run) -> set[Gap]:
    """Parallel joins for which tokens can come by some of their flows, but not by all."""
    found: set[Gap] = set()
    for scope in run.scopes.values():
        compiled = scope.compiled
        for join in (e for e in compiled.model.inside(scope.body) if e.type == "parallelGateway" and len(e.incoming) > 1):
            waiting = {t.notes.get("via") for t in scope.live() if t.element.id == join.id}
            places = {t.element.id for t in scope.live() if t.element.id != join.id}
            fed = {flow for flow in join.incoming if flow in waiting or places & compiled.reaching(flow, join.id)}
            if fed and fed != set(join.incoming):
                found.add((scope.id, join.id))
    return found


def _wait_for_answer(session: Session, instance_id: str, token_id: str) -> None:
    """A call that a worker is making now may already have happened: its answer is waited for, not thrown away."""
    asked = select(Job.id).where(Job.instance_id == instance_id, Job.token == token_id, Job.kind == "call", Job.state == "running")
    if session.scalars(asked.where(Job.lease > clock.now()).limit(1)).first() is not None:
        raise Refused("Another system is being asked there just now: wait for its answer.")


def _movable(run: Run, token_id: str) -> Token:
    token = run.token(token_id)
    if token.armed or token.notes.keys() & PARTS:
        raise Refused("This token is part of another one: move that one instead.")
    return token


def _target(scope: Scope, id: str) -> Element:
    """An element that a token may be put on."""
    element = scope.compiled.model.elements.get(id)
    if element is None:
        raise NotFound(f"{scope.compiled.model.id} has no element {id!r}.")
    if wrong := _unfit(scope, element):
        raise Refused(wrong)
    return element


def _unfit(scope: Scope, element: Element) -> str | None:
    """Why no token may be put on an element; None when one may."""
    if element.parent != scope.body:
        return f"{element.label()} lies on another level than the token."
    if element.type in ("boundaryEvent", "startEvent") or element.triggered or element.for_compensation:
        return f"{element.label()} begins by itself when its event happens."
    if element.type in ("parallelGateway", "inclusiveGateway") and len(element.incoming) > 1:
        return f"{element.label()} joins several paths: choose an element before or after it."
    return None


def _scope_of(run: Run, element: str, scope_id: str | None) -> Scope:
    if scope_id is not None:
        if scope_id not in run.scopes:
            raise NotFound("This scope is over.")
        return run.scopes[scope_id]
    found = [s for s in run.scopes.values() if (e := s.compiled.model.elements.get(element)) is not None and e.parent == s.body]
    if len(found) != 1:
        raise Refused("That element is in no scope that runs now." if not found else "Several scopes have that element: say which.")
    return found[0]
