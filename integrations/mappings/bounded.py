"""Evaluates JSONata in a process of its own and ends it when it takes too long: a bomb costs a second, not the clinic."""

from __future__ import annotations

import atexit
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import orjson

from engine.errors import CarelaneError

SECONDS = 1.0  # from the request to the answer; JSONata's own clock stops a little earlier and names the place
START_SECONDS = 20.0
KEPT = 4  # idle processes
_SCRIPT = Path(__file__).with_name("sandbox.py")


class MappingFailed(CarelaneError):
    """The mapping could not be evaluated."""

    def __init__(self, message: str, *, code: str = "", at: int | None = None) -> None:
        self.code, self.at = code, at
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A result with what the mapping's functions noticed: {rule, place, given}."""

    value: Any
    notes: list[dict[str, str]] = field(default_factory=list)


def evaluate(expression: str, data: Any, tables: Mapping[str, Any] | None = None) -> Evaluated:
    """The expression's value for `data`; MappingFailed with the position when it fails or takes longer than SECONDS."""
    return _ask({"expression": expression, "data": data, "tables": dict(tables or {}), "milliseconds": int(SECONDS * 850)})


def check(expression: str) -> None:
    """Raises MappingFailed when the expression cannot be read."""
    _ask({"expression": expression, "data": None, "tables": {}, "milliseconds": int(SECONDS * 850), "check": True})


def warm() -> None:
    """Starts a process now, so that the first message need not wait for it."""
    _give_back(_take())


def _ask(request: Mapping[str, Any]) -> Evaluated:
    child = _take()
    try:
        line = child.ask(orjson.dumps(request))
    except _Ended as ended:
        child.end()
        raise MappingFailed(str(ended), code="D1012") from ended
    _give_back(child)
    answer = orjson.loads(line)
    if "error" in answer:
        raise MappingFailed(str(answer["error"]), code=str(answer["code"]), at=answer["at"])
    return Evaluated(answer["value"], answer["notes"])


class _Ended(Exception):
    """The process had to be ended, or ended itself."""


class _Child:
    def __init__(self) -> None:
        # No environment: an expression finds no secret even if it should find a way out of JSONata.
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={"PYTHONIOENCODING": "utf-8", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._rest = b""
        self.ready = False

    def ask(self, request: bytes) -> bytes:
        """One line for one line, within the bound."""
        if not self.ready:
            self._line(START_SECONDS)
            self.ready = True
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(request + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise _Ended("The mapping's process had ended; try again.") from error
        return self._line(SECONDS)

    def _line(self, seconds: float) -> bytes:
        assert self.process.stdout is not None
        deadline = monotonic() + seconds
        while b"\n" not in self._rest:
            left = deadline - monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise _Ended(f"It took longer than {SECONDS:g} s and was stopped.")
            piece = self.process.stdout.read1(1 << 20)  # type: ignore[attr-defined]
            if not piece:
                raise _Ended("It needed too much memory and was stopped.")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:  # what was still to be written has no reader any more
                continue
        self.process.wait()


_idle: list[_Child] = []
_lock = Lock()


def _take() -> _Child:
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.process.poll() is None:
                return child
    return _Child()


def _give_back(child: _Child) -> None:
    with _lock:
        if len(_idle) < KEPT:
            _idle.append(child)
            return
    child.end()


@atexit.register
def close() -> None:
    """Ends all idle processes."""
    with _lock:
        children, _idle[:] = list(_idle), []
    for child in children:
        child.end()
