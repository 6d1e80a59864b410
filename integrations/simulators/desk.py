"""What arrived at the simulated far ends and what became of it; kept in a file, so that a restart forgets nothing."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KEPT = 400  # finished items that are remembered
ENDS = ("his", "lis", "ris", "wechat", "alipay", "card", "insurance", "partner", "pharmacy", "sms")


@dataclass
class Item:
    """Something that one far end was asked for. `state`: noted (nothing to answer), waiting, asked, accepted, answered."""

    id: str
    end: str
    kind: str  # visit, charge, order, payment, referral, communication
    number: str  # the order, payment or referral it is about
    state: str
    shown: dict[str, Any]  # what a person playing this end sees
    data: dict[str, Any] = field(default_factory=dict)  # what the end needs to answer
    at: float = field(default_factory=time.time)
    due: float = 0.0  # when auto mode answers
    tries: int = 0
    answer: str = ""


@dataclass
class Faults:
    """Chances of misbehaving, for chaos tests: an error before anything is done, silence, a lost answer, double delivery."""

    error: float = 0.0
    hang: float = 0.0
    lost: float = 0.0
    duplicate: float = 0.0
    hang_seconds: float = 0.0


class Desk:
    """The shared state of all simulated far ends of one process."""

    def __init__(self, file: Path | None = None, *, seed: int = 1, auto: bool = True, delay: float = 3.0) -> None:
        self._file = file
        self.lock = threading.RLock()
        self.random = random.Random(seed)  # noqa: S311  a simulation wants the same luck each time
        self.auto, self.delay = auto, delay
        self.early_bills = False  # whether today's bill can be had already
        self.down: dict[str, float] = {}
        self.faults: dict[str, Faults] = {}
        self.items: dict[str, Item] = {}
        self.seen: dict[str, Any] = {}  # answers by the wire's own idempotency key
        self._load()

    def add(self, item: Item) -> Item:
        """Notes what arrived, once."""
        with self.lock:
            if item.id in self.items:
                return self.items[item.id]
            item.due = time.time() + self.delay * self.random.uniform(0.6, 1.6)
            self.items[item.id] = item
            self.save()
            return item

    def once(self, key: str, act: Any) -> Any:
        """The answer kept for `key`, or `act()`'s, which is then kept: how a far end recognises what it has seen."""
        with self.lock:
            if key not in self.seen:
                self.seen[key] = act()
                self.save()
            return self.seen[key]

    def due(self) -> list[Item]:
        """Items that auto mode should answer now."""
        now = time.time()
        with self.lock:
            return (
                [i for i in self.items.values() if i.state in ("waiting", "accepted") and i.due <= now and not self.is_down(i.end)]
                if self.auto
                else []
            )

    def is_down(self, end: str) -> bool:
        """Whether that end is out of order now."""
        return self.down.get(end, 0.0) > time.time()

    def set_down(self, end: str, seconds: float) -> None:
        """Takes an end out of order for a while; 0 brings it back."""
        with self.lock:
            self.down[end] = time.time() + seconds

    def set_auto(self, on: bool, delay: float | None = None) -> None:
        """Switches auto mode; what waits is answered `delay` seconds from now at the latest."""
        with self.lock:
            self.auto = on
            self.delay = self.delay if delay is None else max(0.0, delay)
            for item in self.items.values():
                item.due = min(item.due, time.time() + self.delay * 1.6) if item.due else 0.0
            self.save()

    def of(self, end: str) -> Iterable[Item]:
        """What arrived at an end, newest first."""
        with self.lock:
            return sorted((item for item in self.items.values() if item.end == end), key=lambda item: -item.at)

    def save(self) -> None:
        """Writes the state to the file, atomically."""
        if self._file is None:
            return
        done = sorted((i for i in self.items.values() if i.state in ("noted", "answered")), key=lambda i: -i.at)[KEPT:]
        for item in done:
            del self.items[item.id]
        self.seen = dict(list(self.seen.items())[-KEPT * 4 :])
        state = {"auto": self.auto, "delay": self.delay, "items": [asdict(i) for i in self.items.values()], "seen": self.seen}
        partial = self._file.with_suffix(".part")
        partial.write_text(json.dumps(state, ensure_ascii=False))
        partial.replace(self._file)

    def _load(self) -> None:
        if self._file is None or not self._file.exists():
            return
        state = json.loads(self._file.read_text())
        self.auto, self.delay, self.seen = state["auto"], state["delay"], state["seen"]
        self.items = {item["id"]: Item(**item) for item in state["items"]}
