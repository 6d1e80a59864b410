"""The list of instances: what was asked for, and what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select

from engine.clock import now
from engine.execution.tables import Incident, Instance, Job, Task
from engine.models.tables import Definition
from web import patients
from web.access import may
from web.db import db
from web.i18n import language, named
from web.visits.models import model_of

PAGE = 50
STATES = ("running", "incident", "suspended", "completed", "cancelled", "all")
AGES = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1), "7d": timedelta(days=7)}
STUCK = Instance.id.in_(select(Incident.instance_id).where(Incident.state == "open"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person asked for."""

    state: str = "running"
    process: str = ""
    version: str = ""
    department: str = ""
    age: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Choice:
        """From a query string."""
        state, version, age, page = (given.get(name, "") for name in ("state", "version", "age", "page"))
        process = given.get("process", "")
        return cls(
            state=state if state in STATES else "running",
            process=process,
            version=version if process and version.isdecimal() else "",
            department=given.get("department", ""),
            age=age if age in AGES else "",
            text=given.get("text", "").strip()[:100],
            page=int(page) if page.isdecimal() and 0 < int(page) < 10_000 else 1,
        )

    def query(self, **changed: Any) -> dict[str, Any]:
        """As a query string's parts, some changed; what is empty is left out."""
        asked = {name: getattr(self, name) for name in ("state", "process", "version", "department", "age", "text")}
        return {name: value for name, value in {**asked, **changed}.items() if value != ""}


def find(choice: Choice) -> dict[str, Any]:
    """One page of instances with names, present steps and incidents, and whether there are more."""
    query = _of_state(_filtered(select(Instance), choice), choice.state).order_by(Instance.started.desc(), Instance.id.desc())
    rows = list(db.session.scalars(query.offset((choice.page - 1) * PAGE).limit(PAGE + 1)))
    shown = rows[:PAGE]
    ids = [row.id for row in shown]
    stuck = select(Incident.instance_id, func.count()).where(Incident.instance_id.in_(ids), Incident.state == "open")
    return {
        "rows": shown, "more": len(rows) > PAGE, "names": patients.names(row.subject for row in shown), "steps": _steps(shown),
        "stuck": {str(id): int(n) for id, n in db.session.execute(stuck.group_by(Incident.instance_id))},
    }  # fmt: skip


def counts(choice: Choice) -> dict[str, int]:
    """How many of the chosen instances there are in each state; those with an incident are counted once more."""
    query = _filtered(select(Instance.state, func.count()), choice).group_by(Instance.state)
    found = {str(state): int(count) for state, count in db.session.execute(query)}
    stuck = _of_state(_filtered(select(func.count()).select_from(Instance), choice), "incident")
    return {**found, "incident": int(db.session.scalar(stuck) or 0), "all": sum(found.values())}


def _of_state(query: Select[Any], state: str) -> Select[Any]:
    if state == "incident":
        return query.where(STUCK)
    return query if state == "all" else query.where(Instance.state == state)


def _filtered(query: Select[Any], choice: Choice) -> Select[Any]:
    if choice.process:
        query = query.where(Instance.process_id == choice.process)
    if choice.version:
        query = query.where(Instance.version == int(choice.version))
    if choice.department:
        query = query.where(Instance.department == choice.department)
    if choice.age:
        query = query.where(Instance.started <= now() - AGES[choice.age])
    if choice.text:
        like = f"%{choice.text}%"
        found = [Instance.business_key.ilike(like), Instance.ticket.ilike(like), Instance.id == choice.text]
        if may("patient.identity"):
            found.append(Instance.subject.in_(patients.named(choice.text)))
        query = query.where(or_(*found))
    return query


def _steps(rows: Sequence[Instance]) -> dict[str, str]:
    """Where each instance waits: its open tasks, or the calls and timers it waits for."""
    ids = [row.id for row in rows if row.state in ("running", "suspended")]
    found: dict[str, list[str]] = {}
    for task in db.session.scalars(select(Task).where(Task.instance_id.in_(ids), Task.state == "open").order_by(Task.created)):
        found.setdefault(task.instance_id, []).append(named(task))
    rest = [id for id in ids if id not in found]
    waiting = select(Job).where(Job.instance_id.in_(rest), Job.state.in_(("ready", "running", "failed"))).order_by(Job.created)
    for job in db.session.scalars(waiting):
        found.setdefault(job.instance_id, []).append(job.type or job.element_id)
    return {key: ", ".join(dict.fromkeys(names)) for key, names in found.items()}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a process, with how many instances run on it."""

    definition: Definition
    running: int


def processes() -> dict[str, tuple[str, list[Version]]]:
    """Process id → its title and its versions, newest first."""
    running = select(Instance.definition_id, func.count()).where(Instance.state == "running").group_by(Instance.definition_id)
    count = {str(id): int(n) for id, n in db.session.execute(running)}
    found: dict[str, tuple[str, list[Version]]] = {}
    query = select(Definition).where(Definition.kind == "process").order_by(Definition.key, Definition.version.desc())
    for row in db.session.scalars(query):
        if row.key not in found:
            model = model_of(db.session(), row)
            found[row.key] = (model.label(language()) if model else row.key, [])
        found[row.key][1].append(Version(row, count.get(row.id, 0)))
    return found
