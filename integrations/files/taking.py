"""Takes files out of a watched directory: only whole ones, stored before anything is done with them, moved away at the end.

What was stored is known by its content. So a crash at any point repeats nothing: the file is found again and goes on where it was.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connections.book import Link
from integrations.files.places import PIECE, Entry, Place
from integrations.files.tables import InboundFile, InboundFilePart
from integrations.messages import worklist
from integrations.messages.tables import MessageLog

SETTLE_SECONDS = 5.0
MOST_MEGABYTES = 200
MARKER = ".done"
SHOWN = 2000  # bytes of a file that the message log's page shows
_UNFINISHED = ("*.tmp", "*.part", "*.partial", "*.filepart", "~*", ".*", f"*{MARKER}")


@dataclass
class Watch:
    """What a watcher remembers between two looks: how each file was, and since when it is so."""

    seen: dict[str, tuple[int, float, float]] = field(default_factory=dict)


def complete(link: Link, found: list[Entry], watch: Watch) -> list[Entry]:
    """The files that may be taken: marked as done, or, where the sender makes no marks, unchanged in size and time for a while."""
    names, now = {entry.name for entry in found}, time.monotonic()
    pattern = str(link.address.get("pattern") or "*")
    wanted = [
        entry for entry in found
        if fnmatch.fnmatchcase(entry.name.lower(), pattern.lower()) and not any(fnmatch.fnmatch(entry.name, form) for form in _UNFINISHED)
    ]  # fmt: skip
    if link.address.get("done_marker"):
        return [entry for entry in wanted if entry.name + MARKER in names]
    settle = float(link.address.get("settle_seconds") or SETTLE_SECONDS)
    before, watch.seen = watch.seen, {}
    ready = []
    for entry in wanted:
        size, changed, since = before.get(entry.name, (-1, 0.0, now))
        same = (size, changed) == (entry.size, entry.changed)
        watch.seen[entry.name] = (entry.size, entry.changed, since if same else now)
        if same and now - since >= settle:
            ready.append(entry)
    return ready


def take(link: Link, place: Place, entry: Entry) -> InboundFile | None:
    """Stores a file; the one known already when the same content came before. None when it changed while it was read."""
    with tempfile.TemporaryFile() as copy:
        digest, size = _fetched(link, place, entry, copy)
        if size != entry.size:
            return None
        with runtime.transaction() as session:
            known = session.scalar(select(InboundFile).filter_by(connection=link.name, digest=digest))
            if known is not None:
                _again(session, known, entry)
                return known
            return _stored(session, link, entry, digest, copy)


def content(file_id: str) -> IO[bytes]:
    """A stored file to be read from its beginning, a part at a time."""
    return _Parts(_pieces(file_id))  # type: ignore[return-value]


def put_away(link: Link, place: Place, row: InboundFile, name: str) -> None:
    """Moves a file that was read to the archive, one that could not be to the error folder; then its marker goes."""
    folder = str(link.address.get("error") or "error") if row.failed else str(link.address.get("archive") or "archive")
    if place.exists(name):
        place.folder(folder)
        to = f"{folder}/{clock.now():%Y%m%dT%H%M%S}-{row.digest[:8]}-{row.times}-{name}"
        place.rename(name, to)
    if place.exists(name + MARKER):
        place.remove(name + MARKER)


def forget(session: Session, limit: int = 200) -> int:
    """Deletes the parts of files whose content left the message log by the connection's retention; returns of how many files."""
    gone = select(InboundFile.id).join(MessageLog, MessageLog.id == InboundFile.message_id).where(MessageLog.purged.is_not(None))
    waiting = select(InboundFilePart.file_id).where(InboundFilePart.file_id.in_(gone)).distinct().limit(limit)
    ids = list(session.scalars(waiting))
    if ids:
        session.execute(delete(InboundFilePart).where(InboundFilePart.file_id.in_(ids)))
    return len(ids)


