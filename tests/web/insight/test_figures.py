"""The figures page says what the record says."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from engine import clock
from tests.engine.history.record_rows import Told
from tests.web.clinic import Clinic
from web.db import db
from web.insight.charts import chart, nice


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def fortnight(clinic: Clinic) -> None:
    for ago, arm, door in [*((n, "as-is", 40) for n in range(10, 5, -1)), *((n, "to-be", 20) for n in range(5, 0, -1))]:
        told = Told(db.session(), clock.now() - timedelta(days=ago), arm=arm, department="surgery")
        told.step("Task_Consult", 10, door, door + 5, tag="firstClinicianContact")
        told.end(door + 30)
    db.session.commit()


@pytest.mark.usefixtures("fortnight")
def test_both_arms_stand_beside_each_other(clinic: Clinic) -> None:
    page = plain(clinic.person("owner").text("/insight"))
    assert re.search(r"Door to doctor as-is 40 min .*? n = 5 to-be 20 min", page)
    assert "change −50 %" in page


@pytest.mark.usefixtures("fortnight")
def test_the_chart_has_a_table_of_the_same_days(clinic: Clinic) -> None:
    page = clinic.person("owner").text("/insight")
    panel = page[page.index('id="k-door_to_doctor"') : page.index('id="k-payment_burden"')]
    assert len(re.findall(r"<circle|<rect", panel)) == 10
    assert len(re.findall(r"<tr>", panel)) == 11


@pytest.mark.usefixtures("fortnight")
def test_steps_are_listed_by_waiting_for_the_chosen_version(clinic: Clinic) -> None:
    owner = clinic.person("owner")
    assert re.search(r"Consultation .*? 5 – 30 30", plain(owner.text("/insight?arm=as-is")))
    assert re.search(r"Consultation .*? 5 – 10 10", plain(owner.text("/insight?arm=to-be")))


@pytest.mark.usefixtures("fortnight")
def test_period_and_department_choose_the_visits(clinic: Clinic) -> None:
    owner = clinic.person("owner")
    assert re.search(r"as-is 1 to-be 5 target", plain(owner.text("/insight?days=7")))
    assert re.search(r"as-is 0 to-be 0 target", plain(owner.text("/insight?department=ent")))
    assert owner.get("/insight?days=evil&arm=evil&process=evil").status_code == 200


def test_without_visits_the_page_says_so(clinic: Clinic) -> None:
    assert "No visits of this version in the period" in clinic.person("pm").text("/insight")


def test_care_staff_do_not_see_figures(clinic: Clinic) -> None:
    assert clinic.person("doctor").get("/insight").status_code == 403


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (7.2, 8), (49, 50), (50, 50), (51, 60), (123, 125), (0.13, 0.15), (1001, 1250)])
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    end, steps = nice(highest)
    assert end == pytest.approx(top)
    assert end >= highest
    assert 3 <= len(steps) <= 6


def test_days_stand_in_order_from_left_to_right() -> None:
    days = {date(2026, 3, 2) + timedelta(days=n): [10.0 + n] for n in (3, 1, 2)}
    drawn = chart({"as-is": days}, date(2026, 3, 1), date(2026, 3, 7), target=30)
    xs = [p.x for p in drawn.lines[0].points]
    assert xs == sorted(xs)
    assert drawn.target < min(p.y for p in drawn.lines[0].points)  # upwards is more
