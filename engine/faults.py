"""Named fault points: the moments at which a crash would hurt most, so that tests can crash exactly there.

    with faults.around("edge.write"):
        session.commit()
    …
    faults.point("call.after")

A point that is not armed costs one comparison. One is armed by the variable CARELANE_FAULT (`edge.write.before`, or
`edge.write.after:3` for the third time it is passed: the process kills itself there), or by a test with `armed`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from types import TracebackType

COMMITS = {
    "edge.write": "a request's work is committed",
    "edge.reads": "what a request has read is recorded",
    "edge.seen": "a session is marked as used",
    "worker.claim": "due jobs become a worker's own",
    "worker.finish": "the outcome of a call is written",
    "worker.fire": "one timer, message or signal is carried out",
    "worker.batch": "several timers are carried out together",
    "worker.start": "a timer start event begins its process and is set anew",
    "worker.tidy": "kept messages expire or meet their receivers",
    "worker.give_up": "a job whose instance cannot take its outcome is closed",
    "connector.work": "a connector writes to our own database",
    "mllp.store": "an HL7 message is stored, before it is acknowledged",
    "mllp.place": "a stored HL7 message is handed on",
    "mllp.postpone": "a stored HL7 message could not be handed on and waits",
    "cli.deploy": "files become versions",
    "cli.operate": "a command's work is committed",
}  # each has a point before and one after its commit
MOMENTS = {
    "call.before": "a job is claimed, its far end not asked",
    "call.after": "the far end has answered, nobody knows yet",
    "job.fenced": "a job is closed, its instance has not moved",
    "step.saved": "an instance's state is written, its rows are not",
    "step.written": "a step's rows are written",
    "instance.started": "a new instance is written",
    "message.kept": "a message is written, its receivers have not got it",
    "message.expired": "kept messages are marked as expired",
    "deploy.stored": "versions are written, their start events do not listen yet",
    "hook.recorded": "a payment's notification is written, the payment is not settled",
    "mllp.acknowledged": "an HL7 message is acknowledged, not handed on",
}


def names() -> list[str]:
    """Every point."""
    return [f"{commit}.{side}" for commit in COMMITS for side in ("before", "after")] + list(MOMENTS)


class Injected(RuntimeError):
    """Raised at a point that a test has armed."""


@dataclass
class _Armed:
    name: str
    left: int
    act: Callable[[], object]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _parsed(text: str) -> _Armed | None:
    name, _, count = text.partition(":")
    if not name:
        return None
    if name not in names():
        raise ValueError(f"CARELANE_FAULT={text!r}: there is no fault point {name!r}")
    return _Armed(name, int(count or 1), _die)


_lock = Lock()
_armed: _Armed | None = _parsed(os.environ.get("CARELANE_FAULT", ""))
_seen: Counter[str] | None = None


def point(name: str) -> None:
    """Passes a point: nothing happens unless a test has armed it."""
    if _armed is not None or _seen is not None:
        _pass(name)


def _pass(name: str) -> None:
    if _seen is not None:
        _seen[name] += 1
    with _lock:
        if _armed is None or _armed.name != name:
            return
        _armed.left -= 1
        due, act = _armed.left == 0, _armed.act
    if due:
        act()


class around:  # noqa: N801  reads as a verb where it is used
    """The points before and after a commit, which is the block's last statement."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        if _armed is not None or _seen is not None:
            _pass(f"{self.name}.before")

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is None and (_armed is not None or _seen is not None):
            _pass(f"{self.name}.after")


def arm(name: str, *, times: int = 1, act: Callable[[], object] = _die) -> None:
    """From now on, the `times`-th pass of the point does `act`: the process kills itself when nothing else is said."""
    global _armed  # noqa: PLW0603  one process, one fault
    if name not in names():
        raise ValueError(f"there is no fault point {name!r}")
    _armed = _Armed(name, times, act)


def disarm() -> None:
    """No point does anything from now on."""
    global _armed  # noqa: PLW0603
    _armed = None


@contextmanager
def armed(name: str, *, times: int = 1, act: Callable[[], object] | None = None) -> Iterator[None]:
    """Within the block, the point does `act`, or raises Injected."""

    def fail() -> None:
        raise Injected(name)

    arm(name, times=times, act=act or fail)
    try:
        yield
    finally:
        disarm()


@contextmanager
def watched() -> Iterator[Counter[str]]:
    """Counts how often each point is passed within the block."""
    global _seen  # noqa: PLW0603
    _seen = Counter()
    try:
        yield _seen
    finally:
        _seen = None