def _fetched(link: Link, place: Place, entry: Entry, copy: IO[bytes]) -> tuple[str, int]:
    most = int(link.address.get("most_megabytes") or MOST_MEGABYTES) * 1024 * 1024
    if entry.size > most:
        raise ConnectorFailed(
            f"{link.name}: {entry.name} has {entry.size // 1024 // 1024} MB, more than most_megabytes allows", kind="permanent"
        )
    digest, size = hashlib.sha256(), 0
    with place.open(entry.name) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
            copy.write(piece)
    return digest.hexdigest(), size


def _stored(session: Session, link: Link, entry: Entry, digest: str, copy: IO[bytes]) -> InboundFile:
    copy.seek(0)
    head = copy.read(SHOWN).decode(str(link.address.get("encoding") or "utf-8"), "replace")
    message = MessageLog(
        direction="in", connection=link.name, kind="file", control=f"file:{digest[:64]}", digest=digest, reference=None, state="reading",
        raw={"file": entry.name, "bytes": entry.size, "sha256": digest, "payload": head}, attempts=1, at=clock.now(),
    )  # fmt: skip
    session.add(message)
    session.flush()
    row = InboundFile(
        connection=link.name, name=entry.name[:255], digest=digest, size=entry.size, message_id=message.id, at=clock.now(), state="reading",
        failed=False, rows=0, placed=0, listed=0, repeated=0, times=1,
    )  # fmt: skip
    session.add(row)
    session.flush()
    copy.seek(0)
    number = 0
    while piece := copy.read(PIECE):
        part = InboundFilePart(file_id=row.id, number=number, content=base64.b64encode(piece).decode())
        session.add(part)
        session.flush()
        session.expunge(part)
        number += 1
    return row


def _again(session: Session, known: InboundFile, entry: Entry) -> None:
    """The same content lies there once more: it is counted and moved away, and nothing is done with it. Not so after a crash."""
    if known.state == "done":
        known.times += 1
        session.get_one(MessageLog, known.message_id).attempts += 1
        known.state = "read"
    known.name = entry.name[:255]


def close(session: Session, row: InboundFile, wrong: str = "") -> None:
    """Notes that all rows were placed, or why no more can be read: then it is on the work list, with what came before it placed."""
    message = session.get_one(MessageLog, row.message_id)
    row.state, row.ended, row.failed, row.error = "read", clock.now(), bool(wrong), wrong or None
    message.ended, message.error = clock.now(), wrong or None
    message.state = "unmatched" if wrong else "matched"
    if wrong:
        after = f"; {row.rows} rows before that were read" if row.rows else ""
        worklist.add(session, message, "unreadable", f"{row.name}: {wrong}{after}")
    session.flush()


def _pieces(file_id: str) -> Iterator[bytes]:
    number = 0
    while True:
        with runtime.reading() as session:
            found = session.scalar(select(InboundFilePart.content).filter_by(file_id=file_id, number=number))
        if found is None:
            return
        yield base64.b64decode(found)
        number += 1


class _Parts:
    """Pieces as a file: just what reading line by line and an XML parser ask for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest, self._at = pieces, b"", 0

    def read(self, size: int) -> bytes:
        while len(self._rest) - self._at < size and self._more():
            continue
        return self._cut(min(self._at + size, len(self._rest)))

    def readline(self, most: int) -> bytes:
        end, seen = -1, self._at
        while (end := self._rest.find(b"\n", seen)) < 0 and len(self._rest) - self._at < most:
            seen = len(self._rest) - self._at
            if not self._more():
                end = len(self._rest) - 1
                break
        stop = self._at + most
        return self._cut(min(end + 1, stop) if end >= 0 else min(stop, len(self._rest)))

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._rest, self._at = self._rest[self._at :] + piece, 0
        return True

    def _cut(self, end: int) -> bytes:
        found, self._at = self._rest[self._at : end], end
        return found
