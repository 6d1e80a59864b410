"""Reads the append-only record: events become activity occurrences, and occurrences become visits.

A **visit** is one root instance (or one call, when a called process is asked for). An **occurrence** is one token's stay at one element: entered, perhaps claimed, left.
Nothing here writes; execution appends the events, and a figure can always be computed again from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.execution.tables import Event, Instance

# Work that a person takes up. Everything else starts by itself in the instant it is entered.
WORK = frozenset({"userTask", "manualTask", "task"})

_STAY = ("entered", "claimed", "unclaimed", "completed", "cancelled")
_LEFT = {"completed", "cancelled"}


class Row(NamedTuple):
    """The columns of an event that pairing looks at, in the order in which they are read."""

    instance_id: str
    at: datetime
    kind: str
    process_id: str
    version: int
    element_id: str | None
    element_type: str | None
    token: str | None
    scope: str | None
    role: str | None
    actor: str | None
    tag: str | None
    department: str | None
    arm: str | None


@dataclass(slots=True)
class Occurrence:
    """One token's stay at one element. `outcome` is None while it lasts."""

    instance_id: str
    token: str
    process_id: str
    element_id: str
    element_type: str
    tag: str | None = None
    role: str | None = None
    scope: str | None = None  # the process, call or loop body that it happened in
    entered: datetime | None = None  # None: the record begins later than this stay
    claimed: datetime | None = None  # the claim that stood; a claim given back does not count
    left: datetime | None = None
    outcome: str | None = None  # completed, cancelled
    by: str | None = None

    @property
    def started(self) -> datetime | None:
        """When service began.

        The claim that stood. Without one: entry, for what needs no person (events, calls, connectors); completion, for
        work that was finished without being claimed, because the record shows no earlier touch; None while it waits.
        """
        if self.claimed is not None:
            return self.claimed
        if self.element_type not in WORK:
            return self.entered or self.left
        return self.left if self.outcome == "completed" else None

    @property
    def wait(self) -> timedelta | None:
        """From entry to the start of service."""
        return self.started - self.entered if self.started and self.entered else None

    @property
    def service(self) -> timedelta | None:
        """From the start of service to completion."""
        return self.left - self.started if self.started and self.left and self.outcome == "completed" else None


@dataclass(slots=True)
class Visit:
    """One root instance, or one call of a process, with the occurrences that were asked for, in order of time.

    `department` is the latest that the record names (it is often decided during registration), `arm` the first.
    """

    instance_id: str
    process_id: str
    version: int
    started: datetime
    scope: str | None = None  # the root's scope: a process called inside has another
    department: str | None = None
    arm: str | None = None
    ended: datetime | None = None
    outcome: str | None = None  # completed, cancelled; None while it runs
    occurrences: list[Occurrence] = field(default_factory=list)
    root: str | None = None  # the process that called this one; None for a root instance

    def tagged(self, tag: str) -> list[Occurrence]:
        """The occurrences of elements that carry `tag`."""
        return [o for o in self.occurrences if o.tag == tag]

    @property
    def arrival(self) -> datetime:
        """The first touch of an element tagged `arrival`; without one, the start of the instance."""
        touches = [at for o in self.tagged("arrival") if (at := o.entered or o.left)]
        return min(touches, default=self.started)

    @property
    def exit(self) -> datetime | None:
        """When an element tagged `exit` was last left; without one, the end of the instance. None while it runs."""
        if self.ended is None:
            return None
        leavings = [at for o in self.tagged("exit") if (at := o.left or o.entered)]
        return max(leavings, default=self.ended)

    @property
    def first_contact(self) -> datetime | None:
        """When service at an element tagged `firstClinicianContact` first began."""
        return min((at for o in self.tagged("firstClinicianContact") if (at := o.started)), default=None)

    def day(self, zone: tzinfo) -> date:
        """The clinic day of the arrival."""
        return self.arrival.astimezone(zone).date()


def pair(rows: Iterable[Row | Any]) -> list[Occurrence]:
    """Joins entered, claimed and left events by (instance, token) into occurrences, in order of their first event.

    Rows must come in order of time within an instance. A token that enters again begins a new occurrence. A claim that
    was given back is forgotten. What was never left stays open; what was never entered keeps `entered` None.
    """
    stays: list[Occurrence] = []
    present: dict[tuple[str, str], Occurrence] = {}
    for row in rows:
        instance, at, kind, process, _, element, type_, token, scope, role, actor, tag, _, _ = row
        if token is None or element is None:
            continue
        stay = present.get((instance, token))
        if stay is None or kind == "entered" or stay.element_id != element:
            stay = present[instance, token] = Occurrence(instance, token, process, element, type_ or "", tag, role, scope)
            stays.append(stay)
        if kind == "entered":
            stay.entered = at
        elif kind == "claimed":
            stay.claimed = at
        elif kind == "unclaimed":
            stay.claimed = None
        elif kind in _LEFT:
            stay.left, stay.outcome, stay.by = at, kind, actor
            del present[instance, token]
    return stays


