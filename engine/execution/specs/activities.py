"""Activities: what can be repeated, watched by boundary events and compensated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.execution import compensation, loops
from engine.execution.specs.base import ElementSpec, mapped
from engine.execution.tokens import Token


class Activity(ElementSpec):
    """The common life of tasks, subprocesses and call activities."""

    records_entry = True

    def enter(self, token: Token) -> bool:
        """Starts the loop, or maps inputs, arms the boundary events and begins."""
        if self.element.loop is not None and "iteration" not in token.notes:
            return loops.begin(token)
        if "open" not in token.notes:
            token.data.update(mapped(self.element.inputs, token.variables()))
            if "iteration" not in token.notes and token.notes.get("armed") is None:
                token.scope.run.arm_boundaries(token)
            token.notes["open"] = True
        return self.begin(token)

    def begin(self, token: Token) -> bool:
        """The activity's own work; False when it waits. What it yields goes to `token.notes["result"]`."""
        token.notes["result"] = {}
        return True

    def go_on(self, token: Token) -> None:
        """Ends an iteration or a compensation handler, else remembers how to compensate and takes the flows."""
        if "iteration" in token.notes:
            loops.iteration_done(token)
        elif "compensates" in token.notes:
            compensation.handler_done(token)
        else:
            flows = self.choose(token)
            compensation.remember(token)
            token.scope.run.disarm(token)
            token.scope.run.take(token, flows)


class Manual(Activity):
    """A task without an implementation: the diagram says it happens, the engine passes on."""

    records_entry = False


class ReceiveTask(Activity):
    """Waits for its message."""

    def begin(self, token: Token) -> bool:
        """Subscribes."""
        token.scope.run.wait_for_events(token)
        return False


class Subprocess(Activity):
    """An embedded subprocess, a transaction or a started event subprocess: a scope of its own."""

    def begin(self, token: Token) -> bool:
        """Opens the scope and starts inside it."""
        kind = "event" if self.element.triggered else "sub"
        here, notes = token.scope, token.notes
        here.run.begin_inner(
            token, kind, here.compiled, here.definition, self.element.id, dict(token.data), notes.get("start"), notes.get("payload")
        )
        notes.pop("payload", None)
        return False

    def write_result(self, token: Token, result: Mapping[str, Any]) -> None:
        """Only mapped variables leave; the others were written to the process's scope when they were set."""
        token.data = dict(result)
        if self.element.outputs:
            super().write_result(token, result)


class CallActivity(Activity):
    """Runs another process in a scope that sees only what is handed to it."""

    def begin(self, token: Token) -> bool:
        """Finds the process's version, opens its scope and starts it."""
        run, called = token.scope.run, self.element.called
        assert called is not None, "lint refuses a call activity without a called element"
        definition = run.env.called(called, token.variables(), token.scope.definition)
        data = {**(dict(token.variables()) if called.all_in else {}), **token.data}
        run.begin_inner(token, "call", run.env.compiled(definition), definition, None, data)
        return False

    def write_result(self, token: Token, result: Mapping[str, Any]) -> None:
        """Mapped variables, or all of the called process's when the model says so."""
        called = self.element.called
        if self.element.outputs or (called is not None and called.all_out):
            super().write_result(token, result)
