"""Which version a new visit takes. Running visits are never touched: they stay on the version they began with."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Refused
from engine.models.tables import Definition
from engine.rollout.tables import RouteRule

DEFAULT = "as-is"


class Route(NamedTuple):
    """What `instances.start` is told. Both are None for a process that has no versions to choose from."""

    version_tag: str | None
    arm: str | None


def route(session: Session, process_id: str, department: str | None = None) -> Route:
    """The version that a visit of `department` takes now.

    The department's own latest rule holds, else the latest rule for all departments, else as-is where that version exists.
    """
    rules = in_force(session, process_id)
    rule = rules.get(department) or rules.get(None)
    tag = rule.version_tag if rule else DEFAULT if DEFAULT in tags(session, process_id) else None
    return Route(tag, tag)


def in_force(session: Session, process_id: str) -> dict[str | None, RouteRule]:
    """The rule that holds now for each department that has one."""
    query = select(RouteRule).where(RouteRule.process_id == process_id, RouteRule.since <= clock.now())
    return {rule.department: rule for rule in session.scalars(query.order_by(RouteRule.since, RouteRule.id))}


def rules(session: Session, process_id: str) -> list[RouteRule]:
    """Every rule there ever was, the newest first."""
    query = select(RouteRule).where(RouteRule.process_id == process_id)
    return list(session.scalars(query.order_by(RouteRule.since.desc(), RouteRule.id.desc())))


def tags(session: Session, process_id: str) -> list[str]:
    """The version tags that have been deployed for a process."""
    query = select(Definition.version_tag).where(Definition.kind == "process", Definition.key == process_id)
    return sorted({tag for tag in session.scalars(query.distinct()) if tag})


def switch(
    session: Session,
    process_id: str,
    department: str | None,
    version_tag: str,
    *,
    why: str,
    by: str,
    since: datetime | None = None,
    programme_id: str | None = None,
) -> RouteRule:
    """New visits of `department` take `version_tag` from `since` (now) on. Rolling back is switching to the old version.

    Refused without a reason, for a version that is not deployed, and for the version that already holds.
    """
    if not why.strip():
        raise Refused("Say why: the reason stays beside the decision.")
    if version_tag not in tags(session, process_id):
        raise Refused(f"No version of {process_id} tagged {version_tag} is deployed.")
    now = clock.now()
    if since is None and route(session, process_id, department).version_tag == version_tag:
        raise Refused(f"New visits already take {version_tag}.")
    rule = RouteRule(
        programme_id=programme_id,
        process_id=process_id,
        department=department,
        version_tag=version_tag,
        since=since or now,
        created=now,
        by=by,
        why=why.strip(),
    )
    session.add(rule)
    session.flush()
    return rule
