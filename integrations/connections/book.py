"""The book of connections: look one up, change it, start and stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import ConnectorFailed, NotFound
from integrations import runtime
from integrations.connections.tables import Connection

CACHE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Link:
    """A connection as a connector uses it: a copy, free of any session. `secrets` never appears in its repr."""

    name: str
    kind: str
    address: Mapping[str, Any]
    state: str = "started"
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        return float(self.address.get("timeout", 10))

    @property
    def idempotent(self) -> bool:
        """Whether the far end recognises a key that it has seen: only then may a lost answer be asked for again."""
        return bool(self.address.get("idempotent", False))


class _Told(dict[str, Any]):
    """Settings of a connection; what is missing is said in words instead of a KeyError."""

    def __init__(self, connection: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._connection = connection

    def __missing__(self, name: str) -> Any:
        raise ConnectorFailed(f"The connection {self._connection} does not say its {name}.", kind="permanent")


_cache: dict[tuple[int, str], tuple[float, Link]] = {}
_lock = threading.Lock()


def link(name: str) -> Link:
    """The started connection of that name, cached for a few seconds."""
    key = (id(runtime.sessions()), name)
    with _lock:
        kept = _cache.get(key)
    if kept is None or kept[0] < time.monotonic():
        with runtime.reading() as session:
            found = find(session, name)
        if found is None:
            raise ConnectorFailed(f"There is no connection {name!r}; an integration engineer must add it.", kind="permanent")
        kept = (time.monotonic() + CACHE_SECONDS, copy(found))
        with _lock:
            _cache[key] = kept
    if kept[1].state != "started":
        raise ConnectorFailed(f"The connection {name} is stopped; the call waits until it is started.", kind="transient")
    return kept[1]


def exists(name: str) -> bool:
    """Whether a connection of that name is known."""
    with runtime.reading() as session:
        return find(session, name) is not None


def copy(row: Connection) -> Link:
    """A session-free copy of the row."""
    return Link(row.name, row.kind, _Told(row.name, row.address), row.state, _Told(row.name, row.secrets or {}))


def forget() -> None:
    """Empties the cache: the next call reads the table again."""
    with _lock:
        _cache.clear()


def find(session: Session, name: str) -> Connection | None:
    """The row of that name, or None."""
    return session.scalar(select(Connection).where(Connection.name == name))


def get(session: Session, name: str) -> Connection:
    """The row of that name, or NotFound."""
    found = find(session, name)
    if found is None:
        raise NotFound(f"There is no connection {name!r}.")
    return found


def listed(session: Session) -> list[Connection]:
    """All connections by name."""
    return list(session.scalars(select(Connection).order_by(Connection.name)))


def put(
    session: Session,
    name: str,
    kind: str,
    *,
    address: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    direction: str = "out",
    title: Mapping[str, str] | None = None,
    by: str = "system",
) -> Connection:
    """Adds or changes a connection. Secrets that are not given stay as they were."""
    row = find(session, name)
    now = clock.now()
    if row is None:
        row = Connection(name=name, kind=kind, created=now, state="started")
        session.add(row)
    row.kind, row.direction, row.address, row.changed, row.changed_by = kind, direction, dict(address), now, by
    if title is not None:
        row.title = dict(title)
    if secrets is not None:
        row.secrets = {**(row.secrets or {}), **secrets}
    session.flush()
    forget()
    return row


def switch(session: Session, name: str, state: str, *, by: str) -> Connection:
    """Starts or stops a connection: `state` is started or stopped."""
    if state not in ("started", "stopped"):
        raise ValueError(f"a connection is started or stopped, not {state}")
    row = get(session, name)
    row.state, row.changed, row.changed_by = state, clock.now(), by
    session.flush()
    forget()
    return row
