"""Raise an alert, list the open ones of a person, mark one as seen."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import NotFound
from integrations.notices.tables import Alert


def raise_alert(
    session: Session,
    text: str,
    *,
    key: str,
    level: str = "info",
    role: str | None = None,
    department: str | None = None,
    instance_id: str | None = None,
) -> Alert:
    """Shows `text` to a role, a department, or both; the same key raises it once."""
    found = session.scalar(select(Alert).where(Alert.key == key))
    if found is None:
        found = Alert(key=key, text=text, level=level, role=role, department=department, instance_id=instance_id, at=clock.now())
        session.add(found)
        session.flush()
    return found


def unseen(session: Session, *, roles: Iterable[str], departments: Iterable[str] | None = None, limit: int = 20) -> list[Alert]:
    """The newest unseen alerts for these roles; `departments` None means every department."""
    query = select(Alert).where(Alert.seen.is_(None), or_(Alert.role.is_(None), Alert.role.in_(list(roles))))
    if departments is not None:
        query = query.where(or_(Alert.department.is_(None), Alert.department.in_(list(departments))))
    return list(session.scalars(query.order_by(Alert.at.desc()).limit(limit)))


def mark_seen(session: Session, alert_id: str, *, by: str) -> Alert:
    """Takes an alert off the board."""
    found = session.get(Alert, alert_id)
    if found is None:
        raise NotFound
    if found.seen is None:
        found.seen, found.seen_by = clock.now(), by
    return found
