"""What earlier steps recorded, as label and words, for the side of a task's page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import select

from engine.execution import tasks
from engine.execution.tables import Event, Task
from engine.execution.values import decode
from forms.component import Component, Form
from forms.paths import MISSING, dig, is_empty
from forms.scope import Scope, make_scope
from forms.widget import widgets
from forms.wording import label_of
from web.db import db
from web.i18n import language, named


@dataclass(frozen=True, slots=True)
class Section:
    """One completed step."""

    title: str
    who: str
    at: datetime
    facts: tuple[tuple[str, str], ...]


def sections(done: Sequence[Task]) -> list[Section]:
    """The completed tasks that recorded something, in the given order."""
    values = _recorded(done)
    made = [_section(task, values.get((task.instance_id, task.token), {})) for task in done]
    return [section for section in made if section.facts]


def _recorded(done: Sequence[Task]) -> dict[tuple[str, str], Mapping[str, Any]]:
    if not done:
        return {}
    query = select(Event).where(
        Event.instance_id.in_({task.instance_id for task in done}),
        Event.token.in_({task.token for task in done}),
        Event.kind == "completed",
    )
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in db.session.scalars(query):
        detail = decode(event.detail)
        if isinstance(detail, dict) and isinstance(detail.get("values"), dict):
            found[(event.instance_id, str(event.token))] = detail["values"]
    return found


def _section(task: Task, values: Mapping[str, Any]) -> Section:
    form = tasks.form_of(db.session(), task)
    facts = _facts(form, values) if form else ()
    return Section(named(task), task.ended_by or "", task.ended or task.created, facts)


def _facts(form: Form, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    scope = make_scope(language(), values, None, current_app.config["CARELANE"].clinic_zone)
    facts = []
    for component in form.inputs:
        value = dig(values, component.path)
        if value is MISSING or is_empty(value) or value is False or _is_id(value):
            continue
        widget = widgets()[component.type]
        if widget.holds == "rows":
            words = _rows(component, value, scope)
        elif component.raw.get("valuesExpression"):
            words = str(value)
        else:
            words = widget.words(component, value, scope)
        facts.append((label_of(component, language()).replace("**", ""), words))
    return tuple(facts)


def _is_id(value: Any) -> bool:
    """An id of ours tells staff nothing."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{20}", value) is not None


def _rows(component: Component, value: Any, scope: Scope) -> str:
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return "; ".join(", ".join(_cells(component, row, scope)) for row in rows)


def _cells(component: Component, row: Mapping[str, Any], scope: Scope) -> Iterator[str]:
    for part in component.inputs:
        cell = dig(row, part.path)
        if cell is not MISSING and not is_empty(cell) and not _is_id(cell):
            yield str(cell) if part.raw.get("valuesExpression") else widgets()[part.type].words(part, cell, scope)
