"""Puts a file where another system fetches it: whole or not at all, and once for a key, also when the writer died half-way."""

from __future__ import annotations

import time
from contextlib import suppress

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections.book import Link
from integrations.files import places
from integrations.files.places import Place

OURS = ".carelane"  # beside the files: what is being written, and marks of what was
KEEP_SECONDS = 30 * 24 * 3600
MOST_SWEPT = 50


def drop(link: Link, name: str, content: bytes, mark: str, *, replace: bool = False) -> str:
    """Writes `content` as `name` in the connection's directory; the same `mark` again changes nothing. Returns the name it has.

    Order: the part is written whole, then the mark, then the part gets its name. A mark without a part says that it has got it,
    also when the reader has taken it away since. BpmnError FAR_END_REFUSED when another file of that name lies there still.
    """
    try:
        with places.opened(link) as place:
            return _drop(place, name, content, mark, replace=replace)
    except PermissionError as error:
        raise ConnectorFailed(f"{link.name}: we may not write there", kind="permanent") from error
    except OSError as error:  # written again under the same mark, it is the same file
        raise ConnectorFailed(f"{link.name}: {type(error).__name__}: {error}", kind="transient") from error


def _drop(place: Place, name: str, content: bytes, mark: str, *, replace: bool) -> str:
    part, marked = f"{OURS}/{mark}.part", f"{OURS}/{mark}.done"
    place.folder(OURS)
    if not place.exists(marked):
        if place.exists(name) and not replace:
            raise BpmnError("FAR_END_REFUSED", f"A file {name} lies there already, and nobody has fetched it.")
        place.write(part, content)
        place.write(marked, name.encode())
    else:
        with place.open(marked) as file:
            name = file.read().decode() or name
    if place.exists(part):
        if place.exists(name):
            if not replace:
                raise BpmnError("FAR_END_REFUSED", f"A file {name} lies there already, and nobody has fetched it.")
            place.remove(name)
        place.rename(part, name)
    if mark.startswith("0"):  # one time in sixteen is often enough
        _sweep(place)
    return name


def _sweep(place: Place) -> None:
    """Takes away marks that nobody can ask for any more: a job is not tried again after a month."""
    before = time.time() - KEEP_SECONDS
    for entry in place.entries(OURS)[:MOST_SWEPT]:
        if entry.changed < before:
            with suppress(FileNotFoundError):
                place.remove(f"{OURS}/{entry.name}")
