"""The Gantt chart's geometry. The template draws it as SVG; the table beside it says the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.rollout.evaluation import State
from engine.rollout.tables import Phase, Programme

LABELS = 250  # width of the column of names
RIGHT = 90  # room for the last label
WIDTH = 1180
ROW = 34
TOP = 62
BAR = 18


@dataclass(frozen=True, slots=True)
class Tick:
    """A week's line."""

    x: float
    day: date
    labelled: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase."""

    phase: Phase
    y: float
    x: float
    width: float
    done: float  # width of the finished part


@dataclass(frozen=True, slots=True)
class Diamond:
    """A milestone."""

    state: State
    y: float
    x: float


@dataclass(frozen=True, slots=True)
class Chart:
    """All that the template draws, in order from the top."""

    height: float
    ticks: list[Tick]
    today: float
    rows: list[Bar | Diamond]
    width: float = WIDTH
    labels: float = LABELS
    top: float = TOP
    bar: float = BAR


def chart(programme: Programme, states: Sequence[State], today: date) -> Chart:
    """Lays out phases, each followed by the milestones that fall due in it."""
    days = [d for p in programme.phases for d in (p.starts, p.ends)] + [s.milestone.due for s in states] + [today]
    first = min(days) - timedelta(days=min(days).weekday())
    last = max(days) + timedelta(days=3)
    scale = (WIDTH - LABELS - RIGHT) / max((last - first).days, 1)

    def x(day: date) -> float:
        return LABELS + (day - first).days * scale

    rows: list[Bar | Diamond] = []
    for thing in _order(programme.phases, states):
        y = TOP + 8 + len(rows) * ROW
        if isinstance(thing, State):
            rows.append(Diamond(thing, y, x(thing.milestone.due) + scale / 2))
        else:
            width = x(thing.ends + timedelta(days=1)) - x(thing.starts)
            rows.append(Bar(thing, y, x(thing.starts), width, width * thing.progress))
    weeks = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    every = 1 if len(weeks) <= 13 else 2 if len(weeks) <= 26 else 4
    ticks = [Tick(x(week), week, n % every == 0) for n, week in enumerate(weeks)]
    return Chart(TOP + 8 + len(rows) * ROW + 6, ticks, x(today) + scale / 2, rows)


def _order(phases: Sequence[Phase], states: Sequence[State]) -> list[Phase | State]:
    """Phases in their order, milestones after the phase in which they fall due; those before any phase come first."""
    left = sorted(states, key=lambda s: s.milestone.due)
    order: list[Phase | State] = []
    for phase in phases:
        early = [s for s in left if s.milestone.due < phase.starts]
        within = [s for s in left if phase.starts <= s.milestone.due <= phase.ends]
        left = [s for s in left if s not in early and s not in within]
        order += [*early, phase, *within]
    return order + list(left)
