"""What people did to connections, and the changes themselves: kept, with secrets named but never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from integrations.connections.tables import Connection, ConnectionChange

_FIELDS = ("kind", "direction", "title", "address", "alert_minutes", "keep_days")


def note(session: Session, connection: str, what: str, detail: Mapping[str, Any], *, by: str) -> ConnectionChange:
    """Adds a line to a connection's history."""
    made = ConnectionChange(connection=connection, what=what, detail=dict(detail), by=by, at=clock.now())
    session.add(made)
    session.flush()
    return made


def of(session: Session, connection: str, limit: int = 50) -> list[ConnectionChange]:
    """A connection's history, newest first."""
    rows = select(ConnectionChange).where(ConnectionChange.connection == connection)
    return list(session.scalars(rows.order_by(ConnectionChange.at.desc(), ConnectionChange.id.desc()).limit(limit)))


def picture(row: Connection) -> dict[str, Any]:
    """What may be shown of a connection's settings, flat: address fields by their own names, secrets by name only."""
    flat = {name: getattr(row, name) for name in _FIELDS if name != "address"}
    return {**flat, **{f"address.{name}": value for name, value in row.address.items()}}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Each field that changed, with what it was and is."""
    names = sorted({*before, *after})
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
