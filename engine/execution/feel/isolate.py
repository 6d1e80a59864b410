"""The V8 isolate: one a process, made on first use, shared by its threads, limited in time and memory."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Any

import orjson
from py_mini_racer import JSEvalException, JSOOMException, JSTimeoutException, MiniRacer

from engine import clock
from engine.errors import ExpressionFailed
from engine.settings import Settings

BUNDLE = Path(__file__).with_name("bundle.js")


class Isolate:
    """One V8 isolate with FEEL and DMN loaded. Not safe for several threads at once; `ask` is."""

    def __init__(self, settings: Settings) -> None:
        self.timeout = settings.feel_timeout_ms / 1000
        self.zone = settings.clinic_zone
        self.racer = MiniRacer()
        self.racer.eval(BUNDLE.read_text(encoding="utf-8"))
        self.memory = settings.feel_memory_mb * 1024 * 1024
        self.racer.set_hard_memory_limit(self.memory)

    def is_filled(self) -> bool:
        """Whether what is left over takes a third of the memory or more, or cannot be told any more."""
        try:
            return bool(self.racer.heap_stats()["total_heap_size"] > self.memory / 3)
        except (JSEvalException, ValueError):
            return True

    def call(self, text: str) -> str:
        """Runs `carelane(text)` within the limits. Raises mini-racer's own errors.

        `MiniRacer.eval` goes through an asyncio loop in a thread of its own, which triples the cost of the hop. The same
        foreign calls are made here without it; the caller's lock gives the single file that this needs.
        """
        context = self.racer._ctx
        assert context is not None
        code = context._python_to_value_handle("carelane(" + orjson.dumps(text).decode() + ")")
        results = context._non_cancelable_mr_task_results_queue
        task = context._dll.mr_eval(context._ctx, code.raw, 0)
        try:
            handle = results.get(timeout=self.timeout)
        except queue.Empty:
            context._dll.mr_cancel_task(context._ctx, task)
            results.get()
            raise JSTimeoutException from None
        answer = context._value_handle_to_python(handle)
        if not isinstance(answer, str):
            raise ExpressionFailed("The expression isolate gave no text back.")
        return answer


_lock = threading.Lock()
_settings: Settings | None = None
_isolate: Isolate | None = None
_inherited: list[Isolate] = []


def configure(settings: Settings) -> None:
    """Uses these limits and this zone from now on, instead of those in the environment."""
    global _settings, _isolate  # noqa: PLW0603
    with _lock:
        _settings = settings
        _isolate = None


def ask(request: dict[str, Any]) -> Any:
    """Sends one request into the isolate and gives its answer; the answer's values are still in transport form.

    Raises ExpressionFailed when time or memory ran out. An isolate that was filled is thrown away: the next evaluation,
    however small, would find no room.
    """
    with _lock:
        isolate = present()
        request["now"] = [clock.now().isoformat(), isolate.zone]
        try:
            return orjson.loads(isolate.call(orjson.dumps(request).decode()))
        except JSOOMException as error:
            _throw_away(isolate)
            raise ExpressionFailed("It needs more memory than an expression may have.") from error
        except JSTimeoutException as error:
            if isolate.is_filled():
                _throw_away(isolate)
            raise ExpressionFailed(f"It took longer than the {isolate.timeout:g} s that an expression may take.") from error
        except (orjson.JSONEncodeError, orjson.JSONDecodeError) as error:
            raise ExpressionFailed(f"A value is too deep, or holds text that is no Unicode: {error}.") from error
        except JSEvalException as error:
            raise ExpressionFailed(f"It could not be evaluated: {_first_line(error)}.") from error


def present() -> Isolate:
    """This process's isolate, made when there is none."""
    global _settings, _isolate  # noqa: PLW0603
    if _isolate is None:
        _settings = _settings or Settings.from_env()
        _isolate = Isolate(_settings)
    return _isolate


def _throw_away(isolate: Isolate) -> None:
    """Makes room for a new isolate; freeing the old one's memory takes its time and nobody waits for it."""
    global _isolate  # noqa: PLW0603
    _isolate = None
    threading.Thread(target=isolate.racer.close, name="feel-close", daemon=True).start()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["unknown cause"])[0].rstrip(".")


def _forget_after_fork() -> None:
    """A child process has the isolate's memory but not its threads: keep it untouched and make another."""
    global _lock, _isolate  # noqa: PLW0603
    _lock = threading.Lock()
    if _isolate is not None:
        _inherited.append(_isolate)
        _isolate = None


os.register_at_fork(after_in_child=_forget_after_fork)
