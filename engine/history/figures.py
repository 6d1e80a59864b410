"""Figures: a KPI over many visits, with its spread, its interval by clinic days, and its target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, tzinfo
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import InvalidModel, Problem
from engine.history.intervals import Interval, mean_interval, quantile, quantile_interval
from engine.history.kpis import KPIS, Kpi, needs
from engine.history.record import Visit, visits

Days = dict[date, list[float]]

PROCESSES = Path(__file__).resolve().parents[2] / "processes"


@dataclass(frozen=True, slots=True)
class Target:
    """What a process folder's kpis.yaml asks of a KPI."""

    value: float
    direction: str = "lower"  # lower: at most the value; higher: at least

    def met_by(self, value: float) -> bool:
        """Whether `value` is on the right side; the target itself is."""
        return value <= self.value if self.direction == "lower" else value >= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """A KPI over the visits of one arm, department and period. `value` is what the target is held against."""

    id: str
    unit: str
    n: int  # visits with a value; clinic days for a KPI per day
    days: int
    open: int  # visits still running, without a value yet
    value: float | None = None  # the median; the share; the median of days
    median: float | None = None
    p90: float | None = None
    ci: Interval | None = None  # 95 %, the clinic day as the unit; None below three days
    target: float | None = None
    direction: str = "lower"
    met: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row that `carelane kpi --json` prints."""
        return asdict(self) | {"ci": list(self.ci) if self.ci else None}


def figures(
    session: Session,
    process_id: str,
    *,
    zone: tzinfo,
    since: datetime | None = None,
    until: datetime | None = None,
    arm: str | None = None,
    department: str | None = None,
    ids: Iterable[str] | None = None,
    targets: Mapping[str, Target] | None = None,
) -> list[Figure]:
    """The KPIs `ids` (all by default) over the visits that started in [since, until)."""
    asked = [KPIS[i] for i in (ids or KPIS)]
    tags, types = needs(asked)
    found = visits(session, process_id, since=since, until=until, arm=arm, department=department, tags=tags, types=types)
    return [summarise(k, found, zone, (targets or {}).get(k.id)) for k in asked]


def by_day(kpi: Kpi, found: Iterable[Visit], zone: tzinfo) -> Days:
    """The visits' values by clinic day; for a KPI per day, that day's one sum."""
    days: Days = defaultdict(list)
    for visit in found:
        value = kpi.measure(visit)
        if value is not None:
            days[visit.day(zone)].append(value)
    if kpi.aggregate == "per_day":
        today = clock.now().astimezone(zone).date()
        return {day: [sum(values)] for day, values in days.items() if day < today}
    return dict(days)


def summarise(kpi: Kpi, found: Iterable[Visit], zone: tzinfo, target: Target | None = None) -> Figure:
    """One figure from visits in memory: from the record, or from a simulation."""
    found = list(found)
    days = by_day(kpi, found, zone)
    waiting = sum(1 for v in found if v.ended is None and kpi.measure(v) is None)
    values = sorted(value for day in days.values() for value in day)
    figure = Figure(kpi.id, kpi.unit, len(values), len(days), waiting, direction=target.direction if target else kpi.better)
    if target:
        figure = replace(figure, target=target.value)
    if not values:
        return figure
    middle = quantile(values, 0.5)
    share = kpi.aggregate == "share"
    value = fmean(values) if share else middle
    return replace(
        figure,
        value=value,
        median=None if share else middle,
        p90=None if share else quantile(values, 0.9),
        ci=_shares(mean_interval(days)) if share else quantile_interval(days),
        met=target.met_by(value) if target else None,
    )


def _shares(interval: Interval | None) -> Interval | None:
    return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def targets(process_id: str, folder: Path = PROCESSES) -> dict[str, Target]:
    """The targets in `folder/<process>/kpis.yaml`; none when there is no such file. InvalidModel names each bad row."""
    path = folder / process_id / "kpis.yaml"
    if not path.is_file():
        return {}
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    if isinstance(rows, dict):
        rows = rows.get("kpis", [])
    problems = [problem for row in rows if (problem := _problem(row, str(path.relative_to(folder))))]
    if problems:
        raise InvalidModel(problems)
    return {row["id"]: Target(float(row["target"]), _direction(row)) for row in rows}


_DIRECTIONS = dict.fromkeys(("lower", "down", "max", "<="), "lower") | dict.fromkeys(("higher", "up", "min", ">="), "higher")


def _direction(row: dict[str, Any]) -> str:
    return _DIRECTIONS[str(row.get("direction", KPIS[row["id"]].better))]


def _problem(row: Any, file: str) -> Problem | None:
    """What is wrong with one row of a kpis.yaml."""
    kpi_id = row.get("id") if isinstance(row, dict) else None
    if kpi_id not in KPIS:
        return Problem("kpi-unknown", f"There is no KPI {kpi_id!r}.", f"Use one of {', '.join(KPIS)}.", file=file)
    unit = KPIS[kpi_id].unit
    if not isinstance(row.get("target"), int | float):
        return Problem("kpi-target", f"The target of {kpi_id} is no number.", f"Write it in {unit!r}.", element=kpi_id, file=file)
    if row.get("unit", unit) != unit:
        return Problem("kpi-unit", f"{kpi_id} is measured in {unit!r}.", "Give the target in that unit.", element=kpi_id, file=file)
    if str(row.get("direction", "lower")) not in _DIRECTIONS:
        return Problem("kpi-direction", f"{row['direction']!r} is no direction.", "Use lower or higher.", element=kpi_id, file=file)
    return None
