"""By which mapping a connection's messages are mapped: its settings name one for each type of message.

`mappings` of an inbound connection's address: `ADT^A04 = his_patient@3, ORU = old_lis, * = anything`. A type is HL7's type and
trigger or type alone, a FHIR resource type, a webhook's event, or `*`; a number after @ stays with that version, else the newest is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import NotFound
from integrations.connections import book
from integrations.mappings import apply
from integrations.mappings.apply import Mapped
from integrations.mappings.tables import MappingHead, MappingVersion
from integrations.messages import worklist
from integrations.messages.tables import MessageLog

_LINE = re.compile(r"([^\s=,;@]{1,60})\s*=\s*([a-z][a-z0-9_.-]{1,59})(?:@([1-9]\d{0,5}))?")
MOST_ITEMS = 20  # problems of one message on the work list


@dataclass(frozen=True, slots=True)
class Route:
    """The mapping for a type of message; the newest version without a number."""

    type: str
    key: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """A message after its mapping: the record, or why there is none."""

    route: Route
    mapped: Mapped | None  # None: the mapping or its version is not published

    @property
    def record(self) -> dict[str, Any] | None:
        """The record that the message became, where every value found its place."""
        good = self.mapped is not None and self.mapped.ok and isinstance(self.mapped.value, Mapping)
        return dict(self.mapped.value) if good and self.mapped is not None else None


@lru_cache(maxsize=256)
def read(text: str) -> tuple[Route, ...] | None:
    """The routes in a connection's setting; None when it cannot be read."""
    parts = [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    found = [_LINE.fullmatch(part) for part in parts]
    if not all(found) or len({match[1] for match in found if match}) < len(parts):
        return None
    return tuple(Route(match[1], match[2], int(match[3]) if match[3] else None) for match in found if match)


def missing(session: Session, text: str) -> list[str]:
    """The mappings that a setting names and that are not published."""
    gone = []
    for route in read(text) or ():
        head = session.get(MappingHead, route.key)
        there = head is not None and head.kind == "fields" and head.latest > 0
        if there and route.version is not None:
            wanted = select(MappingVersion.id).where(MappingVersion.mapping_key == route.key, MappingVersion.number == route.version)
            there = session.scalar(wanted) is not None
        if not there:
            gone.append(route.key if route.version is None else f"{route.key}@{route.version}")
    return gone


def of(connection: str, kind: str) -> Route | None:
    """The route of a message of that kind (ADT^A04, fhir.Patient, lab.ready); None when the connection names none."""
    known = book.known(connection)
    routes = read(str(known.address.get("mappings") or "")) if known else None
    if not routes:
        return None
    kind = kind.removeprefix("fhir.")
    by_type = {route.type: route for route in routes}
    return next((by_type[name] for name in (kind, kind.partition("^")[0], "*") if name in by_type), None)


def run(session: Session, connection: str, kind: str, given: Any) -> Routed | None:
    """Maps a message as its connection says, and writes nothing; None when the connection names no mapping for it."""
    route = of(connection, kind)
    if route is None:
        return None
    try:
        return Routed(route, apply.apply(session, route.key, given, route.version))
    except NotFound:
        return Routed(route, None)


def keep(session: Session, row: MessageLog, routed: Routed) -> dict[str, Any] | None:
    """Writes the mapped stage to the log and gives the record; with problems it goes to the work list, each with its place."""
    name = f"{routed.route.key}@{routed.route.version}" if routed.route.version else routed.route.key
    if routed.mapped is None:
        _list(session, row, "no_mapping", f"The connection names a mapping that is not published ({name})")
        return None
    row.mapped = routed.mapped.value
    if (record := routed.record) is not None:
        return record
    wrong = [problem for problem in routed.mapped.problems if problem.severity == "error"]
    for problem in wrong[:MOST_ITEMS]:
        _list(session, row, "unmapped", f"{name} v{routed.mapped.version}: {problem.message}")
    if not wrong:
        _list(session, row, "unmapped", f"{name} v{routed.mapped.version}: it holds several records, one is expected")
    return None


def _list(session: Session, row: MessageLog, reason: str, detail: str) -> None:
    worklist.add(session, row, reason, detail)
    row.state, row.error, row.ended = "unmatched", row.error or detail, clock.now()
    session.flush()
