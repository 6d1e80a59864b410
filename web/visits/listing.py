"""Finding visits, and saying what is wrong with those that are stuck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from sqlalchemy import Select, func, or_, select

from engine.execution.tables import Incident, Instance, Job, Task
from engine.models.tables import Definition
from integrations.payments.cases import PROCESS as DIFFERENCE
from web import patients
from web.access import may
from web.db import db
from web.i18n import language, named
from web.visits.models import element_of, model_of

PAGE = 50
STATES = ("running", "incident", "suspended", "completed", "cancelled")
STUCK = Instance.id.in_(select(Incident.instance_id).where(Incident.state == "open"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person asked for."""

    state: str = "running"
    department: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Choice:
        """From a query string."""
        state = given.get("state", "running")
        page = given.get("page", "1")
        return cls(
            state=state if state in (*STATES, "all") else "running",
            department=given.get("department", ""),
            text=given.get("text", "").strip(),
            page=int(page) if page.isdecimal() and 0 < int(page) < 10_000 else 1,
        )

    def query(self, **changed: Any) -> dict[str, Any]:
        """As a query string's parts, some changed."""
        return {"state": self.state, "department": self.department, "text": self.text, **changed}


def find(choice: Choice, where: frozenset[str] | None) -> dict[str, Any]:
    """One page of visits with names and present steps, and whether there are more."""
    query = _filtered(select(Instance), choice, where).order_by(Instance.started.desc(), Instance.id.desc())
    rows = list(db.session.scalars(query.offset((choice.page - 1) * PAGE).limit(PAGE + 1)))
    shown = rows[:PAGE]
    return {"visits": shown, "more": len(rows) > PAGE, "names": patients.names(v.subject for v in shown), "steps": _steps(shown)}


def counts(where: frozenset[str] | None) -> dict[str, int]:
    """How many visits there are in each state."""
    query = _within(select(Instance.state, func.count()).group_by(Instance.state), where)
    found = {str(state): int(count) for state, count in db.session.execute(query)}
    stuck = _within(select(func.count()).select_from(Instance).where(STUCK, Instance.state == "running"), where)
    return {**found, "incident": int(db.session.scalar(stuck) or 0)}


def _within(query: Select[Any], where: frozenset[str] | None) -> Select[Any]:
    query = query.where(Instance.process_id != DIFFERENCE)  # about a patient's money, but nobody's visit
    return query if where is None else query.where(or_(Instance.department.in_(where), Instance.department.is_(None)))


def _filtered(query: Select[tuple[Instance]], choice: Choice, where: frozenset[str] | None) -> Select[tuple[Instance]]:
    query = _within(query, where)
    if choice.state == "incident":
        query = query.where(STUCK, Instance.state == "running")
    elif choice.state != "all":
        query = query.where(Instance.state == choice.state)
    if choice.department:
        query = query.where(Instance.department == choice.department)
    if choice.text:
        like = f"%{choice.text}%"
        found = [Instance.business_key.ilike(like), Instance.ticket.ilike(like)]
        if may("patient.identity"):
            found.append(Instance.subject.in_(patients.named(choice.text)))
        query = query.where(or_(*found))
    return query


def _steps(visits: Sequence[Instance]) -> dict[str, str]:
    ids = [v.id for v in visits if v.ended is None]
    found: dict[str, list[str]] = {}
    if ids:
        for task in db.session.scalars(select(Task).where(Task.instance_id.in_(ids), Task.state == "open").order_by(Task.created)):
            found.setdefault(task.instance_id, []).append(named(task))
    return {key: ", ".join(dict.fromkeys(names)) for key, names in found.items()}


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident in words: what stopped, why, and who must do what."""

    incident: Incident
    visit: Instance
    step: str
    why: str
    todo: str
    connector: str
    sure: bool  # False: the call may have happened, so that trying again needs a look at the other system


def described(incidents: Sequence[Incident]) -> list[Trouble]:
    """Incidents with their visits, steps, and what to do."""
    return [_described(incident) for incident in incidents]


def _described(incident: Incident) -> Trouble:
    visit = db.session.get_one(Instance, incident.instance_id)
    definition = select(Definition).where(Definition.kind == "process", Definition.key == incident.process_id)
    newest = db.session.scalars(definition.order_by(Definition.version.desc()).limit(1)).first()
    element = element_of(model_of(db.session(), newest), incident.element_id)
    job = db.session.get(Job, incident.job_id) if incident.job_id else None
    todo = {
        "unknown_outcome": gettext(
            "Look in the other system whether it happened. If it did not, try again; if it did, write down its result and skip."
        ),
        "job": gettext("Integration engineer: bring the other system back, then try again. The visit waits; nothing is lost."),
        "expression": gettext("Process owner: correct the expression in the studio, or correct the visit's value, then try again."),
        "no_flow": gettext("Process owner: no branch fits this visit. Correct the value or the condition, then try again."),
    }.get(incident.kind, gettext("Correct the cause, then try again."))
    step = element.label(language()) if element else gettext("a step of the process")
    return Trouble(incident, visit, step, incident.message, todo, job.type if job else "", incident.kind != "unknown_outcome")
