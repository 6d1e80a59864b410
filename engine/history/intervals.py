"""Intervals whose unit is the clinic day.

Patients of one day share its doctors, its queue and its weather, so they are not independent: a test that takes the patient as
its unit raises false alarms in most comparisons of a process with itself. Everything here counts days.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from statistics import NormalDist, fmean, median

Interval = tuple[float, float]


def quantile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of an ordered sample, linear between its points (Hyndman and Fan's type 7)."""
    position = min(max(q, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def quantile_interval(days: Mapping[date, Sequence[float]], q: float = 0.5, level: float = 0.95) -> Interval | None:
    """An interval for the q-quantile of all values, with the clinic day as the unit; None below three days.

    Woodruff's interval (JASA 47, 1952): the standard error of the share of values below the quantile, from the scatter
    of that share between days (cluster-robust), is turned back into values. Student's t with days - 1 degrees of freedom.
    """
    values = sorted(value for day in days.values() for value in day)
    if len(days) < 3 or not values:
        return None
    point = quantile(values, q)
    scatter = [sum((1.0 if v < point else 0.5 if v == point else 0.0) - q for v in day) for day in days.values()]
    error = math.sqrt(len(days) / (len(days) - 1) * sum(s * s for s in scatter)) / len(values)
    # A scatter of nought (every day splits evenly) is luck: never claim less than what independent values would show.
    error = max(error, math.sqrt(q * (1 - q) / len(values)))
    reach = student_t(level, len(days) - 1) * error
    return quantile(values, q - reach), quantile(values, q + reach)


def mean_interval(days: Mapping[date, Sequence[float]], level: float = 0.95) -> Interval | None:
    """An interval for the mean of all values (for shares: of noughts and ones), clustered by day; None below three days."""
    count = sum(len(day) for day in days.values())
    if len(days) < 3 or not count:
        return None
    mean = sum(map(sum, days.values())) / count
    scatter = sum((sum(day) - mean * len(day)) ** 2 for day in days.values())
    reach = student_t(level, len(days) - 1) * math.sqrt(len(days) / (len(days) - 1) * scatter) / count
    return mean - reach, mean + reach


@dataclass(frozen=True, slots=True)
class Effect:
    """What changed between two arms: difference of the days' figures, its interval, and the days it rests on."""

    difference: float
    interval: Interval
    base: float  # the mean of the first arm's days
    days: tuple[int, int]

    @property
    def relative(self) -> float | None:
        """The difference in proportion to the first arm."""
        return self.difference / self.base if self.base else None

    @property
    def relative_interval(self) -> Interval | None:
        """The interval in proportion to the first arm's mean, which is taken as known."""
        return (self.interval[0] / self.base, self.interval[1] / self.base) if self.base else None

    @property
    def shown(self) -> bool:
        """True when the whole interval lies on one side of nought."""
        return self.interval[0] > 0 or self.interval[1] < 0


def effect(
    before: Mapping[date, Sequence[float]], after: Mapping[date, Sequence[float]], *, shares: bool = False, level: float = 0.95
) -> Effect | None:
    """After minus before, as clinic days: one figure a day (its median; its mean for shares), compared within weekdays.

    This is least squares of the day's figure on the arm with one intercept a weekday. Weekdays that only one arm has say
    nothing and drop out; if none is shared, the arms are compared plainly. None below three days an arm.
    """
    of = fmean if shares else median
    first = {day: float(of(values)) for day, values in before.items() if values}
    second = {day: float(of(values)) for day, values in after.items() if values}
    if len(first) < 3 or len(second) < 3:
        return None
    strata = _strata(first, second)
    weights = [len(a) * len(b) / (len(a) + len(b)) for a, b in strata]
    difference = sum(w * (fmean(b) - fmean(a)) for w, (a, b) in zip(weights, strata, strict=True)) / sum(weights)
    residuals = sum(_scatter(a, b, difference) for a, b in strata)
    freedom = sum(len(a) + len(b) for a, b in strata) - len(strata) - 1
    if freedom < 1:
        return None
    reach = student_t(level, freedom) * math.sqrt(residuals / freedom / sum(weights))
    return Effect(difference, (difference - reach, difference + reach), fmean(first.values()), (len(first), len(second)))


def _strata(first: Mapping[date, float], second: Mapping[date, float]) -> list[tuple[list[float], list[float]]]:
    """The days' figures of both arms by weekday, where both have some."""
    cells: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for which, arm in enumerate((first, second)):
        for day, value in arm.items():
            cells[day.weekday()][which].append(value)
    shared = [cell for cell in cells.values() if cell[0] and cell[1]]
    if sum(len(a) + len(b) for a, b in shared) > len(shared) + 1:
        return shared
    return [(list(first.values()), list(second.values()))]


def _scatter(a: list[float], b: list[float], difference: float) -> float:
    """The sum of squares about the common effect within one weekday."""
    level = (sum(a) + sum(v - difference for v in b)) / (len(a) + len(b))
    return sum((v - level) ** 2 for v in a) + sum((v - difference - level) ** 2 for v in b)


@lru_cache(maxsize=512)
def student_t(level: float, freedom: int) -> float:
    """The two-sided quantile of Student's t: Hill's algorithm 396 (CACM 13, 1970); exact for one and two degrees."""
    p = 1.0 - level
    if freedom == 1:
        return 1.0 / math.tan(p * math.pi / 2)
    if freedom == 2:
        return math.sqrt(2.0 / (p * (2.0 - p)) - 2.0)
    a = 1.0 / (freedom - 0.5)
    b = 48.0 / (a * a)
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * math.sqrt(a * math.pi / 2) * freedom
    y = (d * p) ** (2.0 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(p * 0.5)
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1.0 / (((freedom + 6.0) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2.0) * 3.0) + 0.5 / (freedom + 4.0)) * y - 1.0) * (
            freedom + 1.0
        ) / (freedom + 2.0) + 1.0 / y
    return math.sqrt(freedom * y)
