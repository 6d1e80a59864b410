"""Criteria compute themselves, and a milestone's colour follows from them and from the calendar."""

from __future__ import annotations

import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from engine import clock
from engine.errors import NotFound, Refused
from engine.rollout import demo, programmes
from engine.rollout.evaluation import Evidence, evaluate, states
from engine.rollout.routing import route
from engine.rollout.tables import Criterion, Milestone, Programme
from tests.engine.history.record_rows import MONDAY, Told

SHANGHAI = ZoneInfo("Asia/Shanghai")


def tell(session, arm: str, door: float, *, first_day: int, days: int = 5, a_day: int = 10, department: str = "surgery") -> None:
    """Visits of some days, whose doctor comes after about `door` minutes."""
    rng = random.Random(f"{arm}{door}")
    for day in range(first_day, first_day + days):
        for n in range(a_day):
            told = Told(session, MONDAY + timedelta(days=day, minutes=n), arm=arm, department=department)
            contact = door + rng.uniform(-4, 4)
            told.step("Task_Consult", 1, contact, contact + 5, tag="firstClinicianContact")
            told.end(contact + 30)


@pytest.fixture
def programme(session) -> Programme:
    made = Programme(name="P", process_id="outpatient_visit", owner="pm", measured_from=MONDAY.date(), created=MONDAY)
    session.add(made)
    session.flush()
    return made


def judge(session, programme: Programme, **criterion):
    c = Criterion(kpi="door_to_doctor", arm="to-be", department="surgery", operator="<=", **{"min_n": 30, "min_days": 5, **criterion})
    c.basis, c.rule = c.basis or "value", c.rule or "median"
    return evaluate(c, Evidence(session, programme, ["door_to_doctor"], SHANGHAI))


def test_the_median_beyond_the_threshold_meets_a_median_criterion(session, programme) -> None:
    tell(session, "to-be", 20, first_day=0)
    assert judge(session, programme, threshold=25).verdict == "met"
    assert judge(session, programme, threshold=15).verdict == "not_met"


def test_as_is_stands_beside_to_be(session, programme) -> None:
    tell(session, "as-is", 40, first_day=0)
    tell(session, "to-be", 20, first_day=7)
    found = judge(session, programme, threshold=25)
    assert found.base.median == pytest.approx(40, abs=2)
    assert found.figure.median == pytest.approx(20, abs=2)
    assert found.figure.n == found.base.n == 50


def test_an_interval_criterion_needs_the_whole_interval(session, programme) -> None:
    tell(session, "to-be", 20, first_day=0)
    middle = judge(session, programme, threshold=1).figure.median
    assert judge(session, programme, threshold=middle + 0.01, rule="interval").verdict == "unclear"
    assert judge(session, programme, threshold=middle + 5, rule="interval").verdict == "met"
    assert judge(session, programme, threshold=middle - 5, rule="interval").verdict == "not_met"


def test_a_change_is_held_against_as_is_days(session, programme) -> None:
    tell(session, "as-is", 40, first_day=0)
    tell(session, "to-be", 20, first_day=7)
    assert judge(session, programme, threshold=-0.3, basis="change", rule="interval").verdict == "met"
    assert judge(session, programme, threshold=-0.9, basis="change", rule="interval").verdict == "not_met"


@pytest.mark.parametrize(("days", "a_day"), [(5, 5), (4, 10)])
def test_too_few_visits_or_days_give_no_verdict(session, programme, days: int, a_day: int) -> None:
    tell(session, "to-be", 20, first_day=0, days=days, a_day=a_day)
    assert judge(session, programme, threshold=25).verdict == "too_few"


def test_a_change_without_a_baseline_gives_no_verdict(session, programme) -> None:
    tell(session, "to-be", 20, first_day=0)
    assert judge(session, programme, threshold=-0.1, basis="change").verdict == "too_few"


def test_visits_of_another_department_or_before_the_window_are_no_evidence(session, programme) -> None:
    tell(session, "to-be", 20, first_day=0, department="ent")
    tell(session, "to-be", 20, first_day=-7)
    assert judge(session, programme, threshold=25).figure.n == 0


