"""Visits: the list, one visit's page with diagram and timeline, beginning and cancelling."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import NotFound
from engine.execution import incidents as stuck
from engine.execution import instances, jobs, tasks
from engine.models.tables import Definition
from web.access import allowed, may, scope_of, signed_in
from web.db import db
from web.i18n import language
from web.shell import departments
from web.visits import listing, models
from web.visits.begin import begin, first_task, under_way
from web.visits.page import page_of
from web.visits.stand import stand
from web.visits.timeline import timeline

bp = Blueprint("visits", __name__, template_folder="templates")


def visit_department(instance_id: str, **_: str) -> str | None:
    """The department of a visit; NotFound when there is no such visit."""
    return instances.get(db.session(), instance_id).department


@bp.get("/visits")
@allowed("visit.view")
def search() -> ResponseReturnValue:
    """Visits by state, department, and visit number, ticket or name."""
    where = scope_of(signed_in(), "visit.view")
    choice = listing.Choice.read(request.args)
    session["listing"] = ["visits.search", {**choice.query(), **({"page": choice.page} if choice.page > 1 else {})}]
    found = listing.find(choice, where)
    listed = [d for d in departments() if where is None or d.code in where]
    return render_template("visits/search.html", choice=choice, departments=listed, counts=listing.counts(where), **found)


@bp.get("/visits/new")
@allowed("visit.start")
def new() -> ResponseReturnValue:
    """Where does the patient go? One press begins the visit."""
    where = scope_of(signed_in(), "visit.start")
    listed = [d for d in departments() if where is None or d.code in where]
    return render_template("visits/new.html", departments=listed, load=under_way(db.session()))


@bp.post("/visits")
@allowed("visit.start")
def start() -> ResponseReturnValue:
    """Begins a walk-in visit and opens its first form when that is this person's to fill."""
    user = signed_in()
    code = request.form.get("department") or None
    if code is not None and (code not in {d.code for d in departments()} or not may("visit.start", code)):
        raise NotFound
    made = begin(db.session(), code, actor=user.login, zone=current_app.config["CARELANE"].clinic_zone)
    flash(gettext("Visit %(number)s has begun.", number=made.business_key), "good")
    task = first_task(db.session(), made, sorted(user.role_names))
    if task is None:
        return redirect(url_for("visits.show", instance_id=made.id))
    tasks.claim(db.session(), task.id, user=user.login, roles=sorted(user.role_names))
    return redirect(url_for("inbox.open_task", task_id=task.id))


@bp.get("/visits/<instance_id>")
@allowed("visit.view", of=visit_department)
def show(instance_id: str) -> ResponseReturnValue:
    """One visit: where it stands, what happened, what is wrong."""
    return page_of(instance_id)


@bp.get("/visits/<instance_id>/live")
@allowed("visit.view", of=visit_department)
def tokens(instance_id: str) -> ResponseReturnValue:
    """Where the tokens of each diagram stand, for the overlays."""
    return stand(db.session(), instances.get(db.session(), instance_id)).as_json()


@bp.get("/visits/<instance_id>/timeline")
@allowed("visit.view", of=visit_department)
def timeline_part(instance_id: str) -> ResponseReturnValue:
    """Only the timeline, for the live refresh."""
    visit = instances.get(db.session(), instance_id)
    return render_template("visits/timeline.html", visit=visit, timeline=timeline(db.session(), visit.id))


@bp.get("/visits/<instance_id>/diagrams/<definition_id>")
@allowed("visit.view", of=visit_department)
def diagram(instance_id: str, definition_id: str) -> ResponseReturnValue:
    """One of the visit's diagrams, names in the reader's language."""
    visit = instances.get(db.session(), instance_id)
    row = db.session.get(Definition, definition_id)
    if row is None or row.id not in {tab.definition_id for tab in stand(db.session(), visit).tabs}:
        raise NotFound
    return Response(models.diagram(db.session(), row, language()), mimetype="application/xml")


@bp.post("/visits/<instance_id>/cancel")
@allowed("visit.cancel", of=visit_department)
def cancel(instance_id: str) -> ResponseReturnValue:
    """Ends a visit early, with a reason that is kept."""
    reason = request.form.get("reason", "").strip()
    back = redirect(url_for("visits.show", instance_id=instance_id))
    if len(reason) < 3:
        flash(gettext("Say why the visit is cancelled. Nothing was changed."), "bad")
        return back
    instances.cancel(db.session(), instance_id, reason[:500], actor=signed_in().login)
    flash(gettext("The visit was cancelled."), "good")
    return back


def incident_department(incident_id: str) -> str | None:
    """The department of the visit that an incident stopped."""
    return visit_department(stuck.get(db.session(), incident_id).instance_id)


@bp.post("/incidents/<incident_id>/retry")
@allowed("incident.resolve", of=incident_department)
def retry(incident_id: str) -> ResponseReturnValue:
    """Tries again what failed."""
    found = stuck.get(db.session(), incident_id)
    stuck.retry(db.session(), incident_id, actor=signed_in().login)
    flash(gettext("It is being tried again. If it fails once more, it comes back here."), "good")
    return redirect(url_for("visits.show", instance_id=found.instance_id))


@bp.post("/incidents/<incident_id>/skip")
@allowed("incident.resolve", of=incident_department)
def skip(incident_id: str) -> ResponseReturnValue:
    """Goes on without the call, with a reason and a result given by hand."""
    found = stuck.get(db.session(), incident_id)
    back = redirect(url_for("visits.show", instance_id=found.instance_id))
    reason, output = request.form.get("reason", "").strip(), _object(request.form.get("output", ""))
    if not reason or output is None or found.job_id is None:
        flash(gettext("Give a reason, and the result as a JSON object such as {}. Nothing was changed."), "bad")
        return back
    jobs.skip(db.session(), found.job_id, reason=reason[:500], output=output, actor=signed_in().login)
    flash(gettext("The step was skipped; your reason is kept in the record."), "good")
    return back


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
