"""Tokens and the scopes they live in, on SpiffWorkflow's Task and Workflow.

A scope is a SpiffWorkflow workflow that holds only what lives: finished tasks leave it at once (the record has them), nothing
is predicted, and variables are held once, in `Workflow.data`, instead of being copied along the token.
"""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState
from SpiffWorkflow.workflow import Workflow

if TYPE_CHECKING:
    from engine.execution.compile import Compiled
    from engine.execution.run import Run
    from engine.models.elements import Element

LIVE = TaskState.READY | TaskState.STARTED | TaskState.ERROR


class Token(Task):
    """One live token. `data` holds its local variables, `internal_data` what the engine notes about it."""

    workflow: Scope

    def __init__(self, scope: Scope, element: str, id: str, state: int = TaskState.STARTED) -> None:
        super().__init__(scope, scope.spec.task_specs[element], None, state, id)

    @property
    def element(self) -> Element:
        """The element the token stands on."""
        element: Element = self.task_spec.element
        return element

    @property
    def scope(self) -> Scope:
        """The scope the token lives in."""
        return self.workflow

    @property
    def notes(self) -> dict[str, Any]:
        """What the engine keeps about the token: phase, via, of, armed, waits …"""
        notes: dict[str, Any] = self.internal_data
        return notes

    @property
    def armed(self) -> bool:
        """True for an event that only listens (boundary, event gateway, event subprocess): it keeps no scope alive."""
        return "armed" in self.internal_data

    def depends_on(self, id: str) -> bool:
        """True when this token listens for that one, repeats it, or undoes something in its name."""
        notes = self.internal_data
        return id in (notes.get("of"), notes.get("body"), notes.get("compensates"))

    def variables(self) -> MutableMapping[str, Any]:
        """All variables that the token sees, nearest first."""
        maps = [self.data] if self.data else []
        return ChainMap(*maps, *(scope.data for scope in self.workflow.visible()))

    def write(self, values: MutableMapping[str, Any] | dict[str, Any], *, local: bool = True) -> None:
        """Sets variables as Camunda 8 does: where the name is already known, nearest first, else in the process's scope."""
        for name, value in values.items():
            if local and name in self.data:
                self.data[name] = value
            else:
                self.workflow.write(name, value)
        if values:
            self.workflow.run.dirty = True

    def scope_write(self, values: dict[str, Any]) -> None:
        """Sets mapped variables in the scope around the token, past its locals (an iteration's own variables are around it)."""
        self.write(values, local="iteration" in self.notes)

    def _set_state(self, value: int) -> None:
        self._state = value
        self.last_state_change = time.time()


class Scope(Workflow):
    """A process, a called process, a subprocess body or an event subprocess body, with its tokens and variables.

    `kind` is process (the root), call, sub or event. `owner` is the token of the parent scope that waits for this one.
    """

    tasks: dict[str, Token]
    data: dict[str, Any]

    def __init__(self, run: Run, id: str, kind: str, compiled: Compiled, definition: str, body: str | None) -> None:
        super().__init__(compiled.spec, deserializing=True)
        self.run = run
        self.id = id
        self.kind = kind
        self.compiled = compiled
        self.definition = definition
        self.body = body
        self.parent: Scope | None = None
        self.owner: str | None = None
        self.compensations: list[dict[str, Any]] = []
        self.read: dict[str, tuple[Any, Any, bool]] = {}  # variables as they were loaded: value, JSON, whether they differ

    def visible(self) -> Iterator[Scope]:
        """The scope itself and those around it, up to its own process."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = None if scope.kind in ("process", "call") else scope.parent

    def write(self, name: str, value: Any) -> None:
        """Sets one variable where it is known, else in the process's own scope."""
        last = self
        for scope in self.visible():
            if name in scope.data:
                scope.data[name] = value
                return
            last = scope
        last.data[name] = value

    def process_scope(self) -> Scope:
        """The scope of the process that this one is part of."""
        return list(self.visible())[-1]

    def owner_token(self) -> Token | None:
        """The token that waits for this scope to end."""
        return self.parent.tasks[self.owner] if self.parent is not None and self.owner is not None else None

    def live(self) -> list[Token]:
        """The tokens that keep the scope alive."""
        return [token for token in self.tasks.values() if not token.armed]

    def lives(self) -> bool:
        """True while a token keeps the scope alive."""
        return any(not token.armed for token in self.tasks.values())

    def remove(self, token: Token) -> None:
        """Takes a finished token out."""
        self.tasks.pop(token.id, None)

    def _task_completed_notify(self, task: Token) -> None:
        """SpiffWorkflow would walk its tree here; the run does what is needed."""
