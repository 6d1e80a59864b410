"""The list of instances, and what is done by hand to one of them."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.execution import instances, operations
from web.access import allowed, signed_in
from web.db import db
from web.operations import listing, moving, typed, work
from web.operations.blueprint import attempt, bp, reason
from web.operations.panel import variables_of
from web.shell import departments
from web.visits.page import page_of
from web.visits.views import visit_department

__all__ = ["bp", "moving", "work"]


@bp.get("/operations")
@allowed("operations.view")
def show() -> ResponseReturnValue:
    """Instances by state, process, version, department, age and text; what was asked for is remembered for the way back."""
    choice = listing.Choice.read(request.args)
    session["listing"] = ["operations.show", {**choice.query(), **({"page": choice.page} if choice.page > 1 else {})}]
    found = listing.find(choice)
    return render_template(
        "operations/list.html", choice=choice, departments=departments(), counts=listing.counts(choice), processes=listing.processes(), **found
    )


def _back(instance_id: str) -> ResponseReturnValue:
    return redirect(url_for("visits.show", instance_id=instance_id, _anchor="operate"))


@bp.post("/operations/<instance_id>/suspend")
@allowed("instance.operate", of=visit_department)
def suspend(instance_id: str) -> ResponseReturnValue:
    """Holds an instance."""
    attempt(lambda: instances.suspend(db.session(), instance_id, reason(), actor=signed_in().login), gettext("It is paused."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/resume")
@allowed("instance.operate", of=visit_department)
def resume(instance_id: str) -> ResponseReturnValue:
    """Lets it go on."""
    attempt(lambda: instances.resume(db.session(), instance_id, reason(), actor=signed_in().login), gettext("It goes on."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/move")
@allowed("instance.operate", of=visit_department)
def move(instance_id: str) -> ResponseReturnValue:
    """Takes a token from where it is to another element."""
    token, (_, to) = request.form.get("token", ""), _pair("to")
    who, why = signed_in().login, reason()
    attempt(lambda: operations.move(db.session(), instance_id, token, to, actor=who, reason=why), gettext("It was moved."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/back")
@allowed("instance.operate", of=visit_department)
def go_back(instance_id: str) -> ResponseReturnValue:
    """Returns a token to a step that was done before."""
    token, to = _pair("to")
    who, why = signed_in().login, reason()
    attempt(lambda: operations.go_back(db.session(), instance_id, token, to, actor=who, reason=why), gettext("It went back."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/add")
@allowed("instance.operate", of=visit_department)
def add(instance_id: str) -> ResponseReturnValue:
    """Puts a further token on an element."""
    scope, to = _pair("to")
    who, why = signed_in().login, reason()
    attempt(lambda: operations.add(db.session(), instance_id, to, scope_id=scope, actor=who, reason=why), gettext("It was added."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/take")
@allowed("instance.operate", of=visit_department)
def take(instance_id: str) -> ResponseReturnValue:
    """Takes a token away."""
    token, who, why = request.form.get("token", ""), signed_in().login, reason()
    attempt(lambda: operations.cancel(db.session(), instance_id, token, actor=who, reason=why), gettext("It was taken away."))
    return _back(instance_id)


@bp.post("/operations/<instance_id>/variables")
@allowed("instance.operate", of=visit_department)
def variables(instance_id: str) -> ResponseReturnValue:
    """Changes variables of one scope; a mistake is answered with its place, and nothing is changed."""
    scope, who, why = request.form.get("scope", ""), signed_in().login, reason()
    try:
        values = typed.read(request.form.get("values", ""))
        new = typed.changed(variables_of(instance_id, scope), values, any_type="any_type" in request.form)
    except typed.BadValues as error:
        flash(gettext("Nothing was changed. %(why)s", why=str(error)), "bad")
        return page_of(instance_id, {scope: request.form.get("values", "")}), 422
    if not new:
        flash(gettext("There was nothing to change."), "warning")
        return _back(instance_id)
    attempt(
        lambda: operations.change_variables(db.session(), instance_id, new, scope_id=scope, actor=who, reason=why),
        gettext("Changed: %(names)s", names=", ".join(sorted(new))),
    )
    return _back(instance_id)


def _pair(field: str) -> tuple[str, str]:
    """The two halves of a list's value: scope or token, and element."""
    first, _, second = request.form.get(field, "").partition(":")
    return first, second
