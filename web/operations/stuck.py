"""Open incidents, those with the same cause together, and jobs in the order of their time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from engine.execution.tables import Incident, Instance, Job
from engine.models.tables import Definition
from web.db import db
from web.i18n import language
from web.visits.listing import Trouble, described
from web.visits.models import element_of, model_of

MOST = 500  # incidents that are looked at together
SHOWN = 20  # of one group, on the page
PAGE = 100
KINDS = ("call", "timer", "other")
JOB_STATES = ("ready", "running", "failed", "done", "cancelled")
PARTICULAR = re.compile(r"[0-9a-f]{8,}|\d+|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Cause:
    """Incidents that have the same process, step, kind and, but for numbers and names in it, message."""

    process: str
    step: str
    kind: str
    message: str
    since: datetime
    count: int
    troubles: tuple[Trouble, ...]
    ids: tuple[str, ...]  # of all that may be tried again together

    @property
    def first(self) -> Trouble:
        """The one that stands for all."""
        return self.troubles[0]


def causes(open_ones: list[Incident]) -> list[Cause]:
    """The open incidents by cause, the most frequent first."""
    groups: dict[tuple[str, str, str, str], list[Incident]] = {}
    for incident in open_ones:
        key = (incident.process_id, incident.element_id, incident.kind, PARTICULAR.sub("…", incident.message))
        groups.setdefault(key, []).append(incident)
    titles = {process: _title(process) for process in {key[0] for key in groups}}
    found = []
    for (process, _, kind, _), members in groups.items():
        troubles = tuple(described(members[:SHOWN]))
        ids = tuple(incident.id for incident in members)
        since = min(incident.created for incident in members)
        found.append(Cause(titles[process], troubles[0].step, kind, members[0].message, since, len(members), troubles, ids))
    return sorted(found, key=lambda cause: (-cause.count, cause.since))


def open_incidents() -> list[Incident]:
    """The open incidents of instances that have not ended, newest first."""
    query = select(Incident).join(Instance, Instance.id == Incident.instance_id)
    alive = query.where(Incident.state == "open", Instance.ended.is_(None), Instance.state != "cancelled")
    return list(db.session.scalars(alive.order_by(Incident.created.desc(), Incident.id.desc()).limit(MOST)))


def _title(process: str) -> str:
    newest = select(Definition).where(Definition.kind == "process", Definition.key == process).order_by(Definition.version.desc()).limit(1)
    model = model_of(db.session(), db.session.scalars(newest).first())
    return model.label(language()) if model else process


@dataclass(frozen=True, slots=True)
class Choice:
    """Which jobs the person asked for."""

    state: str = "ready"
    kind: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Choice:
        """From a query string."""
        state, kind, page = given.get("state", ""), given.get("kind", ""), given.get("page", "1")
        return cls(
            state=state if state in JOB_STATES else "ready", kind=kind if kind in KINDS else "", text=given.get("text", "").strip()[:100],
            page=int(page) if page.isdecimal() and 0 < int(page) < 10_000 else 1,
        )  # fmt: skip

    def query(self, **changed: Any) -> dict[str, Any]:
        """As a query string's parts, some changed."""
        asked = {"state": self.state, "kind": self.kind, "text": self.text, **changed}
        return {name: value for name, value in asked.items() if value != ""}


@dataclass(frozen=True, slots=True)
class Work:
    """A job with what people call its step and its visit."""

    job: Job
    visit: Instance
    step: str


def jobs(choice: Choice) -> tuple[list[Work], bool]:
    """One page of jobs, the next due first, those that are over newest first; and whether there are more."""
    over = choice.state in ("done", "cancelled")
    query = _filtered(select(Job, Instance).join(Instance, Instance.id == Job.instance_id), choice).where(Job.state == choice.state)
    order = (Job.ended.desc(), Job.id) if over else (Job.due, Job.id)
    rows = db.session.execute(query.order_by(*order).offset((choice.page - 1) * PAGE).limit(PAGE + 1)).all()
    models: dict[str, Any] = {}
    found = []
    for job, visit in rows[:PAGE]:
        if job.process_id not in models:
            newest = select(Definition).where(Definition.kind == "process", Definition.key == job.process_id)
            models[job.process_id] = model_of(db.session(), db.session.scalars(newest.order_by(Definition.version.desc()).limit(1)).first())
        element = element_of(models[job.process_id], job.element_id)
        found.append(Work(job, visit, element.label(language()) if element else job.element_id))
    return found, len(rows) > PAGE


def job_counts(choice: Choice) -> dict[str, int]:
    """How many of the chosen jobs there are in each state."""
    query = _filtered(select(Job.state, func.count()).join(Instance, Instance.id == Job.instance_id), choice)
    return {str(state): int(n) for state, n in db.session.execute(query.group_by(Job.state))}


def _filtered(query: Select[Any], choice: Choice) -> Select[Any]:
    if choice.kind:
        query = query.where(Job.kind.not_in(("call", "timer")) if choice.kind == "other" else Job.kind == choice.kind)
    if choice.text:
        like = f"%{choice.text}%"
        query = query.where(or_(Instance.business_key.ilike(like), Job.type.ilike(like), Job.element_id.ilike(like), Job.error.ilike(like)))
    return query
