"""A circuit breaker per connection: after five failures in a row nothing is sent for half a minute, then one call tries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pybreaker

from engine.errors import BpmnError, ConnectorFailed

FAILURES = 5
RESET_SECONDS = 30

T = TypeVar("T")

_breakers: dict[str, pybreaker.CircuitBreaker] = {}
_lock = threading.Lock()


def guard(name: str, send: Callable[[], T]) -> T:
    """Runs `send` unless the connection's circuit is open; then ConnectorFailed (transient) at once."""
    try:
        answer: T = _breaker(name).call(send)
    except pybreaker.CircuitBreakerError:
        text = f"{name} failed {FAILURES} times in a row; calls rest for up to {RESET_SECONDS} s."
        raise ConnectorFailed(text, kind="transient") from None
    return answer


def state(name: str) -> str:
    """Closed (calls go through), open (they rest) or half-open (one tries)."""
    return str(_breaker(name).current_state)


def reset() -> None:
    """Closes every circuit of this process."""
    with _lock:
        _breakers.clear()


def _breaker(name: str) -> pybreaker.CircuitBreaker:
    with _lock:
        if name not in _breakers:
            _breakers[name] = pybreaker.CircuitBreaker(
                fail_max=FAILURES, reset_timeout=RESET_SECONDS, exclude=[_not_down], name=name, throw_new_error_on_trip=False
            )
        return _breakers[name]


def _not_down(error: BaseException) -> bool:
    return isinstance(error, BpmnError) or (isinstance(error, ConnectorFailed) and error.kind == "permanent")
