"""Events: start, catch, boundary, throw and end."""

from __future__ import annotations

from engine.execution import compensation, throwing
from engine.execution.specs.base import ElementSpec, mapped
from engine.execution.specs.work import open_job, throw_message
from engine.execution.tokens import Token


class StartEvent(ElementSpec):
    """Where a scope begins; a triggered one writes what triggered it."""


class CatchEvent(ElementSpec):
    """Waits for what its definitions say; a catching link is only passed."""

    records_entry = True

    def enter(self, token: Token) -> bool:
        """Subscribes, sets the timer, or passes."""
        if not self.element.events or self.element.events[0].kind == "link":
            return True
        token.scope.run.wait_for_events(token)
        return False


class BoundaryEvent(ElementSpec):
    """Armed with its activity; when it happens a token leaves from here."""


class ThrowEvent(ElementSpec):
    """Something is thrown in passing."""

    def enter(self, token: Token) -> bool:
        """Throws; waits where the throwing must be known to have happened."""
        if "open" not in token.notes:
            token.data.update(mapped(self.element.inputs, token.variables()))
            token.notes["open"] = True
        return throw(token)

    def go_on(self, token: Token) -> None:
        """A throwing link goes on at the catching one of its name."""
        event = self.element.events[0] if self.element.events else None
        if event is not None and event.kind == "link" and self.element.type == "intermediateThrowEvent":
            run = token.scope.run
            for target in token.scope.compiled.link_targets(self.element):
                run.arrive(token.scope, target.id, None)
            return
        super().go_on(token)


class EndEvent(ThrowEvent):
    """The token ends here; what the end throws is thrown first."""

    def go_on(self, token: Token) -> None:
        """Notes where the scope ended; a cancel end leaves its transaction."""
        if self.element.events and self.element.events[0].kind == "cancel":
            throwing.leave_transaction(token)
            return
        token.scope.run.reached_end(token)


def throw(token: Token) -> bool:
    """Throws what the event's definition says; False while the token must wait for it."""
    element, run = token.element, token.scope.run
    event = element.events[0] if element.events else None
    if element.job_type:
        open_job(token)
        return False
    match event.kind if event else "none":
        case "message":
            throw_message(token, element.events)
            return False
        case "signal":
            run.open_job(token, "signal", throwing.signal_name(token), {"payload": dict(token.data)}, None)
            return False
        case "escalation":
            assert event is not None
            return throwing.escalation(token, event.name)
        case "error":
            assert event is not None
            return throwing.error_end(token, event.name)
        case "compensation":
            return compensation.throw(token)
        case "cancel":
            return throwing.cancel_transaction(token)
        case "terminate":
            run.terminate(token)
    return True
