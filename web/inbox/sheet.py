"""One task's page: the patient's banner, what earlier steps recorded, and the form to fill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app, render_template, request, session, url_for
from markupsafe import Markup
from sqlalchemy import select

import forms
from engine.clock import now
from engine.errors import NotFound
from engine.execution import feel, tasks
from engine.execution.tables import Instance, Task
from web.access import signed_in
from web.db import db
from web.i18n import language
from web.inbox.rows import visible
from web.patients import banner
from web.visits.summary import Section, sections


def find(task_id: str) -> Task:
    """The task, when it is one of this person's; NotFound otherwise."""
    task = db.session.get(Task, task_id)
    if task is None or not visible(signed_in(), task):
        raise NotFound
    return task


def form_of(task: Task) -> forms.Form | None:
    """The task's form; None for a task that only needs confirming."""
    return tasks.form_of(db.session(), task)


def validated(task: Task, form: forms.Form | None) -> forms.Validated | None:
    """What came of the submitted form, checked in this person's language."""
    if form is None:
        return None
    return forms.validate(form, forms.from_html(form, request.form), context(task), language(), feel.evaluate, zone=_zone())


def context(task: Task) -> dict[str, Any]:
    """The variables that the form may show."""
    return dict(tasks.context(db.session(), task))


def page(task: Task, *, values: Mapping[str, object] | None = None, errors: Mapping[str, list[str]] | None = None) -> str:
    """The page, with what was typed when it comes back."""
    user, form = signed_in(), form_of(task)
    return render_template(
        "inbox/task.html",
        task=task,
        visit=db.session.get_one(Instance, task.instance_id),
        patient=banner(task.subject),
        mine=task.assignee == user.login,
        known=_earlier(task),
        form=_rendered(task, form, values, errors) if form else None,
        errors=errors or {},
        left=(task.due - now()).total_seconds() if task.due else None,
        back=url_for("inbox.show", **session.get("inbox", {})),
    )


def _rendered(task: Task, form: forms.Form, values: Mapping[str, object] | None, errors: Mapping[str, list[str]] | None) -> Markup:
    known = context(task)
    shown = values if values is not None else task.draft
    files = url_for("form_files", filename="").rstrip("/")
    found = dict(errors or {})
    return forms.render(form, shown, found, language(), known, feel.evaluate, widgets_url=files, zone=_zone())


def _earlier(task: Task) -> list[Section]:
    done = select(Task).where(Task.instance_id == task.instance_id, Task.state == "completed").order_by(Task.ended.desc())
    return sections(list(db.session.scalars(done.limit(8))))


def _zone() -> str:
    return str(current_app.config["CARELANE"].clinic_zone)
