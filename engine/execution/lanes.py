"""Far ends that bear few calls at once: a claim takes no more of them than there is room for, across all workers.

A lane is a connection. What lanes there are and which one a call goes to is said by whoever knows connections (`Lanes`). A call
whose lease has run out counts no more: a far end's timeout must be shorter than the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.execution.tables import Job
from engine.execution.values import decode

WINDOW = 200  # jobs looked at together; those whose lane is full are passed over, however many they are
_ONE_CLAIM_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7110417)")  # on SQLite the write lock sees to it


class Lanes(Protocol):
    """What is known of connections."""

    def most(self) -> Mapping[str, int]:
        """The connections that take a limited number of calls at once, and how many."""
        ...

    def of(self, type: str, input: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """The connection that a call goes to; empty when it goes to none."""
        ...


class _Known:
    lanes: Lanes | None = None


def use(lanes: Lanes | None) -> None:
    """Says who knows connections."""
    _Known.lanes = lanes


def limits() -> Mapping[str, int]:
    """The connections that take a limited number of calls at once; mostly none."""
    return _Known.lanes.most() if _Known.lanes is not None else {}


def choose(session: Session, page: Callable[[int, int], Sequence[Job]], limit: int, now: datetime, most: Mapping[str, int]) -> list[Job]:
    """The first due jobs for which there is room, at most `limit`. `page` reads so many of them from a place on."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_ONE_CLAIM_AT_A_TIME)
    room = dict(most)
    for job in session.scalars(select(Job).where(Job.kind == "call", Job.state == "running", Job.lease >= now)):
        _enter(room, _lane(job))
    taken: list[Job] = []
    offset = 0
    while len(taken) < limit:
        found = page(WINDOW, offset)
        taken += [job for job in found if len(taken) < limit and _enter(room, _lane(job))]
        if len(found) < WINDOW:
            break
        offset += WINDOW
    return taken[:limit]


def _enter(room: dict[str, int], lane: str) -> bool:
    if lane not in room:
        return True
    room[lane] -= 1
    return room[lane] >= 0


def _lane(job: Job) -> str:
    if _Known.lanes is None or job.kind != "call":
        return ""
    return _Known.lanes.of(job.type, decode(job.input) or {}, job.headers or {})
