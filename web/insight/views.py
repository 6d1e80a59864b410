"""Insight: figures of the clinic's visits, as-is beside to-be, and where patients wait."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue

from engine.errors import NotFound
from web.access import allowed
from web.db import db
from web.i18n import language
from web.insight import page
from web.shell import departments
from web.visits.models import diagram as drawn

bp = Blueprint("insight", __name__, template_folder="templates")


@bp.get("/insight")
@allowed("insight.view")
def show() -> ResponseReturnValue:
    """The figures of a period and department, by arm and by day, and the steps by waiting."""
    choice = page.Choice.read(request.args)
    zone = ZoneInfo(current_app.config["CARELANE"].clinic_zone)
    found = page.page(db.session(), choice, zone)
    return render_template("insight/show.html", departments=departments(), ARMS=page.ARMS, PERIODS=page.PERIODS, **found)


@bp.get("/insight/diagrams/<process_id>")
@allowed("insight.view")
def diagram(process_id: str) -> ResponseReturnValue:
    """The diagram that the heat is drawn on, names in the reader's language."""
    row = page.version(db.session(), process_id, request.args.get("arm", ""))
    if row is None:
        raise NotFound
    return Response(drawn(db.session(), row, language()), mimetype="application/xml")
