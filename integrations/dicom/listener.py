"""Keeps DICOM going beside the worker: one worklist server for each started connection, and the watch over the PACS."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import write_lock
from engine.errors import ConnectorFailed
from engine.settings import Settings
from integrations.connections import book
from integrations.dicom import arrivals

if TYPE_CHECKING:
    from integrations.dicom.scp import WorklistServer

logger = structlog.get_logger(__name__)
ROUND_SECONDS = 10.0


class Listener:
    """The DICOM part of a worker. Connections that are added, changed or stopped are heeded at the next round."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings, every: float = ROUND_SECONDS) -> None:
        self._sessions, self._settings, self._every = sessions, settings, every
        self.servers: dict[str, tuple[dict[str, Any], WorklistServer]] = {}

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop` is set."""
        while not stop.is_set():
            try:
                self.round()
            except SQLAlchemyError as error:
                logger.warning("dicom_round_failed", reason=type(error).__name__)
            stop.wait(self._every)
        for _, server in self.servers.values():
            server.stop()

    def round(self) -> None:
        """Starts and stops servers as the book of connections says, and looks into each watched PACS once."""
        with self._sessions() as session:
            rows = [book.copy(row) for row in book.listed(session) if row.kind == "dicom_listener" and row.state == "started"]
            wanted = {row.name: dict(row.address) for row in rows}
            pacs = arrivals.watched(session)
        for name in [name for name, (address, _) in self.servers.items() if wanted.get(name) != address]:
            self.servers.pop(name)[1].stop()
        for name, address in wanted.items():
            if name not in self.servers:
                self._start(name, address)
        for link in pacs:
            try:
                arrivals.look(self._sessions, link)
                self._noted(link.name, "")
            except ConnectorFailed as failure:
                logger.warning("pacs_not_asked", connection=link.name, reason=failure.message)
                self._noted(link.name, failure.message)

    def _start(self, name: str, address: dict[str, Any]) -> None:
        from integrations.dicom.scp import WorklistServer  # loads the DICOM libraries, which most installations do not need

        try:
            self.servers[name] = (address, WorklistServer(self._sessions, self._settings, address, name))
        except (OSError, ValueError) as error:
            logger.warning("worklist_not_served", connection=name, reason=str(error))
            self._noted(name, f"{type(error).__name__}: {error}")

    def _noted(self, name: str, error: str) -> None:
        with contextlib.suppress(SQLAlchemyError), self._sessions() as session:
            write_lock(session)
            row = book.find(session, name)
            if row is not None and error:
                row.last_bad, row.last_error = clock.now(), error[:500]
            elif row is not None:
                row.last_good = clock.now()
            session.commit()
