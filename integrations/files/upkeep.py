"""Watches the directories of the connections that say so. The worker runs `forever` in a thread of its own."""

from __future__ import annotations

import threading
from itertools import islice

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from engine import clock
from engine.errors import CarelaneError
from integrations import runtime
from integrations.connections import book
from integrations.connections.book import Link
from integrations.files import places, placing, taking
from integrations.files.places import Place
from integrations.files.tables import InboundFile
from integrations.files.taking import Watch

SECONDS = 2.0
MOST_A_ROUND = 50

logger = structlog.get_logger(__name__)


def forever(stop: threading.Event) -> None:
    """Looks at each watched directory until `stop` is set."""
    watches: dict[str, Watch] = {}
    while not stop.wait(SECONDS):
        try:
            once(watches)
        except (SQLAlchemyError, CarelaneError) as error:
            logger.warning("files_failed", error=type(error).__name__)


def once(watches: dict[str, Watch]) -> int:
    """One look at each; returns how many files were read. A directory that cannot be reached does not hold up the others."""
    with runtime.reading() as session:
        links = [book.copy(row) for row in book.listed(session) if row.kind in ("folder", "sftp") and row.state == "started"]
    done = 0
    for link in (one for one in links if one.address.get("watch")):
        try:
            done += look(link, watches.setdefault(link.name, Watch()))
        except (CarelaneError, OSError) as error:
            _note(link, f"{error.message}" if isinstance(error, CarelaneError) else f"{type(error).__name__}: {error}")
        else:
            _note(link, None)
    with runtime.transaction() as session:
        taking.forget(session)
    return done


def look(link: Link, watch: Watch) -> int:
    """Goes on with what was stored, then takes what lies there complete."""
    for row in _open(link):
        placing.place(link, row.id)
    done = 0
    with places.opened(link) as place:
        for entry in islice(taking.complete(link, place.entries(), watch), MOST_A_ROUND):
            row = taking.take(link, place, entry)
            if row is not None:
                placing.place(link, row.id)
                _put_away(link, place, row.id, entry.name)
                watch.seen.pop(entry.name, None)
                done += 1
        for row in _open(link):  # read before a crash: only its moving is left
            _put_away(link, place, row.id, row.name)
    return done


def _open(link: Link) -> list[InboundFile]:
    with runtime.reading() as session:
        return list(session.scalars(select(InboundFile).where(InboundFile.connection == link.name, InboundFile.state.in_(("reading", "read")))))


def _put_away(link: Link, place: Place, row_id: str, name: str) -> None:
    with runtime.reading() as session:
        row = session.get_one(InboundFile, row_id)
    if row.state != "read":
        return
    taking.put_away(link, place, row, name)
    with runtime.transaction() as session:
        session.get_one(InboundFile, row_id).state = "done"


def _note(link: Link, error: str | None) -> None:
    with runtime.reading() as session:
        row = book.get(session, link.name)
        fresh = row.last_good is not None and (clock.now() - row.last_good).total_seconds() < 60  # one writing a minute is enough
    if error is None and fresh:
        return
    with runtime.transaction() as session:
        row = book.get(session, link.name)
        if error is None:
            row.last_good = clock.now()
        else:
            row.last_bad, row.last_error = clock.now(), error[:500]
