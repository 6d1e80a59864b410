"""Rows that a schema's new version must fill. Frozen with the version that calls it: nothing here imports today's code."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

_TASK = sa.table(
    "task", sa.column("id"), sa.column("state"), sa.column("acuity"), sa.column("priority"), sa.column("due", sa.DateTime()),
    sa.column("urgency"), sa.column("offer"), sa.column("roles", sa.JSON()), sa.column("users", sa.JSON()),
)  # fmt: skip


def sort_open_tasks(connection: Connection) -> None:
    """0002: open tasks get what inboxes are sorted by (acuity, priority, due) and whom they are offered to alone."""
    change = sa.update(_TASK).where(_TASK.c.id == sa.bindparam("at_id"))
    rows = connection.execute(sa.select(_TASK).where(_TASK.c.state == "open")).all()
    filled = [{"at_id": row.id, "urgency": _urgency(row.acuity, row.priority, row.due), "offer": _offer(row)} for row in rows]
    if filled:
        connection.execute(change, filled)


def _urgency(acuity: int | None, priority: int, due: datetime | None) -> str:
    level = 9 if acuity is None else min(max(acuity, 0), 9)
    return f"{level}{100 - priority:03d}{due:%Y%m%d%H%M%S}" if due else f"{level}{100 - priority:03d}9"


def _offer(row: Any) -> str:
    return str(row.roles[0]) if len(row.roles) == 1 and not row.users else "*"
