"""Keeping the access record."""

from __future__ import annotations

from collections.abc import Iterable

from flask import g, request
from sqlalchemy.orm import Session

from engine.clock import now
from web.records.tables import AccessRecord


def keep_reads(session: Session, reads: Iterable[tuple[str, str]]) -> None:
    """Writes what this request showed: (action, patient id) pairs."""
    user = g.get("user")
    session.add_all(
        AccessRecord(
            at=now(),
            actor=user.login if user else g.get("reader", ""),
            action=action,
            kind="R",
            patient=patient,
            source=(request.remote_addr or "")[:60],
        )
        for action, patient in sorted(reads)
    )
