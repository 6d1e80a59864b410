"""Waiting for timers, messages, signals and conditions, and what happens when they come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.errors import CarelaneError, ExpressionFailed
from engine.execution import feel, timers
from engine.execution.effects import Closed, Subscribed, TimerSet
from engine.execution.specs.base import Stuck, feel_or_text, name_from
from engine.execution.tokens import Scope, Token
from engine.models.elements import Element, EventDefinition

if TYPE_CHECKING:
    from engine.execution.run import Run

WAITABLE = ("timer", "message", "signal", "conditional")


def arm(scope: Scope, event: Element, how: str, of: str | None = None, **notes: Any) -> None:
    """Lets an event listen, if it is of a kind that waits."""
    if any(definition.kind in WAITABLE for definition in event.events):
        token = scope.run.new_token(scope, event.id, armed=how, of=of, **notes)
        try:
            wait_for_events(token)
        except CarelaneError:
            scope.run.cancel(token)
            raise


def arm_event_subprocesses(scope: Scope) -> None:
    """Lets the start events of a body's event subprocesses listen."""
    for subprocess, start in scope.compiled.event_subprocesses.get(scope.body, ()):
        arm(scope, start, "start", subprocess=subprocess.id)


def wait_for_events(token: Token) -> None:
    """Subscribes to each definition. The first wait is the token's id, further ones carry a suffix."""
    definitions = [d for d in token.element.events if d.kind in WAITABLE]
    if not definitions:
        raise Stuck("model", f"{token.element.label()} waits for nothing that could ever come.")
    for index, definition in enumerate(definitions):
        wait = token.id if index == 0 else f"{token.id}.{index}"
        _wait_for(token, wait, definition)


def _wait_for(token: Token, wait: str, definition: EventDefinition) -> None:
    run, element, variables = token.scope.run, token.element, token.variables()
    if definition.kind == "conditional":
        token.notes["condition"] = (definition.value or "").removeprefix("=")
        token.notes["was"] = False
        run.wait(token, "condition")
        run.dirty = True
    elif definition.kind == "timer":
        due = _due(token, definition, run.env.now())
        if due is None:
            raise ExpressionFailed(f"The cycle {definition.value!r} never fires.")
        run.wait(token, f"timer:{wait}")
        run.effects.add(TimerSet(wait, token.scope.definition, element.id, due, 0))
    else:
        name, key = name_from(definition.name, variables, f"{definition.kind}'s name"), ""
        if definition.kind == "message" and definition.correlation:
            key = name_from("=" + definition.correlation.removeprefix("="), variables, "correlation key")
        run.wait(token, f"{definition.kind}:{wait}")
        run.effects.add(Subscribed(wait, token.scope.definition, element.id, definition.kind, name, key))


def _due(token: Token, definition: EventDefinition, start: datetime) -> datetime | None:
    zone = token.scope.run.env.zone
    value = feel_or_text(definition.value or "", token.variables())
    if value is None:
        raise ExpressionFailed(f"The timer {definition.value!r} of {token.element.id} gives nothing.")
    match definition.timer:
        case "date":
            return timers.due_date(value, zone)
        case "cycle":
            return timers.next_of_cycle(value, start, token.notes.get("fired", 0), zone)
    return timers.after(value, start)


def fire(token: Token, wait: str, payload: Mapping[str, Any], due: datetime | None = None) -> None:
    """One of a token's waits has come true."""
    run, scope, element = token.scope.run, token.scope, token.element
    how = token.notes.get("armed")
    if how is None:
        if token.notes.get("phase") != "leave" and not _comes_again(token, wait, payload, due):
            run.resume(token, payload)
        return
    if how == "race":
        _win(token, payload)
    elif how == "boundary" and element.interrupting:
        run.interrupt(scope.tasks[token.notes["of"]], element, payload, {})
    elif how == "boundary":
        run.spawn(scope, element.id, payload, {})
        _listen_on(token, wait, due)
    else:
        subprocess = scope.compiled.model.elements[token.notes["subprocess"]]
        if not element.interrupting:
            _listen_on(token, wait, due)
        run.start_event_subprocess(scope, subprocess, element, payload, {})


def _comes_again(token: Token, wait: str, payload: Mapping[str, Any], due: datetime | None) -> bool:
    """A catching event with a counted cycle (R3/PT1H) lets a token through each time; the last one is its own."""
    definition = [d for d in token.element.events if d.kind in WAITABLE][int(wait.split(".")[1]) if "." in wait else 0]
    value = feel_or_text(definition.value or "", token.variables()) if definition.timer == "cycle" else None
    if value is None or not timers.counted(value):
        return False
    if timers.next_of_cycle(value, token.scope.run.env.now(), token.notes.get("fired", 0) + 1, token.scope.run.env.zone) is None:
        return False
    token.scope.run.spawn(token.scope, token.element.id, payload, token.data)
    _listen_on(token, wait, due)
    return True


def _win(token: Token, payload: Mapping[str, Any]) -> None:
    """The first event behind an event gateway: the others listen no more."""
    run, scope = token.scope.run, token.scope
    gateway = scope.tasks[token.notes["of"]]
    for other in [t for t in scope.tasks.values() if t.notes.get("of") == gateway.id and t is not token]:
        run.cancel(other)
    run.record("completed", gateway)
    scope.remove(gateway)
    token.notes.pop("of")
    run.resume(token, payload)


def _listen_on(token: Token, wait: str, due: datetime | None) -> None:
    """A non-interrupting event goes on listening; a timer only while its cycle lasts."""
    if f"timer:{wait}" not in token.notes.get("waits", []):
        return
    run = token.scope.run
    definitions = [d for d in token.element.events if d.kind in WAITABLE]
    index = int(wait.split(".")[1]) if "." in wait else 0
    fired = token.notes["fired"] = token.notes.get("fired", 0) + 1
    following = _due(token, definitions[index], due or run.env.now()) if definitions[index].timer == "cycle" else None
    run.effects.add(Closed(token.id, (f"timer:{wait}",), True))
    if following is not None:
        run.effects.add(TimerSet(wait, token.scope.definition, token.element.id, following, fired))
        return
    token.notes["waits"].remove(f"timer:{wait}")
    if not token.notes["waits"]:
        run.cancel(token)


def fire_conditions(run: Run) -> bool:
    """After variables changed: fires the conditional events that have become true. True when one did."""
    if not run.dirty:
        return False
    run.dirty = False
    fired = False
    for scope in [s for s in run.scopes.values() if s.compiled.has_conditions]:
        for token in list(scope.tasks.values()):
            if "condition" not in token.notes or not token.has_state(TaskState.STARTED) or token.id not in scope.tasks:
                continue
            try:
                true = feel.evaluate(token.notes["condition"], token.variables()) is True
            except ExpressionFailed as error:
                run.fail(token, error)
                continue
            rising = true and not token.notes["was"]
            token.notes["was"] = true
            if rising:
                fired = True
                fire(token, token.id, {})
    return fired
