"""Intervals are honest when the day, not the patient, is what varies."""

from __future__ import annotations

import random
from datetime import date, timedelta
from statistics import NormalDist

import pytest

from engine.history.intervals import effect, mean_interval, quantile, quantile_interval, student_t

MONDAY = date(2026, 3, 2)


def clinic(rng: random.Random, first: date, days: int, *, shift: float = 0.0, per_day: int = 25) -> dict[date, list[float]]:
    """Waits of `days` working days: a weekday's own level, a day's own luck, a patient's own luck (minutes)."""
    found: dict[date, list[float]] = {}
    day = first
    while len(found) < days:
        if day.weekday() < 5:
            level = 30 + 6 * (day.weekday() == 0) + rng.gauss(0, 5) + shift
            found[day] = [level + rng.gauss(0, 12) for _ in range(max(3, round(rng.gauss(per_day, 6))))]
        day += timedelta(days=1)
    return found


def patients_differ(a: dict[date, list[float]], b: dict[date, list[float]]) -> bool:
    """The wrong test: Mann-Whitney with the patient as the unit."""
    x, y = ([v for day in arm.values() for v in day] for arm in (a, b))
    ranked = sorted([(v, 0) for v in x] + [(v, 1) for v in y])
    ranks = sum(i + 1 for i, (_, arm) in enumerate(ranked) if arm == 0)
    u = ranks - len(x) * (len(x) + 1) / 2
    z = (u - len(x) * len(y) / 2) / (len(x) * len(y) * (len(x) + len(y) + 1) / 12) ** 0.5
    return abs(z) > NormalDist().inv_cdf(0.975)


def test_a_process_compared_with_itself_seldom_shows_an_effect() -> None:
    rng = random.Random(20260302)
    trials = [(clinic(rng, MONDAY, 20), clinic(rng, MONDAY + timedelta(weeks=4), 20)) for _ in range(400)]
    by_day = sum(effect(a, b).shown for a, b in trials) / 400
    by_patient = sum(patients_differ(a, b) for a, b in trials) / 400
    assert by_day <= 0.08  # five in a hundred, with the noise of 400 trials
    assert by_patient > 0.25  # the mistake that days as the unit avoid


def test_a_real_effect_is_found_and_its_interval_covers_it() -> None:
    rng = random.Random(7)
    effects = [effect(clinic(rng, MONDAY, 20), clinic(rng, MONDAY + timedelta(weeks=4), 20, shift=-8)) for _ in range(200)]
    assert sum(e.shown for e in effects) / 200 > 0.9
    assert 0.9 <= sum(e.interval[0] <= -8 <= e.interval[1] for e in effects) / 200 <= 0.99


def test_weekdays_are_compared_with_their_own_kind() -> None:
    mondays = {MONDAY + timedelta(weeks=w): [50.0 + w] for w in range(4)}
    fridays = {MONDAY + timedelta(weeks=w, days=4): [20.0 + w] for w in range(4)}
    before = {**mondays, **fridays}
    after = {day + timedelta(weeks=4): values for day, values in fridays.items()}
    assert effect(before, after).difference == pytest.approx(0)  # the unshared Mondays do not count as a gain


def test_the_intervals_of_the_median_covers_it_over_clinic_days() -> None:
    rng = random.Random(11)
    covered = 0
    for _ in range(300):
        days = {
            MONDAY + timedelta(days=n): [rng.gauss(30, 12) + luck for _ in range(20)]
            for n, luck in enumerate(rng.gauss(0, 5) for _ in range(14))
        }
        low, high = quantile_interval(days)
        covered += low <= 30 <= high
    assert 0.91 <= covered / 300 <= 0.99


def test_two_days_give_no_interval() -> None:
    days = {MONDAY: [1.0, 2.0], MONDAY + timedelta(days=1): [3.0]}
    assert quantile_interval(days) is None
    assert mean_interval(days) is None
    assert effect(days, days) is None


@pytest.mark.parametrize(("freedom", "table"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (120, 1.980)])
def test_student_t_is_that_of_the_tables(freedom: int, table: float) -> None:
    assert student_t(0.95, freedom) == pytest.approx(table, abs=6e-4)


def test_quantiles_lie_between_the_points() -> None:
    assert quantile([10, 20, 30, 40], 0.5) == 25
    assert quantile([7], 0.9) == 7
