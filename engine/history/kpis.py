"""The registry of KPIs: one decorated function over a visit each.

A function here shows on the dashboard, in `carelane kpi` and as a milestone's criterion without a line elsewhere (and a row in
docs/kpis.md, which a test asks for). It returns the visit's value, or None when the visit says nothing (yet).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from engine.history.record import Occurrence, Visit

Measure = Callable[[Visit], float | None]
Aggregate = Literal["median", "share", "per_day"]

# Two payment steps within this gap are one errand: the system's own steps between them take seconds.
ERRAND_GAP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Kpi:
    """What is measured, in which unit, and which way is better."""

    id: str
    measure: Measure
    names: dict[str, str]  # title by language
    unit: Literal["min", "count", "share", "per day"]
    better: Literal["lower", "higher"]
    aggregate: Aggregate  # median over visits; share of visits; visits a day
    tags: tuple[str, ...]  # elements whose occurrences it looks at
    types: tuple[str, ...]  # element types whose occurrences it looks at

    @property
    def definition(self) -> str:
        """What exactly is counted: the function's docstring."""
        return " ".join((self.measure.__doc__ or "").split())

    def label(self, lang: str = "en") -> str:
        """The title in `lang`."""
        return self.names.get(lang) or self.names["en"]


KPIS: dict[str, Kpi] = {}


def kpi(
    en: str,
    zh: str,
    *,
    unit: Literal["min", "count", "share", "per day"] = "min",
    better: Literal["lower", "higher"] = "lower",
    aggregate: Aggregate = "median",
    tags: tuple[str, ...] = (),
    types: tuple[str, ...] = (),
) -> Callable[[Measure], Measure]:
    """Registers the decorated function as the KPI of its name. Only occurrences of `tags` and `types` are read for it."""

    def register(measure: Measure) -> Measure:
        name = measure.__name__
        if name in KPIS:
            raise ValueError(f"two KPIs named {name}")
        KPIS[name] = Kpi(name, measure, {"en": en, "zh": zh}, unit, better, aggregate, tags, types)
        return measure

    return register


@kpi("Door to doctor", "到院至见医生", tags=("arrival", "firstClinicianContact"))
def door_to_doctor(visit: Visit) -> float | None:
    """Minutes from arrival to the start of service at the first clinician contact. Service starts when the doctor claims the
    task; work that was finished without a claim counts its completion, the first touch the record shows. A patient who has not
    been seen has no value: LWBS counts those.
    """
    contact = visit.first_contact
    return _minutes(contact - visit.arrival) if contact else None


@kpi("Payment burden", "缴费耗时", tags=("payment",))
def payment_burden(visit: Visit) -> float | None:
    """Minutes a completed visit spent in payment steps: wait plus service. Steps that overlap (a payment call and the steps
    inside it) are counted once. Nought for a visit that never had to pay.
    """
    if visit.outcome != "completed":
        return None
    return sum((_minutes(end - begin) for begin, end in _merged(visit.tagged("payment"), timedelta())), 0.0)


@kpi("Visit cycle time", "就诊总时长", tags=("arrival", "exit"))
def visit_cycle_time(visit: Visit) -> float | None:
    """Minutes from arrival to exit, for completed visits; a cancelled visit is short for a bad reason and is left out."""
    return _minutes(visit.exit - visit.arrival) if visit.exit and visit.outcome == "completed" else None


@kpi("Payment errands", "缴费次数", unit="count", tags=("payment",))
def payment_count(visit: Visit) -> float | None:
    """How often a completed visit went to pay: payment steps less than two minutes apart are one errand."""
    return float(len(_merged(visit.tagged("payment"), ERRAND_GAP))) if visit.outcome == "completed" else None


@kpi("Left without being seen", "未就诊离院率", unit="share", aggregate="share", tags=("firstClinicianContact",))
def lwbs(visit: Visit) -> float | None:
    """Share of ended visits, cancelled ones included, in which no clinician contact began."""
    return None if visit.ended is None else float(visit.first_contact is None)


@kpi("Rework", "返工率", unit="share", aggregate="share", types=("userTask",))
def rework(visit: Visit) -> float | None:
    """Share of ended visits in which a person's step was completed more than once. A process that is called twice (pay before
    each test) does not repeat its steps: a repetition is within one call.
    """
    if visit.ended is None:
        return None
    done = Counter((o.scope, o.element_id) for o in visit.occurrences if o.outcome == "completed" and o.element_type == "userTask")
    return float(any(count > 1 for count in done.values()))


@kpi("Throughput", "日完成就诊数", unit="per day", better="higher", aggregate="per_day", tags=("exit",))
def throughput(visit: Visit) -> float | None:
    """Completed visits a clinic day, by the day of arrival; the day that is not over does not count."""
    return 1.0 if visit.outcome == "completed" else None


def needs(kpis: Iterable[Kpi]) -> tuple[set[str], set[str]]:
    """The tags and the element types that these KPIs look at together."""
    asked = list(kpis)
    return {t for k in asked for t in k.tags}, {t for k in asked for t in k.types}


def _merged(stays: list[Occurrence], gap: timedelta) -> list[tuple[datetime, datetime]]:
    """The stays' spans, joined where they overlap or are at most `gap` apart."""
    spans = sorted((o.entered, o.left) for o in stays if o.entered and o.left)
    joined: list[tuple[datetime, datetime]] = []
    for begin, end in spans:
        if joined and begin - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60
