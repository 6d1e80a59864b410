"""The inbox page and what happens to a task: claim, release, draft, complete."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

import forms
from engine.clock import now
from engine.errors import Conflict
from engine.execution import tasks
from engine.execution.tables import Task
from web.access import allowed, may, scope_of, signed_in
from web.accounts.user import User
from web.db import db
from web.i18n import language
from web.inbox import sheet
from web.inbox.rows import MOST, Choice, rows
from web.patients import note_read
from web.shell import departments, person_name

bp = Blueprint("inbox", __name__, template_folder="templates")


def task_department(task_id: str) -> str | None:
    """The department of a task that this person can see; NotFound otherwise."""
    return sheet.find(task_id).department


@bp.get("/inbox")
@allowed("inbox.view")
def show() -> ResponseReturnValue:
    """The whole page; remembers what was chosen for the way back."""
    user = signed_in()
    choice = Choice.read(request.args, user)
    session["inbox"] = choice.query()
    return render_template("inbox/show.html", focus=request.args.get("focus", ""), **_listing(user, choice))


@bp.get("/inbox/rows")
@allowed("inbox.view")
def table() -> ResponseReturnValue:
    """Only the rows and counts, for the live refresh."""
    user = signed_in()
    return render_template("inbox/table.html", **_listing(user, Choice.read(request.args, user)))


@bp.get("/tasks/<task_id>")
@allowed("task.open", of=task_department)
def open_task(task_id: str) -> ResponseReturnValue:
    """The page of one task: patient, what is known so far, and the form."""
    task = sheet.find(task_id)
    note_read("task.open", task.subject)
    return sheet.page(task)


@bp.post("/tasks/<task_id>/claim")
@allowed("task.work", of=task_department)
def claim(task_id: str) -> ResponseReturnValue:
    """Takes the task and opens it; `stay` keeps the inbox on screen."""
    user = signed_in()
    try:
        tasks.claim(db.session(), task_id, user=user.login, roles=sorted(user.role_names))
    except Conflict:
        db.session.rollback()
        return _answer_conflict(task_id)
    if request.form.get("stay"):
        return redirect(_back(task_id))
    return redirect(url_for("inbox.open_task", task_id=task_id))


@bp.post("/tasks/<task_id>/release")
@allowed("task.work", of=task_department)
def release(task_id: str) -> ResponseReturnValue:
    """Gives a task back to everybody with its role."""
    tasks.unclaim(db.session(), task_id, user=signed_in().login)
    return redirect(_back(task_id))


@bp.post("/tasks/<task_id>/draft")
@allowed("task.work", of=task_department)
def save_draft(task_id: str) -> ResponseReturnValue:
    """Keeps what was typed so far, as it is: a draft need not be right."""
    task = sheet.find(task_id)
    form = sheet.form_of(task)
    values = forms.from_html(form, request.form) if form else {}
    tasks.save_draft(db.session(), task_id, values, user=signed_in().login)
    if request.headers.get("X-Carelane-Autosave"):
        return {"saved": True}
    flash(gettext("Draft saved."), "good")
    return redirect(url_for("inbox.open_task", task_id=task_id))


@bp.post("/tasks/<task_id>/complete")
@allowed("task.work", of=task_department)
def complete(task_id: str) -> ResponseReturnValue:
    """Checks the form; when all is right, finishes the task and goes on to the next."""
    user, task = signed_in(), sheet.find(task_id)
    if task.state != "open" or (task.assignee and task.assignee != user.login):
        return _answer_conflict(task_id)
    form = sheet.form_of(task)
    again = forms.apply_row_action(form, request.form) if form else None
    if again is not None:
        return sheet.page(task, values=again)
    checked = sheet.validated(task, form)
    if checked and not checked.ok:
        return sheet.page(task, values=forms.from_html(form, request.form), errors=checked.errors), 422
    if task.assignee is None:
        tasks.claim(db.session(), task_id, user=user.login, roles=sorted(user.role_names))
    tasks.complete(db.session(), task_id, checked.values if checked else {}, user=user.login)
    flash(gettext("Done: %(step)s, %(ticket)s.", step=_step(task), ticket=task.ticket or gettext("no ticket yet")), "good")
    return redirect(_back(_next_of(user, task)))


def _next_of(user: User, done: Task) -> str:
    """The same visit's next task when it is this person's too, else the most urgent of the list."""
    listed = [row for row in rows(user, Choice.read(session.get("inbox", {}), user)) if row.task.id != done.id]
    free = [row for row in listed if row.mine or row.task.assignee is None]
    same = [row for row in free if row.task.instance_id == done.instance_id]
    return next((row.task.id for row in (*same, *free)), "")


def _answer_conflict(task_id: str) -> ResponseReturnValue:
    task = db.session.get_one(Task, task_id)
    if task.state == "open" and task.assignee:
        minutes = int((now() - (task.claimed or now())).total_seconds() // 60)
        words = gettext("%(name)s took this task %(n)s min ago. Choose another one.", name=person_name(task.assignee), n=minutes)
    elif task.state == "completed":
        words = gettext("%(name)s has finished this task already. Your entries were not used.", name=person_name(task.ended_by))
    else:
        words = gettext("This task is no longer needed: the visit went another way. Your entries were not used.")
    if request.headers.get("X-Carelane-Stay"):
        return {"message": words}, 409
    flash(words, "warning")
    return redirect(_back(""))


def _step(task: Task) -> str:
    return (task.names or {}).get(language()) or task.name


def _back(focus: str) -> str:
    return url_for("inbox.show", **{**session.get("inbox", {}), **({"focus": focus} if focus else {})})


def _listing(user: User, choice: Choice) -> dict[str, object]:
    listed = rows(user, choice)
    where = None if scope_of(user, "inbox.view") is None else user.departments(user.role_names)
    return {
        "rows": listed,
        "choice": choice,
        "late": sum(row.late for row in listed),
        "mine": sum(row.mine for row in listed),
        "full": len(listed) >= MOST,
        "departments": [d for d in departments() if where is None or d.code in where],
        "now": now(),
        "may_start": may("visit.start"),
    }
