"""Pages of incidents and of jobs: try again, with other input or many at once, skip, do it now."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from engine.errors import CarelaneError, NotFound, Stale
from engine.execution import incidents, jobs, operations
from engine.execution.tables import Instance
from engine.execution.values import decode
from web.access import allowed, may, signed_in
from web.accounts.views import local
from web.db import db
from web.operations import stuck, typed
from web.operations.blueprint import attempt, bp, reason
from web.patients import note_read
from web.visits.views import incident_department, visit_department

TOGETHER = 200  # incidents that one request tries again; the rest stay on the page


@bp.get("/incidents")
@allowed("incident.resolve")
def incident_list() -> ResponseReturnValue:
    """Everything that waits for a person to mend it, by cause."""
    found = stuck.open_incidents()
    return render_template("operations/incidents.html", causes=stuck.causes(found), total=len(found), most=stuck.MOST)


@bp.post("/incidents/retry")
@allowed("incident.resolve")
def retry_many() -> ResponseReturnValue:
    """Tries several again, each as a whole; one that cannot be stays open and is counted."""
    done, refused = 0, 0
    for id in request.form.getlist("incident")[:TOGETHER]:
        try:
            with db.session.begin_nested():
                incidents.retry(db.session(), id, actor=signed_in().login)
            done += 1
        except Stale:
            raise
        except CarelaneError:
            refused += 1
    flash(ngettext("%(num)s step is being tried again.", "%(num)s steps are being tried again.", done), "good" if done else "warning")
    if refused:
        flash(ngettext("%(num)s could not be tried again and stays here.", "%(num)s could not be tried again and stay here.", refused), "bad")
    return redirect(url_for("operations.incident_list"))


@bp.get("/incidents/<incident_id>")
@allowed("incident.resolve", of=incident_department)
def incident(incident_id: str) -> ResponseReturnValue:
    """One incident: what the call was given, to be corrected and tried again, or skipped."""
    return _incident_page(incident_id)


def _incident_page(incident_id: str, given: str | None = None) -> ResponseReturnValue:
    found = incidents.get(db.session(), incident_id)
    if found.state != "open":
        flash(gettext("The incident has been dealt with already."), "warning")
        return redirect(url_for("operations.incident_list"))
    visit = db.session.get_one(Instance, found.instance_id)
    job = jobs.get(db.session(), found.job_id) if found.job_id else None
    text = given
    if job is not None and given is None and may("visit.variables", visit.department):
        note_read("visit.view", visit.subject)
        text = typed.written(decode(job.input) or {})
    (trouble,) = stuck.described([found])
    return render_template("operations/incident.html", t=trouble, visit=visit, job=job, input=text)


@bp.post("/incidents/<incident_id>/edit")
@allowed("incident.resolve", of=incident_department)
def edit_and_retry(incident_id: str) -> ResponseReturnValue:
    """Tries the call again with other input."""
    found = incidents.get(db.session(), incident_id)
    if not may("visit.variables", visit_department(found.instance_id)):
        raise NotFound
    text = request.form.get("input", "")
    try:
        values = typed.read(text)
    except typed.BadValues as error:
        flash(gettext("Nothing was changed. %(why)s", why=str(error)), "bad")
        return _incident_page(incident_id, text)
    why = reason()
    done = attempt(
        lambda: incidents.retry(db.session(), incident_id, actor=signed_in().login, input=values, reason=why),
        gettext("It is being tried again with the new input."),
    )
    return redirect(url_for("operations.incident_list")) if done else _incident_page(incident_id, text)


@bp.get("/operations/jobs")
@allowed("operations.view")
def job_list() -> ResponseReturnValue:
    """Calls and timers: when they are due, how often they were tried, what went wrong last."""
    choice = stuck.Choice.read(request.args)
    rows, more = stuck.jobs(choice)
    return render_template(
        "operations/jobs.html", choice=choice, rows=rows, more=more, counts=stuck.job_counts(choice), states=stuck.JOB_STATES
    )


@bp.post("/operations/jobs/<job_id>/now")
@allowed("incident.resolve")
def do_now(job_id: str) -> ResponseReturnValue:
    """Does at once what waits for its time, and tries again what has failed."""
    job, who, why = jobs.get(db.session(), job_id), signed_in().login, reason()
    if job.state == "failed":
        attempt(lambda: jobs.retry(db.session(), job_id, actor=who), gettext("It is being tried again."))
    else:
        attempt(lambda: operations.hasten(db.session(), job_id, actor=who, reason=why), gettext("It is done now."))
    return redirect(local(request.form.get("next", "")) or url_for("operations.job_list"))
