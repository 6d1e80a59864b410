"""The chart's geometry: bars and diamonds stand where their days are."""

from __future__ import annotations

from datetime import date

from engine.rollout.evaluation import State
from engine.rollout.tables import Action, Milestone, Phase, Programme
from web.rollout.gantt import Bar, Diamond, chart


def programme() -> Programme:
    first = Phase(name="A", starts=date(2026, 3, 2), ends=date(2026, 3, 15), actions=[Action(name="x", done=None), Action(name="y")])
    second = Phase(name="B", starts=date(2026, 3, 16), ends=date(2026, 3, 29))
    return Programme(name="P", phases=[first, second])


def state(due: date) -> State:
    return State(Milestone(name=f"M{due}", due=due, decisions=[]), [], "pending")


def test_milestones_follow_the_phase_in_which_they_fall_due() -> None:
    drawn = chart(programme(), [state(date(2026, 3, 20)), state(date(2026, 3, 10)), state(date(2026, 5, 1))], date(2026, 3, 12))
    order = [row.phase.name if isinstance(row, Bar) else row.state.milestone.due for row in drawn.rows]
    assert order == ["A", date(2026, 3, 10), "B", date(2026, 3, 20), date(2026, 5, 1)]


def test_phases_that_meet_touch_and_equal_phases_are_equally_long() -> None:
    first, second = (row for row in chart(programme(), [], date(2026, 3, 12)).rows if isinstance(row, Bar))
    assert first.width == second.width
    assert first.x + first.width == second.x


def test_today_stands_between_yesterdays_and_tomorrows_milestone() -> None:
    drawn = chart(programme(), [state(date(2026, 3, 11)), state(date(2026, 3, 13))], date(2026, 3, 12))
    before, after = (row.x for row in drawn.rows if isinstance(row, Diamond))
    assert before < drawn.today < after


def test_everything_stays_inside_the_drawing() -> None:
    drawn = chart(programme(), [state(date(2026, 12, 31))], date(2026, 3, 12))
    assert all(drawn.labels <= row.x <= drawn.width for row in drawn.rows)
    assert all(row.y + drawn.bar <= drawn.height for row in drawn.rows)