def milestone(session, programme: Programme, due: int, threshold: float | None = 25) -> Milestone:
    criteria = [Criterion(kpi="door_to_doctor", department="surgery", threshold=threshold)] if threshold is not None else []
    made = Milestone(name="M", due=MONDAY.date() + timedelta(days=due), owner="pm", criteria=criteria)
    programme.milestones.append(made)
    session.flush()
    return made


def rag(session, programme: Programme, day: int) -> str:
    with clock.at(MONDAY + timedelta(days=day)):
        return states(session, programme, SHANGHAI)[0].rag


def test_the_colour_follows_from_criteria_and_calendar(session, programme) -> None:
    milestone(session, programme, due=30)
    assert rag(session, programme, 0) == "pending"
    assert rag(session, programme, 24) == "amber"
    assert rag(session, programme, 31) == "red"
    tell(session, "to-be", 20, first_day=0)
    assert rag(session, programme, 31) == "green"


def test_a_missed_criterion_warns_long_before_the_day(session, programme) -> None:
    milestone(session, programme, due=30, threshold=10)
    tell(session, "to-be", 20, first_day=0)
    assert rag(session, programme, 6) == "amber"


def test_a_milestone_without_criteria_turns_green_only_by_a_person(session, programme) -> None:
    made = milestone(session, programme, due=3, threshold=None)
    assert rag(session, programme, 0) == "amber"
    programmes.decide(session, programme, made.id, "reached", why="signed", by="owner", zone=SHANGHAI)
    assert rag(session, programme, 9) == "reached"


def test_an_override_is_logged_with_the_figures_and_can_be_withdrawn(session, programme) -> None:
    made = milestone(session, programme, due=30, threshold=10)
    tell(session, "to-be", 20, first_day=0)
    with clock.at(MONDAY + timedelta(days=6)):
        decision = programmes.decide(session, programme, made.id, "green", why="the lift was broken", by="pm", zone=SHANGHAI)
        (found,) = states(session, programme, SHANGHAI)
        assert (found.rag, found.computed, found.overridden) == ("green", "amber", True)
        assert decision.figures[0]["verdict"] == "not_met"
        programmes.decide(session, programme, made.id, "computed", why="the lift is mended", by="pm", zone=SHANGHAI)
        (found,) = states(session, programme, SHANGHAI)
    assert (found.rag, found.overridden) == ("amber", False)
    assert [d.why for d in found.log] == ["the lift is mended", "the lift was broken"]


def test_a_decision_needs_a_reason_a_state_and_a_milestone(session, programme) -> None:
    made = milestone(session, programme, due=30)
    for status, why in (("green", " "), ("purple", "because"), ("computed", "nothing to withdraw")):
        with pytest.raises(Refused):
            programmes.decide(session, programme, made.id, status, why=why, by="pm", zone=SHANGHAI)
    with pytest.raises(NotFound):
        programmes.decide(session, programme, "none", "green", why="because", by="pm", zone=SHANGHAI)


def test_the_demonstration_pilots_internal_medicine_today(session, versions) -> None:
    with clock.at(MONDAY):
        made = demo.seed(session, SHANGHAI)
        assert demo.seed(session, SHANGHAI) is made
        assert route(session, "outpatient_visit", "internal_medicine").arm == "to-be"
        assert route(session, "outpatient_visit", "surgery").arm == "as-is"
        assert {s.rag for s in states(session, made, SHANGHAI)} <= {"reached", "pending", "amber"}
    with clock.at(MONDAY - timedelta(days=demo.PILOT_BEGAN + 1)):
        assert route(session, "outpatient_visit", "internal_medicine").arm == "as-is"


def test_a_phase_is_as_far_as_its_actions(session) -> None:
    with clock.at(MONDAY):
        made = demo.seed(session, SHANGHAI)
        phase = made.phases[1]
        before = phase.progress
        action = next(a for a in phase.actions if a.done is None)
        programmes.finish(session, made, action.id, by="cashier")
    assert phase.progress == pytest.approx(before + 1 / len(phase.actions))
    assert action.done_by == "cashier"
