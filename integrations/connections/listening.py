"""Keeps one MLLP listener running for each inbound connection of the book, also as they are added, moved and removed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.errors import CarelaneError
from engine.settings import Settings
from integrations import runtime
from integrations.connections import book
from integrations.hl7.listener import Listener

LOOK_SECONDS = 2.0

logger = structlog.get_logger(__name__)


@dataclass
class _Running:
    address: Mapping[str, Any]
    stop: threading.Event
    thread: threading.Thread


def forever(sessions: sessionmaker[Session], settings: Settings, stop: threading.Event) -> None:
    """Serves until `stop` is set. A stopped connection keeps its port: its senders are answered AE, and send again later."""
    running: dict[str, _Running] = {}
    while True:
        try:
            _look(sessions, settings, running)
        except (SQLAlchemyError, CarelaneError) as error:
            logger.warning("listeners_not_looked_after", error=type(error).__name__)
        if stop.wait(LOOK_SECONDS):
            break
    for name in list(running):
        _end(running, name)


def _look(sessions: sessionmaker[Session], settings: Settings, running: dict[str, _Running]) -> None:
    with sessions() as session:
        rows = [book.copy(row) for row in book.listed(session) if row.kind == "mllp_listener"]
    wanted = {row.name: dict(row.address) for row in rows} or {"mllp": {"host": settings.host, "port": settings.mllp_port}}
    for name in [name for name, one in running.items() if wanted.get(name) != one.address or not one.thread.is_alive()]:
        _end(running, name)
    for name, address in wanted.items():
        if name not in running:
            _begin(sessions, settings, running, name, address)


def _begin(sessions: sessionmaker[Session], settings: Settings, running: dict[str, _Running], name: str, address: dict[str, Any]) -> None:
    try:
        listener = Listener(sessions, settings, address, name)
    except (OSError, KeyError, ValueError) as error:  # the port is taken, the certificate cannot be read …
        with runtime.transaction() as session:
            if (row := book.find(session, name)) is not None:
                row.last_bad, row.last_error = clock.now(), f"It cannot listen: {type(error).__name__}: {error}"[:500]
        return
    stop = threading.Event()
    thread = threading.Thread(target=listener.run, args=(stop,), name=f"mllp-{name}", daemon=True)
    thread.start()
    running[name] = _Running(address, stop, thread)


def _end(running: dict[str, _Running], name: str) -> None:
    one = running.pop(name)
    one.stop.set()
    one.thread.join(10)
