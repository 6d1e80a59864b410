"""The geometry of a chart by clinic day: one line an arm. The template draws it as SVG; the table beside it says the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import fmean, median

from engine.history.figures import Days

WIDTH, HEIGHT = 430, 170
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 12, 24


@dataclass(frozen=True, slots=True)
class Point:
    """One clinic day of one arm."""

    x: float
    y: float
    day: date
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Line:
    """One arm: its days in order, and the path through them."""

    arm: str
    points: list[Point]
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template draws."""

    lines: list[Line]
    grid: list[tuple[float, float]]  # y, value
    days: list[tuple[float, date]]  # x, day
    target: float | None  # y of the target's line
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def chart(arms: Mapping[str, Days], first: date, last: date, *, shares: bool = False, target: float | None = None) -> Chart | None:
    """The chart of a KPI's days from `first` to `last`; None when there are none."""
    of = fmean if shares else median
    values = {arm: {day: (float(of(v)), len(v)) for day, v in days.items() if v} for arm, days in arms.items()}
    everything = [value for days in values.values() for value, _ in days.values()]
    if not everything:
        return None
    top, steps = nice(max([*everything, target or 0.0]))
    span = max((last - first).days, 1)

    def x(day: date) -> float:
        return LEFT + 8 + (day - first).days / span * (WIDTH - LEFT - RIGHT - 16)

    def y(value: float) -> float:
        return TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for arm, days in values.items():
        points = [Point(x(d), y(v), d, v, n) for d, (v, n) in sorted(days.items())]
        lines.append(Line(arm, points, "M" + "L".join(f"{p.x:.1f} {p.y:.1f}" for p in points) if points else ""))
    every = max(1, math.ceil((span + 1) / 6))
    labels = [(x(day), day) for n in range(0, span + 1, every) if (day := date.fromordinal(first.toordinal() + n)) <= last]
    return Chart(lines, [(y(v), v) for v in steps], labels, y(target) if target is not None else None)


def nice(highest: float) -> tuple[float, Sequence[float]]:
    """A round upper end of the axis at or above `highest`, and three to five round steps up to it."""
    if highest <= 0:
        return 1.0, (0.0, 0.5, 1.0)
    size = 10.0 ** math.floor(math.log10(highest))
    step = next(size * f for f in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5) if size * f * 5 >= highest)
    count = math.ceil(highest / step - 1e-9)
    return step * count, [step * n for n in range(count + 1)]
