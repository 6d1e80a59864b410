"""Rollout: programmes, their milestones, and which version new visits take."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import NotFound
from engine.rollout import programmes, routing
from engine.rollout.tables import Programme
from web.access import allowed, signed_in
from web.db import db
from web.insight import words
from web.rollout import page
from web.shell import department_name, departments

bp = Blueprint("rollout", __name__, template_folder="templates")
bp.record_once(lambda state: words.filters(state.app))


@bp.get("/rollout")
@allowed("rollout.view")
def show() -> ResponseReturnValue:
    """All programmes; where there is one only, still the list: it says what a programme is."""
    zone = page.zone()
    rows = [page.summary(db.session(), p, zone) for p in programmes.programmes(db.session())]
    return render_template("rollout/list.html", rows=rows)


@bp.get("/rollout/<programme_id>")
@allowed("rollout.view")
def programme(programme_id: str) -> ResponseReturnValue:
    """One programme: figures, Gantt, milestones, departments, actions, log."""
    found = programmes.get(db.session(), programme_id)
    planned = [p.department for p in found.phases if p.department]
    wanted = request.args.get("department", planned[0] if planned else "")
    return render_template("rollout/show.html", planned=planned, **page.page(db.session(), found, wanted or None))


@bp.get("/rollout/<programme_id>/switch/<department>")
@allowed("rollout.manage")
def ask_switch(programme_id: str, department: str) -> ResponseReturnValue:
    """Says what a switch does and does not do, and asks for the reason."""
    found = programmes.get(db.session(), programme_id)
    place = _place(found, department)
    tag = _target(found, place.tag)
    deployed = tag in routing.tags(db.session(), found.process_id)
    return render_template("rollout/switch.html", programme=found, place=place, tag=tag, back=tag == found.from_tag, deployed=deployed)


@bp.post("/rollout/<programme_id>/switch/<department>")
@allowed("rollout.manage")
def switch(programme_id: str, department: str) -> ResponseReturnValue:
    """Sends new visits of a department to the other version."""
    found = programmes.get(db.session(), programme_id)
    _place(found, department)
    tag = request.form.get("tag", "")
    reason = request.form.get("why", "")
    if not reason.strip():
        flash(gettext("Say why: the reason stays beside the decision."), "bad")
        return redirect(url_for("rollout.ask_switch", programme_id=programme_id, department=department))
    routing.switch(db.session(), found.process_id, department, tag, why=reason, by=signed_in().login, programme_id=found.id)
    flash(
        gettext(
            "New visits of %(department)s take %(version)s from now on.",
            department=department_name(department),
            version=words.arm_name(tag),
        ),
        "good",
    )
    return redirect(url_for("rollout.programme", programme_id=programme_id, _anchor="departments"))


@bp.post("/rollout/<programme_id>/actions/<action_id>")
@allowed("rollout.manage")
def finish(programme_id: str, action_id: str) -> ResponseReturnValue:
    """Marks an action done, or open again."""
    found = programmes.get(db.session(), programme_id)
    programmes.finish(db.session(), found, action_id, by=signed_in().login, done=request.form.get("done") == "1")
    return redirect(url_for("rollout.programme", programme_id=programme_id, _anchor="actions"))


@bp.post("/rollout/<programme_id>/milestones/<milestone_id>/override")
@allowed("rollout.manage")
def override(programme_id: str, milestone_id: str) -> ResponseReturnValue:
    """A project manager's word over the computed state, or its withdrawal; always with a reason."""
    return _decide(programme_id, milestone_id, request.form.get("status", ""))


@bp.post("/rollout/<programme_id>/milestones/<milestone_id>/accept")
@allowed("rollout.approve")
def accept(programme_id: str, milestone_id: str) -> ResponseReturnValue:
    """The process owner accepts a milestone as reached."""
    return _decide(programme_id, milestone_id, "reached")


def _decide(programme_id: str, milestone_id: str, status: str) -> ResponseReturnValue:
    found = programmes.get(db.session(), programme_id)
    back = redirect(url_for("rollout.programme", programme_id=programme_id, _anchor=f"m-{milestone_id}"))
    why = request.form.get("why", "")
    if not why.strip():
        flash(gettext("Say why: the reason stays beside the decision."), "bad")
        return back
    programmes.decide(db.session(), found, milestone_id, status, why=why, by=signed_in().login, zone=page.zone())
    flash(gettext("Decision recorded."), "good")
    return back


def _place(programme: Programme, department: str) -> page.Where:
    if department not in {d.code for d in departments()}:
        raise NotFound
    return next(w for w in page.whereabouts(db.session(), programme) if w.code == department)


def _target(programme: Programme, now: str | None) -> str:
    return programme.from_tag if now == programme.to_tag else programme.to_tag