def visits(
    session: Session,
    process_id: str | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    arm: str | None = None,
    department: str | None = None,
    tags: Collection[str] | None = (),
    types: Collection[str] = (),
) -> list[Visit]:
    """The visits that started in [since, until), oldest first.

    With `process_id` of a process that others call, each call of it is a visit of its own: what happened in it, from its
    start to its end. Occurrences are read for elements that carry one of `tags` or are of one of `types`; for all with
    `tags=None`.
    """
    found = _started(session, process_id, since, until)
    if not found:
        return []
    first = min(visit.started for units in found.values() for visit in units)
    _end(session, found, first)
    _follow(found, _stays(session, first, tags, types))
    every = sorted((visit for units in found.values() for visit in units), key=lambda v: v.started)
    return [v for v in every if (arm is None or v.arm == arm) and (department is None or v.department == department)]


Units = dict[str, list[Visit]]


def _started(session: Session, process_id: str | None, since: datetime | None, until: datetime | None) -> Units:
    """Starts of roots, or of every call of `process_id`, by instance. Without an instance's row, its first start is the root's."""
    # `tag IS NULL` holds for every start and end, and lets the index on (tag, kind, at) answer.
    root = Instance.process_id.label("root")
    query = select(*_columns(), root).join(Instance, Instance.id == Event.instance_id, isouter=True)
    query = query.where(Event.tag.is_(None), Event.kind == "started").order_by(Event.at, Event.id)
    if process_id:
        query = query.where(Event.process_id == process_id)
    if since:
        query = query.where(Event.at >= since)
    if until:
        query = query.where(Event.at < until)
    found: Units = {}
    for row in session.execute(query):  # the session flushes what is pending; the reads after it skip the ORM for speed
        called = row.root is not None and row.root != row.process_id
        if (called and not process_id) or (not called and row.instance_id in found):
            continue
        visit = Visit(
            row.instance_id, row.process_id, row.version, row.at, row.scope, row.department, row.arm, root=row.root if called else None
        )
        found.setdefault(row.instance_id, []).append(visit)
    return found


def _stays(session: Session, since: datetime, tags: Collection[str] | None, types: Collection[str]) -> Iterable[Any]:
    query = select(*_columns()).where(Event.kind.in_(_STAY), Event.at >= since).order_by(Event.at, Event.id)
    if tags is None:
        return session.connection().execute(query)
    if types:
        return session.connection().execute(query.where(or_(Event.element_type.in_(types), Event.tag.in_(tags))))
    return session.connection().execute(query.where(Event.tag.in_(tags))) if tags else ()


def _columns() -> list[Any]:
    return [getattr(Event, name) for name in Row._fields]


def _end(session: Session, found: Units, since: datetime) -> None:
    """Notes how the visits ended. A call that its visit left behind (a boundary event took it) ends with the visit, cancelled."""
    ends = select(*_columns()).where(Event.tag.is_(None), Event.kind.in_(("ended", "cancelled")), Event.at >= since)
    for row in session.connection().execute(ends.order_by(Event.at, Event.id)):
        for visit in found.get(row.instance_id, ()) if row.token is None else ():
            own = (row.process_id, row.scope) == (visit.process_id, visit.scope)
            if not own and (visit.ended is not None or row.process_id != visit.root):
                continue
            visit.department = row.department or visit.department
            visit.ended = row.at
            if visit.outcome != "cancelled":  # a cancelled instance also ends
                visit.outcome = "completed" if own and row.kind == "ended" else "cancelled"


def _follow(found: Units, rows: Iterable[Any]) -> None:
    """Adds occurrences, department and arm to the visits that `rows` tell of."""
    kept = [row for row in rows if row[0] in found]
    for instance, *_, department, arm in kept:
        for visit in found[instance]:
            visit.department = department or visit.department
            visit.arm = visit.arm or arm
    for occurrence in pair(kept):
        for visit in found[occurrence.instance_id]:
            if visit.root is None or _within(visit, occurrence):
                visit.occurrences.append(occurrence)


def _within(visit: Visit, occurrence: Occurrence) -> bool:
    """Whether an occurrence belongs to a call: of the same process, in its time."""
    at = occurrence.entered or occurrence.left
    same = occurrence.process_id == visit.process_id and at is not None and at >= visit.started
    return same and (visit.ended is None or (at is not None and at <= visit.ended))
