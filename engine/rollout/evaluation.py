"""Acceptance criteria that compute themselves from the visits' own record, and what they say about a milestone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Literal

from sqlalchemy.orm import Session

from engine import clock
from engine.history.figures import Figure, by_day, summarise
from engine.history.intervals import Effect, Interval, effect
from engine.history.kpis import KPIS, needs
from engine.history.record import Visit, visits
from engine.rollout.tables import Criterion, Decision, Milestone, Programme

Verdict = Literal["met", "not_met", "unclear", "too_few"]
Rag = Literal["reached", "green", "amber", "red", "pending"]

SOON = timedelta(days=7)


class Evidence:
    """The visits of a programme's window, read once; each figure computed once."""

    def __init__(self, session: Session, programme: Programme, kpis: Iterable[str], zone: tzinfo) -> None:
        tags, types = needs(KPIS[k] for k in kpis if k in KPIS)
        since = datetime.combine(programme.measured_from, time(), zone)
        self.zone = zone
        self.base_arm = programme.from_tag
        self.visits = visits(session, programme.process_id, since=since, tags=tags, types=types)
        self._figures: dict[tuple[str, str, str | None], Figure] = {}
        self._effects: dict[tuple[str, str, str | None], Effect | None] = {}

    def of(self, arm: str, department: str | None) -> list[Visit]:
        """The visits of one arm and department (None: all)."""
        return [v for v in self.visits if v.arm == arm and (department is None or v.department == department)]

    def figure(self, kpi: str, arm: str, department: str | None = None) -> Figure:
        """One KPI over them."""
        key = (kpi, arm, department)
        if key not in self._figures:
            self._figures[key] = summarise(KPIS[kpi], self.of(arm, department), self.zone)
        return self._figures[key]

    def effect(self, kpi: str, arm: str, department: str | None = None) -> Effect | None:
        """What changed from the base arm to `arm`; None while there are too few clinic days."""
        key = (kpi, arm, department)
        if key not in self._effects:
            days = [by_day(KPIS[kpi], self.of(a, department), self.zone) for a in (self.base_arm, arm)]
            self._effects[key] = effect(*days, shares=KPIS[kpi].aggregate == "share")
        return self._effects[key]


@dataclass(frozen=True, slots=True)
class Result:
    """One criterion with its evidence."""

    criterion: Criterion
    verdict: Verdict
    value: float | None  # what was held against the threshold
    interval: Interval | None
    base: Figure  # the other arm, beside it
    figure: Figure

    def as_dict(self) -> dict[str, Any]:
        """The snapshot kept with a decision."""
        c = self.criterion
        asked = {"kpi": c.kpi, "arm": c.arm, "department": c.department, "operator": c.operator, "threshold": c.threshold}
        found = {"verdict": self.verdict, "value": self.value, "interval": self.interval, "n": self.figure.n, "days": self.figure.days}
        return asked | {"basis": c.basis, "rule": c.rule} | found


@dataclass(frozen=True, slots=True)
class State:
    """Where a milestone stands: what the figures say, and what a person said over them."""

    milestone: Milestone
    results: list[Result]
    computed: Rag
    decision: Decision | None = None  # the one that holds; None: the computed state does
    log: list[Decision] = field(default_factory=list)

    @property
    def rag(self) -> str:
        """The state to show."""
        return self.decision.status if self.decision else self.computed

    @property
    def overridden(self) -> bool:
        """Whether a person's word stands against the figures."""
        return self.decision is not None and self.decision.status not in (self.computed, "reached")


def evaluate(criterion: Criterion, evidence: Evidence) -> Result:
    """Holds one criterion against the record."""
    c = criterion
    figure = evidence.figure(c.kpi, c.arm, c.department)
    base = evidence.figure(c.kpi, evidence.base_arm, c.department)
    value, interval = figure.value, figure.ci
    enough = figure.n >= c.min_n and figure.days >= c.min_days
    if c.basis == "change":
        change = evidence.effect(c.kpi, c.arm, c.department)
        enough = enough and base.n >= c.min_n and base.days >= c.min_days
        value, interval = (change.relative, change.relative_interval) if change else (None, None)
    if not enough or value is None or (c.rule == "interval" and interval is None):
        return Result(c, "too_few", value, interval, base, figure)
    return Result(c, _verdict(c, value, interval), value, interval, base, figure)


def _verdict(c: Criterion, value: float, interval: Interval | None) -> Verdict:
    if c.rule == "interval" and interval is not None:
        sides = {_beyond(c, end) for end in interval}
        return "unclear" if len(sides) == 2 else "met" if True in sides else "not_met"
    return "met" if _beyond(c, value) else "not_met"


def _beyond(c: Criterion, value: float) -> bool:
    return value <= c.threshold if c.operator == "<=" else value >= c.threshold


def states(session: Session, programme: Programme, zone: tzinfo, evidence: Evidence | None = None) -> list[State]:
    """Every milestone of a programme, computed now."""
    asked = {c.kpi for m in programme.milestones for c in m.criteria}
    evidence = evidence or Evidence(session, programme, asked, zone)
    today = clock.now().astimezone(zone).date()
    return [state(milestone, [evaluate(c, evidence) for c in milestone.criteria], today) for milestone in programme.milestones]


def state(milestone: Milestone, results: list[Result], today: date) -> State:
    """One milestone's state from its results and its decisions."""
    last = milestone.decisions[-1] if milestone.decisions else None
    holds = last if last is not None and last.status != "computed" else None
    return State(milestone, results, computed(milestone, results, today), holds, list(reversed(milestone.decisions)))


def computed(milestone: Milestone, results: list[Result], today: date) -> Rag:
    """Red: the day has passed and the criteria are not met. Green: all are met. Amber: due within a week, or one is missed.

    Pending: too early to say. A milestone without criteria is never green by itself: a person accepts it.
    """
    if results and all(r.verdict == "met" for r in results):
        return "green"
    if today > milestone.due:
        return "red"
    if milestone.due - today <= SOON or any(r.verdict == "not_met" for r in results):
        return "amber"
    return "pending"


def snapshot(results: list[Result]) -> list[dict[str, Any]]:
    """The figures as they are kept with a decision."""
    return [result.as_dict() for result in results]
