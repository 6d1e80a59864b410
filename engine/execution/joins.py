"""Joins that the whole instance decides: inclusive merges, and joins whose last token can no longer come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from SpiffWorkflow.util.task import TaskState

from engine.execution.specs.base import Stuck
from engine.execution.specs.gateways import ready_to_merge

if TYPE_CHECKING:
    from engine.execution.run import Run


def merge_inclusive(run: Run) -> bool:
    """Lets one inclusive merge go on that need not wait any longer; False when there is none."""
    for scope in run.scopes.values():
        gateways = scope.compiled.has_inclusive
        waiting = [t for t in scope.live() if t.element.id in gateways and t.notes.get("joined")] if gateways else []
        for token in waiting:
            if (merged := ready_to_merge(token)) is None:
                continue
            for other in merged[1:]:
                run.merge(other)
            merged[0].notes.update(merged=True)
            merged[0].notes.pop("joined")
            run.enqueue(merged[0])
            return True
    return False


def find_deadlocks(run: Run) -> None:
    """A scope in which all that lives waits at joins can never go on: an incident, not silence."""
    for scope in list(run.scopes.values()):
        live = scope.live()
        if live and all(t.notes.get("joined") and t.has_state(TaskState.STARTED) for t in live):
            run.fail(live[0], Stuck("deadlock", "The join waits for a token that can no longer come."))
