"""What the figures page shows, assembled from the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from engine import clock
from engine.history.figures import Figure, Target, by_day, summarise, targets
from engine.history.intervals import Effect, effect
from engine.history.kpis import KPIS, Kpi, needs
from engine.history.record import Visit, visits
from engine.history.steps import Step, steps
from engine.models import deploy
from engine.models.tables import Definition
from web.i18n import language
from web.insight.charts import Chart, chart

PROCESS = "outpatient_visit"
ARMS = ("as-is", "to-be")
PERIODS = (7, 14, 28, 90)
WORK = ("userTask", "receiveTask")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader chose to look at."""

    days: int
    department: str
    arm: str
    process: str

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Choice:
        """From a query string; what is not known falls back."""
        days = args.get("days", "")
        arm = args.get("arm", "")
        return cls(
            int(days) if days.isdigit() and int(days) in PERIODS else PERIODS[2],
            args.get("department", "")[:50],
            arm if arm in ARMS else ARMS[0],
            args.get("process", "")[:200],
        )

    def query(self, **changes: Any) -> dict[str, Any]:
        """The query string's values, with some changed."""
        return {"days": self.days, "department": self.department, "arm": self.arm, "process": self.process} | changes


@dataclass(frozen=True, slots=True)
class Panel:
    """One KPI: both arms, what changed, the target, and the days."""

    kpi: Kpi
    figures: dict[str, Figure]
    effect: Effect | None
    target: Target | None
    chart: Chart | None

    @property
    def share(self) -> bool:
        """Whether it is a share: told in points."""
        return self.kpi.unit == "share"


@dataclass(frozen=True, slots=True)
class Named:
    """A step with its name in the reader's language."""

    step: Step
    name: str
    process: str
    level: int  # 0 to 4: how much of all waiting it holds


def page(session: Session, choice: Choice, zone: ZoneInfo) -> dict[str, Any]:
    """The variables of the figures page."""
    today = clock.now().astimezone(zone).date()
    first = today - timedelta(days=choice.days - 1)
    tags, types = needs(KPIS.values())
    since = datetime.combine(first, time(), zone)
    found = visits(session, PROCESS, since=since, department=choice.department or None, tags=tags, types={*types, *WORK})
    arms = {arm: [v for v in found if v.arm == arm] for arm in ARMS}
    wanted = targets(PROCESS)
    rows = named(session, steps(arms[choice.arm], WORK), choice.arm)
    shown = choice.process or next((row.step.process_id for row in rows), "")
    return {
        "choice": choice,
        "panels": [panel(k, arms, wanted.get(k.id), first, today, zone) for k in KPIS.values()],
        "rows": rows,
        "shown": shown,
        "diagrams": list(dict.fromkeys((row.step.process_id, row.process) for row in rows)),
        "counts": {arm: len(of) for arm, of in arms.items()},
        "first": first,
        "last": today,
    }


def panel(kpi: Kpi, arms: Mapping[str, list[Visit]], target: Target | None, first: date, last: date, zone: ZoneInfo) -> Panel:
    """One KPI of both arms."""
    days = {arm: by_day(kpi, found, zone) for arm, found in arms.items()}
    share = kpi.aggregate == "share"
    drawn = chart(days, first, last, shares=share, target=target.value if target else None)
    found = {arm: summarise(kpi, visits_, zone, target) for arm, visits_ in arms.items()}
    # Visits a day follow from which departments are in an arm: their difference is no effect of the process.
    change = None if kpi.aggregate == "per_day" else effect(*(days[arm] for arm in ARMS), shares=share)
    return Panel(kpi, found, change, target, drawn)


def named(session: Session, rows: list[Step], arm: str) -> list[Named]:
    """The steps with names and with how hot they are."""
    models = {p: deploy.model(session, d) for p in {r.process_id for r in rows} if (d := version(session, p, arm))}
    labelled = []
    for row in rows:
        model = models.get(row.process_id)
        element = model.elements.get(row.element_id) if model else None
        name = element.label(language()) if element else row.element_id
        labelled.append(Named(row, name, model.label(language()) if model else row.process_id, level(row.share)))
    return labelled


def level(share: float) -> int:
    """The tint of a step by its part of all waiting."""
    return sum(share >= limit for limit in (0.02, 0.06, 0.12, 0.2))


def version(session: Session, process_id: str, arm: str) -> Definition | None:
    """The newest version of a process in an arm; the newest of all where it has no arms."""
    return deploy.newest(session, "process", process_id, version_tag=arm) or deploy.newest(session, "process", process_id)
