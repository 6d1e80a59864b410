"""The book of connections: look one up, change it, start and stop it."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import ConnectorFailed, NotFound
from engine.execution.tables import Job
from integrations import runtime
from integrations.connections import history
from integrations.connections.tables import Connection

CACHE_SECONDS = 5.0
OVERRIDES = "connections.toml"
STOPPED = "The connection {name} is stopped; the call waits until it is started."


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


_cache: dict[tuple[int, str], tuple[float, Link | None]] = {}
_lock = threading.Lock()


def link(name: str) -> Link:
    """The started connection of that name, cached for a few seconds."""
    found = known(name)
    if found is None:
        raise ConnectorFailed(f"There is no connection {name!r}; an integration engineer must add it.", kind="permanent")
    if found.state != "started":
        raise ConnectorFailed(STOPPED.format(name=name), kind="transient", stopped=True)
    return found


def known(name: str) -> Link | None:
    """The connection of that name in whatever state, cached for a few seconds; None when there is none."""
    key = (id(runtime.sessions()), name)
    with _lock:
        kept = _cache.get(key)
    if kept is None or kept[0] < time.monotonic():
        with runtime.reading() as session:
            found = find(session, name)
        kept = (time.monotonic() + CACHE_SECONDS, copy(found) if found is not None else None)
        with _lock:
            _cache[key] = kept
    return kept[1]


def accepts(session: Session, name: str) -> bool:
    """Whether what comes in on that connection may be taken now: it is unknown (and its own edge says so) or started."""
    return session.scalar(select(Connection.state).where(Connection.name == name)) in (None, "started")


def exists(name: str) -> bool:
    """Whether a connection of that name is known."""
    with runtime.reading() as session:
        return find(session, name) is not None


def copy(row: Connection) -> Link:
    """A session-free copy of the row."""
    address = {**row.address, **elsewhere(row.name)}
    return Link(row.name, row.kind, _Told(row.name, address), row.state, _Told(row.name, row.secrets or {}))


def elsewhere(name: str) -> Mapping[str, Any]:
    """What this environment says otherwise about a connection's address: its table in `connections.toml` of the var directory.

    So a copy of the hospital's database talks to a test system, and nothing of the diagrams or the rows is changed. Raises
    ConnectorFailed (permanent) when the file cannot be read: better no call than one to the wrong place.
    """
    settings = runtime.known_settings()
    path = settings.var_dir / OVERRIDES if settings else None
    if path is None or not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text()).get(name, {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConnectorFailed(f"{OVERRIDES} cannot be read: {error}", kind="permanent") from error
    return found if isinstance(found, dict) else {}


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
    alert_minutes: int | None = None,
    keep_days: int | Literal["as it was"] | None = "as it was",
    by: str = "system",
) -> Connection:
    """Adds or changes a connection and notes what changed. Secrets that are not given stay as they were."""
    row = find(session, name)
    now = clock.now()
    before: dict[str, Any] | None = history.picture(row) if row is not None else None
    if row is None:
        row = Connection(name=name, kind=kind, created=now, state="started", title={}, alert_minutes=10)
        session.add(row)
    row.kind, row.direction, row.address = kind, direction, dict(address)
    row.title = dict(title) if title is not None else row.title
    row.alert_minutes = alert_minutes or row.alert_minutes
    row.keep_days = row.keep_days if keep_days == "as it was" else keep_days
    changed = history.difference(before or {}, history.picture(row))
    replaced = sorted(field for field, value in (secrets or {}).items() if (row.secrets or {}).get(field) != value)
    if replaced:
        row.secrets = {**(row.secrets or {}), **(secrets or {})}
    if changed or replaced:
        row.changed, row.changed_by = now, by
        history.note(
            session, name, "added" if before is None else "edited", {**changed, **{f"secret.{field}": ["…", "…"] for field in replaced}}, by=by
        )
    session.flush()
    forget()
    return row


def switch(session: Session, name: str, state: str, *, by: str) -> Connection:
    """Starts or stops a connection: `state` is started or stopped."""
    if state not in ("started", "stopped"):
        raise ValueError(f"a connection is started or stopped, not {state}")
    row = get(session, name)
    if row.state != state:
        row.state, row.changed, row.changed_by = state, clock.now(), by
        history.note(session, name, state, {}, by=by)
        if state == "started":  # what waited for this goes on at once
            waiting = (Job.kind == "call", Job.state == "ready", Job.error == STOPPED.format(name=name))
            session.execute(update(Job).where(*waiting).values(due=clock.now()))
    session.flush()
    forget()
    return row
