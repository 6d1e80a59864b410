"""What a step asks of the world outside the instance. The database applies them; `play` keeps them in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskOpened:
    """A user task reached somebody's inbox."""

    token: str
    process: str  # definition id
    element: str
    form_id: str | None
    assignee: str | None
    roles: tuple[str, ...]
    users: tuple[str, ...]
    due: datetime | None
    follow_up: datetime | None
    priority: int


@dataclass(frozen=True, slots=True)
class JobOpened:
    """A connector is to be called, or a message or signal carried to other instances (`kind`)."""

    token: str
    process: str
    element: str
    kind: str  # call, message, signal
    type: str
    input: dict[str, Any]
    headers: dict[str, str]
    retries: int | None
    key: str  # unique inside the instance


@dataclass(frozen=True, slots=True)
class TimerSet:
    """A token waits for an instant. `wait` names the token, and which of its waits."""

    wait: str
    process: str
    element: str
    due: datetime
    round: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A token waits for a message or a signal."""

    wait: str
    process: str
    element: str
    kind: str  # message, signal
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A token waits no more; `done` tells a completed wait from a cancelled one."""

    token: str
    waits: tuple[str, ...]  # task, job, timer, message, signal
    done: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the record."""

    kind: str
    process: str
    element: str | None
    element_type: str | None
    token: str | None
    scope: str | None
    via: str | None = None
    role: str | None = None
    tag: str | None = None
    detail: Any = None


@dataclass(frozen=True, slots=True)
class IncidentRaised:
    """A token cannot go on without a person."""

    token: str
    process: str
    element: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class IncidentCleared:
    """The token goes on, or is gone."""

    token: str


Effect = TaskOpened | JobOpened | TimerSet | Subscribed | Closed | Recorded | IncidentRaised | IncidentCleared


@dataclass(slots=True)
class Effects:
    """The effects of one step, in order."""

    items: list[Effect] = field(default_factory=list)

    def add(self, effect: Effect) -> None:
        """Appends one."""
        self.items.append(effect)
