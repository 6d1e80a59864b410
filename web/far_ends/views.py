"""What arrived at each simulated far end, buttons to answer it, auto mode, and "be down for a minute"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from engine.errors import Conflict, NotFound
from engine.settings import Settings
from integrations.simulators import control
from web.access import allowed
from web.edge import outside

bp = Blueprint("far_ends", __name__, url_prefix="/far-ends", template_folder="templates")

ACTIONS: Mapping[str, Any] = {
    "normal": lazy_gettext("Result: normal"),
    "abnormal": lazy_gettext("Result: abnormal"),
    "pay": lazy_gettext("Pay"),
    "fail": lazy_gettext("Fail"),
    "accept": lazy_gettext("Accept"),
    "reject": lazy_gettext("Reject"),
    "ask": lazy_gettext("Ask for more"),
    "complete": lazy_gettext("Report back"),
}
SHOWN: Mapping[str, Any] = {
    "patient": lazy_gettext("Patient"),
    "visit": lazy_gettext("Visit"),
    "department": lazy_gettext("Department"),
    "tests": lazy_gettext("Ordered"),
    "lines": lazy_gettext("Lines"),
    "amount": lazy_gettext("Amount"),
    "description": lazy_gettext("For"),
    "refunded": lazy_gettext("Refunded"),
    "reason": lazy_gettext("Reason"),
    "priority": lazy_gettext("Priority"),
    "summary": lazy_gettext("Summary"),
    "information": lazy_gettext("Answer to your question"),
}
KINDS: Mapping[str, Any] = {
    "visit": lazy_gettext("visit registered"),
    "charge": lazy_gettext("charges posted"),
    "order": lazy_gettext("order"),
    "payment": lazy_gettext("payment"),
    "referral": lazy_gettext("referral"),
    "communication": lazy_gettext("message"),
    "prescription": lazy_gettext("prescription"),
    "text": lazy_gettext("text message"),
}
STATES: Mapping[str, Any] = {
    "noted": lazy_gettext("noted"),
    "waiting": lazy_gettext("waits for an answer"),
    "asked": lazy_gettext("asked for more"),
    "accepted": lazy_gettext("accepted"),
    "answered": lazy_gettext("answered"),
}


@bp.get("")
@allowed("far_ends.play")
def show() -> ResponseReturnValue:
    """The page."""
    return render_template("far_ends/show.html", **_content())


@bp.get("/state")
@allowed("far_ends.play")
def state() -> ResponseReturnValue:
    """Only what changes."""
    return render_template("far_ends/state.html", **_content())


@bp.post("/answer")
@allowed("far_ends.play")
@outside
def answer() -> ResponseReturnValue:
    """Lets a far end answer an item."""
    form = request.form
    try:
        control.answer(_settings(), form.get("item", ""), form.get("action", ""), form.get("text", "").strip())
    except Conflict:
        flash(gettext("It was answered already."), "warning")
    except control.NotRunning:
        _not_running()
    return _back()


@bp.post("/down")
@allowed("far_ends.play")
@outside
def down() -> ResponseReturnValue:
    """Takes a far end out of order for a minute, or brings it back."""
    try:
        control.down(_settings(), request.form.get("end", ""), 60 if request.form.get("down") == "1" else 0)
    except control.NotRunning:
        _not_running()
    return _back()


@bp.post("/auto")
@allowed("far_ends.play")
@outside
def auto() -> ResponseReturnValue:
    """Answers by themselves, or wait for you."""
    try:
        control.auto(_settings(), request.form.get("on") == "1")
    except control.NotRunning:
        _not_running()
    return _back()


def _not_running() -> None:
    flash(gettext("The simulated far ends are not running"), "bad")


def _settings() -> Settings:
    settings: Settings = current_app.config["CARELANE"]
    if not settings.simulators:
        raise NotFound
    return settings


def _content() -> dict[str, Any]:
    settings = _settings()
    try:
        found = control.state(settings)
    except control.NotRunning:
        found = None
    return {
        "state": found,
        "titles": control.TITLES,
        "ACTIONS": ACTIONS,
        "SHOWN": SHOWN,
        "KINDS": KINDS,
        "STATES": STATES,
        "at": lambda seconds: datetime.fromtimestamp(seconds, UTC),
    }


def _back() -> ResponseReturnValue:
    if "HX-Request" in request.headers:
        return render_template("far_ends/state.html", **_content())
    return redirect(url_for("far_ends.show"))
