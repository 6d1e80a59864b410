"""Compensation: what was done is remembered with its variables, and undone in reverse order when someone throws."""

from __future__ import annotations

from collections import ChainMap
from typing import Any

from engine.execution.tokens import Scope, Token
from engine.execution.values import decode, encode


def remember(token: Token) -> None:
    """Notes that this activity can be compensated, if its diagram says how."""
    scope = token.scope
    compiled = scope.compiled
    for boundary in compiled.boundaries.get(token.element.id, ()):
        if boundary.events and boundary.events[0].kind == "compensation" and boundary.compensation_handler:
            if scope.compensations and scope.compensations[-1].get("by") == token.id:
                scope.compensations.pop()  # its own handler stands for what its inside would have undone
            data = encode(_passing(token))
            scope.compensations.append({"activity": token.element.id, "handler": boundary.compensation_handler, "data": data})


def _passing(token: Token) -> dict[str, Any]:
    """The variables that will be gone when the handler runs: all but those of the process's own scope."""
    scopes = [scope.data for scope in token.scope.visible() if scope.kind not in ("process", "call")]
    return dict(ChainMap(token.data, *scopes))


def keep_inner(scope: Scope, owner: Token) -> None:
    """A finished subprocess leaves its inner compensations to the scope around it, as one unit."""
    if scope.kind == "sub" and scope.compensations and owner.scope is not None:
        owner.scope.compensations.append({"activity": owner.element.id, "inner": scope.compensations, "by": owner.id})


def throw(token: Token) -> bool:
    """Starts the handlers one after the other, newest first; True when there are none (left)."""
    if "undo" not in token.notes:
        scope = token.scope
        event = token.element.events[0]
        if scope.kind == "event" and scope.parent is not None:
            scope = scope.parent
        chosen = [c for c in scope.compensations if event.activity is None or c["activity"] == event.activity]
        scope.compensations = [c for c in scope.compensations if c not in chosen]
        token.notes["undo"] = flatten(chosen)
    return not next_handler(token)


def flatten(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Handlers in the order in which they were completed, inner ones in their unit's place."""
    return [leaf for entry in entries for leaf in (flatten(entry["inner"]) if "inner" in entry else [entry])]


def handler_done(token: Token) -> None:
    """Goes on with the next handler, or lets the thrower go on."""
    thrower = token.scope.run.find(token.notes["compensates"])
    if thrower is not None and not next_handler(thrower):
        token.scope.run.resume(thrower)


def next_handler(thrower: Token) -> bool:
    """Starts the newest handler left; False when there is none."""
    if not thrower.notes["undo"]:
        return False
    entry = thrower.notes["undo"].pop()
    run = thrower.scope.run
    handler = run.new_token(thrower.scope, entry["handler"], compensates=thrower.id)
    known = set(thrower.variables())
    handler.data.update({k: v for k, v in decode(entry["data"]).items() if k not in known})
    run.enqueue(handler)
    run.wait(thrower, "compensation")
    return True
