"""A far end that takes money: it keeps its own books in a file of its own, and honours idempotency keys or does not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.execution.connectors import Call


@dataclass
class FarEnd:
    """The books: who asked, what was really charged, and when workers took the calls."""

    path: Path

    def __post_init__(self) -> None:
        with self._open() as books:
            books.execute("CREATE TABLE IF NOT EXISTS asked (id INTEGER PRIMARY KEY, key TEXT)")
            books.execute("CREATE TABLE IF NOT EXISTS claimed (key TEXT, at REAL)")
            books.execute("CREATE TABLE IF NOT EXISTS charged (receipt TEXT PRIMARY KEY, key TEXT)")

    def _open(self) -> sqlite3.Connection:
        books = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        books.execute("PRAGMA journal_mode=WAL")
        return books

    def charge(self, key: str, *, honours_keys: bool) -> None:
        """Takes the money: once for each key, or each time when keys mean nothing to it."""
        with self._open() as books:
            books.execute("INSERT INTO asked (key) VALUES (?)", (key,))
            receipt = key if honours_keys else uuid4().hex
            books.execute("INSERT OR IGNORE INTO charged (receipt, key) VALUES (?, ?)", (receipt, key))

    def count(self, what: str) -> int:
        """asked: calls; charged: effects; keys: different keys that had an effect."""
        query = "SELECT count(DISTINCT key) FROM charged" if what == "keys" else f"SELECT count(*) FROM {what}"
        with self._open() as books:
            return int(books.execute(query).fetchone()[0])

    def claimed(self, keys: list[str]) -> None:
        """Notes that a worker has taken these calls."""
        with self._open() as books:
            books.executemany("INSERT INTO claimed VALUES (?, ?)", [(key, time.time()) for key in keys])

    def gaps(self) -> list[float]:
        """Seconds between a worker's taking a call and the next worker's taking it over, in ascending order."""
        with self._open() as books:
            rows = books.execute("SELECT key, at FROM claimed ORDER BY key, at").fetchall()
        return sorted(later - earlier for (key, earlier), (same, later) in pairwise(rows) if key == same)


@dataclass
class Charge:
    """The connector in front of it. After the effect it dawdles: there a kill hurts most."""

    far_end: FarEnd
    honours_keys: bool
    type: str = "charge"
    pause: float = 0.15

    def call(self, call: Call) -> Mapping[str, Any]:
        """Charges, then answers late."""
        self.far_end.charge(call.key, honours_keys=self.honours_keys)
        time.sleep(self.pause)
        return {"receipt": call.key}
