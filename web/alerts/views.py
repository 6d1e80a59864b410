"""The strip of alerts above every page, and taking one off it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from engine.errors import NotFound
from engine.execution.tables import Instance
from integrations.notices import board
from integrations.notices.tables import Alert
from web.access import allowed, may, scope_of, signed_in
from web.accounts.views import local
from web.db import db

bp = Blueprint("alerts", __name__, template_folder="templates")


def open_alerts() -> list[Alert]:
    """The unseen alerts for this person's roles and departments; those about a visit that has ended are no longer news."""
    if not may("alert.view"):
        return []
    user = signed_in()
    found = board.unseen(db.session(), roles=sorted(user.role_names), departments=scope_of(user, "alert.view"), limit=40)
    over = select(Instance.id).where(Instance.id.in_([a.instance_id for a in found]), Instance.state.in_(("completed", "cancelled")))
    ended = set(db.session.scalars(over)) if found else set()
    return [alert for alert in found if alert.instance_id not in ended]


def alert_department(alert_id: str) -> str | None:
    """The department of an alert for one of this person's roles; NotFound otherwise."""
    row = db.session.get(Alert, alert_id)
    if row is None or (row.role and row.role not in signed_in().role_names):
        raise NotFound
    return row.department


@bp.get("/alerts")
@allowed("alert.view")
def strip() -> ResponseReturnValue:
    """The strip alone, for its refresh."""
    return render_template("alerts/strip.html")


@bp.post("/alerts/<alert_id>/seen")
@allowed("alert.view", of=alert_department)
def seen(alert_id: str) -> ResponseReturnValue:
    """Takes an alert off the strip for everybody of the role."""
    board.mark_seen(db.session(), alert_id, by=signed_in().login)
    if "HX-Request" in request.headers:
        return render_template("alerts/strip.html")
    return redirect(local(request.form.get("next", "")) or "/")


bp.add_app_template_global(open_alerts, "open_alerts")
