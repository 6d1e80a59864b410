"""Errors, escalations, signals and cancellations: who catches them, from the inside out."""

from __future__ import annotations

from typing import Any

from engine.execution import compensation
from engine.execution.specs.base import Stuck, name_from
from engine.execution.tokens import Scope, Token
from engine.models.elements import Element


def error(token: Token, code: str, message: str | None, variables: dict[str, Any]) -> bool:
    """Carries an error from `token` outwards until something catches it; False when nothing does."""
    local = {"errorCode": code, "errorMessage": message}
    place = token.scope.run.body_of(token)
    scope: Scope | None = token.scope
    if (boundary := _boundary(place, "error", code)) is not None:
        _thrown(token)
        token.scope.run.interrupt(place, boundary, variables, local)
        return True
    while scope is not None:
        if (start := _event_subprocess(scope, "error", code)) is not None:
            _thrown(token)
            scope.run.start_event_subprocess(scope, *start, payload=variables, local=local)
            return True
        owner = _around(scope)
        if owner is None:
            return False
        if (boundary := _boundary(owner, "error", code)) is not None:
            _thrown(token)
            scope.run.interrupt(owner, boundary, variables, local)
            return True
        scope = owner.scope
    return False


def _thrown(token: Token) -> None:
    """Records a throwing event before what it threw takes its token away."""
    if token.element.type in ("endEvent", "intermediateThrowEvent"):
        token.scope.run.record("completed", token)
        token.notes.pop("entered", None)


def _around(scope: Scope) -> Token | None:
    """The activity that a scope is the inside of. An event subprocess throws out of the scope that it handles for."""
    while scope.kind == "event" and scope.parent is not None:
        scope = scope.parent
    owner = scope.owner_token()
    return None if owner is None else scope.run.body_of(owner)


def error_end(token: Token, code: str | None) -> bool:
    """An error end event. Not caught, it stays as an incident instead of passing as a normal end."""
    code = name_from(code, token.variables(), "error's code")
    if not error(token, code, None, {}):
        raise Stuck("uncaught_error", f"The error {code or '(without a code)'} is caught nowhere.")
    return False


def escalation(token: Token, code: str | None) -> bool:
    """Escalates outwards; the thrower goes on unless what caught it interrupts. Not caught, it is only recorded."""
    code = name_from(code, token.variables(), "escalation's code")
    payload, local = dict(token.data), {"escalationCode": code}
    scope: Scope | None = token.scope
    while scope is not None:
        run = scope.run
        if (start := _event_subprocess(scope, "escalation", code)) is not None:
            _, event = start
            if event.interrupting:
                _thrown(token)
            run.start_event_subprocess(scope, *start, payload=payload, local=local)
            return not event.interrupting
        owner = _around(scope)
        if owner is None:
            break
        if (boundary := _boundary(owner, "escalation", code)) is not None:
            if boundary.interrupting:
                _thrown(token)
                run.interrupt(owner, boundary, payload, local)
                return False
            run.spawn(owner.scope, boundary.id, payload, local)
            return True
        scope = owner.scope
    token.scope.run.record("escalated", token, detail={"code": code, "caught": False})
    return True


def cancel_transaction(token: Token) -> bool:
    """A cancel end: compensates what the transaction did; True when nothing is left to undo."""
    scope, run = token.scope, token.scope.run
    if "undo" not in token.notes:
        for other in [t for t in scope.tasks.values() if t is not token]:
            run.cancel(other)
        token.notes["undo"] = compensation.flatten(scope.compensations)
        scope.compensations = []
    return not compensation.next_handler(token)


def leave_transaction(token: Token) -> None:
    """Leaves a compensated transaction by its cancel boundary event."""
    owner = _around(token.scope)
    boundary = _boundary(owner, "cancel", None) if owner is not None else None
    if owner is None or boundary is None:
        raise Stuck("model", "A cancel end event needs a transaction around it with a cancel boundary event.")
    token.scope.remove(token)
    token.scope.run.interrupt(owner, boundary, {}, {})


def signal_name(token: Token) -> str:
    """The name of the signal that an event throws."""
    return name_from(token.element.events[0].name, token.variables(), "signal's name")


def _matches(event: Element, kind: str, code: str | None) -> int:
    """2: its very code, 1: it catches all, 0: not its business."""
    best = 0
    for definition in event.events:
        if definition.kind == kind:
            best = max(best, 1 if not definition.name else 2 * (definition.name == code))
    return best


def _boundary(token: Token, kind: str, code: str | None) -> Element | None:
    events = token.scope.compiled.boundaries.get(token.element.id, ())
    best = max(events, key=lambda e: _matches(e, kind, code), default=None)
    return best if best is not None and _matches(best, kind, code) else None


def _event_subprocess(scope: Scope, kind: str, code: str | None) -> tuple[Element, Element] | None:
    found = scope.compiled.event_subprocesses.get(scope.body, ())
    best = max(found, key=lambda pair: _matches(pair[1], kind, code), default=None)
    return best if best is not None and _matches(best[1], kind, code) else None
