"""One thread a process looks whether anything happened; every stream of the process waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from engine.execution.tables import Event

LOOK_EVERY = 0.7  # seconds
BEAT_EVERY = 5.0
LIFETIME = 240.0  # a stream ends and the browser reconnects, so that an ended session is noticed


class Watch:
    """The newest history row, watched while anybody listens. A database that does not answer stops the beats."""

    def __init__(self) -> None:
        self.listeners = 0
        self._changed = threading.Condition()
        self._stamp: int | None = None
        self._looked = 0.0
        self._thread: threading.Thread | None = None

    def events(self, engine: Engine, lifetime: float = LIFETIME) -> Iterator[str]:
        """The body of one stream."""
        with self._changed:
            self.listeners += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, args=(engine,), daemon=True, name="live-watch")
                self._thread.start()
        try:
            yield "retry: 3000\n\n"
            yield from self._beats(time.monotonic() + lifetime)
        finally:
            with self._changed:
                self.listeners -= 1

    def _beats(self, end: float) -> Iterator[str]:
        seen = self._stamp
        while time.monotonic() < end:
            with self._changed:
                changed = self._wait(seen)
                seen = self._stamp
            if changed:
                yield "event: changed\ndata: 1\n\n"
            elif time.monotonic() - self._looked < 2 * BEAT_EVERY:
                yield "event: beat\ndata: 1\n\n"

    def _wait(self, seen: int | None) -> bool:
        return self._changed.wait_for(lambda: self._stamp != seen, timeout=BEAT_EVERY)

    def _look(self, engine: Engine) -> None:
        while self.listeners:
            try:
                with engine.connect() as connection:
                    stamp = connection.scalar(select(func.max(Event.id)))
            except SQLAlchemyError:
                time.sleep(LOOK_EVERY)
                continue
            with self._changed:
                self._looked = time.monotonic()
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._changed.notify_all()
            time.sleep(LOOK_EVERY)
