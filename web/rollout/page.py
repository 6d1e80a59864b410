"""What the programme page shows, assembled from the engine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.execution.tables import Instance
from engine.history.figures import Figure, Target, targets
from engine.history.intervals import Effect
from engine.rollout import evaluation, routing
from engine.rollout.evaluation import Evidence
from engine.rollout.tables import Programme, RouteRule
from web.rollout.gantt import chart
from web.shell import departments

SHOWN = ("door_to_doctor", "payment_burden", "visit_cycle_time", "lwbs")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One KPI, as-is beside to-be."""

    kpi: str
    before: Figure
    after: Figure
    effect: Effect | None
    target: Target | None

    @property
    def share(self) -> bool:
        """Whether it is a share: its change is told in points, for a proportion of a rare thing says little."""
        return self.before.unit == "share"


@dataclass(frozen=True, slots=True)
class Where:
    """A department, the version its new visits take, and who decided so."""

    code: str
    tag: str | None
    rule: RouteRule | None
    running: dict[str | None, int]  # running visits by arm
    planned: bool  # whether the programme has a phase for it


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the programme's log."""

    at: datetime
    by: str
    kind: str  # switch, decision, action
    what: Any
    why: str = ""


def zone() -> ZoneInfo:
    """The clinic's zone."""
    return ZoneInfo(current_app.config["CARELANE"].clinic_zone)


def page(session: Session, programme: Programme, department: str | None) -> dict[str, Any]:
    """The variables of the programme page."""
    tz = zone()
    asked = {c.kpi for m in programme.milestones for c in m.criteria} | set(SHOWN)
    evidence = Evidence(session, programme, asked, tz)
    states = evaluation.states(session, programme, tz, evidence)
    places = whereabouts(session, programme)
    today = clock.now().astimezone(tz).date()
    return {
        "programme": programme,
        "states": states,
        "chart": chart(programme, states, today),
        "today": today,
        "places": places,
        "department": department,
        "comparisons": compare(evidence, programme, department),
        "log": log(session, programme),
        "counts": Counter(s.rag for s in states),
    }


def compare(evidence: Evidence, programme: Programme, department: str | None) -> list[Comparison]:
    """The KPIs of the programme's two arms in one department, or in all."""
    wanted = targets(programme.process_id)
    return [
        Comparison(
            kpi,
            evidence.figure(kpi, programme.from_tag, department),
            evidence.figure(kpi, programme.to_tag, department),
            evidence.effect(kpi, programme.to_tag, department),
            wanted.get(kpi),
        )
        for kpi in SHOWN
    ]


def whereabouts(session: Session, programme: Programme) -> list[Where]:
    """Every active department with its version; the programme's own first."""
    rules = routing.in_force(session, programme.process_id)
    running = _running(session, programme.process_id)
    planned = {p.department for p in programme.phases if p.department}
    found = [
        Where(
            d.code,
            routing.route(session, programme.process_id, d.code).version_tag,
            rules.get(d.code) or rules.get(None),
            {arm: n for (code, arm), n in running.items() if code == d.code},
            d.code in planned,
        )
        for d in departments()
    ]
    return sorted(found, key=lambda w: not w.planned)


def _running(session: Session, process_id: str) -> dict[tuple[str | None, str | None], int]:
    query = select(Instance.department, Instance.arm, func.count()).where(Instance.process_id == process_id, Instance.ended.is_(None))
    rows = session.execute(query.where(Instance.state != "cancelled").group_by(Instance.department, Instance.arm))
    return {(department, arm): count for department, arm, count in rows}


def log(session: Session, programme: Programme) -> list[Entry]:
    """What people decided, the newest first."""
    planned = {p.department for p in programme.phases}
    entries = [
        Entry(rule.since, rule.by, "switch", rule, rule.why)
        for rule in routing.rules(session, programme.process_id)
        if rule.programme_id == programme.id or rule.department in planned
    ]
    entries += [Entry(d.at, d.by, "decision", (m, d), d.why) for m in programme.milestones for d in m.decisions]
    entries += [Entry(a.done, a.done_by or a.owner, "action", a) for p in programme.phases for a in p.actions if a.done]
    return sorted(entries, key=lambda e: e.at, reverse=True)


def summary(session: Session, programme: Programme, tz: tzinfo) -> dict[str, Any]:
    """One row of the list."""
    states = evaluation.states(session, programme, tz)
    today = clock.now().astimezone(tz).date()
    phase = next((p for p in programme.phases if p.starts <= today <= p.ends), None)
    coming = next((s for s in states if s.rag != "reached" and s.milestone.due >= today), None)
    moved = [w for w in whereabouts(session, programme) if w.planned]
    return {"programme": programme, "phase": phase, "coming": coming, "counts": Counter(s.rag for s in states), "places": moved}
