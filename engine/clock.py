"""The one clock. UTC inside; the clinic's zone only at the edge. Tests and the demo's seeding shift it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_shifted: ContextVar[datetime | None] = ContextVar("carelane_clock", default=None)


def now() -> datetime:
    """The present instant, aware, in UTC; the shifted one inside `at`."""
    return _shifted.get() or datetime.now(UTC)


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Makes `now` answer `instant` in this thread (or task) until the block ends. The instant must be aware."""
    if instant.tzinfo is None:
        raise ValueError("a shifted clock needs an aware datetime")
    token = _shifted.set(instant.astimezone(UTC))
    try:
        yield
    finally:
        _shifted.reset(token)
