"""Where patients wait: the figures of each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from engine.history.intervals import quantile
from engine.history.record import Occurrence, Visit


@dataclass(frozen=True, slots=True)
class Step:
    """One element over many visits. Times are minutes; `share` is its part of all waiting."""

    process_id: str
    element_id: str
    element_type: str
    role: str | None
    tag: str | None
    n: int  # finished stays
    waiting: int  # stays that have not begun
    wait: float | None
    wait_p90: float | None
    service: float | None
    service_p90: float | None
    total_wait: float
    share: float


def steps(found: Iterable[Visit], types: Iterable[str] = ("userTask",)) -> list[Step]:
    """The steps of these visits, the one with the most waiting in all first."""
    asked = set(types)
    groups: dict[tuple[str, str], list[Occurrence]] = defaultdict(list)
    for visit in found:
        for stay in visit.occurrences:
            if stay.element_type in asked:
                groups[stay.process_id, stay.element_id].append(stay)
    waits = {key: _minutes(o.wait for o in stays) for key, stays in groups.items()}
    whole = sum(map(sum, waits.values())) or 1.0
    rows = [_step(stays, waits[key], whole) for key, stays in groups.items()]
    return sorted(rows, key=lambda row: -row.total_wait)


def _step(stays: list[Occurrence], waits: list[float], whole: float) -> Step:
    first = stays[0]
    services = _minutes(o.service for o in stays)
    return Step(
        process_id=first.process_id,
        element_id=first.element_id,
        element_type=first.element_type,
        role=next((o.role for o in stays if o.role), None),
        tag=first.tag,
        n=sum(1 for o in stays if o.outcome == "completed"),
        waiting=sum(1 for o in stays if o.left is None and o.started is None),
        wait=quantile(waits, 0.5) if waits else None,
        wait_p90=quantile(waits, 0.9) if waits else None,
        service=quantile(services, 0.5) if services else None,
        service_p90=quantile(services, 0.9) if services else None,
        total_wait=sum(waits),
        share=sum(waits) / whole,
    )


def _minutes(spans: Iterable[timedelta | None]) -> list[float]:
    return sorted(span.total_seconds() / 60 for span in spans if span is not None)
