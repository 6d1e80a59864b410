"""Search parameters: which there are, and what a query string asks for. What we cannot honour is refused, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, not_, or_

from integrations.fhir.refusal import refuse

MOST, USUAL = 200, 50
FAR = datetime(9999, 1, 1, tzinfo=UTC)
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_CONTROL = ("_format", "_pretty", "_total", "_summary", "_count", "_sort", "_include", "_cursor", "_elements")

Type = Literal["id", "updated", "token", "patient", "reference", "date", "status", "text"]
_ALL: Mapping[str, Type] = {"_id": "id", "_lastUpdated": "updated", "identifier": "token"}
_ABOUT: Mapping[str, Type] = {**_ALL, "patient": "patient", "subject": "patient", "patient.identifier": "patient", "status": "status"}

PARAMETERS: Mapping[str, Mapping[str, Type]] = {
    "Patient": {**_ALL, "name": "text", "birthdate": "text", "phone": "text", "telecom": "text"},
    "Appointment": {**_ABOUT, "date": "date", "service-type": "token"},
    "Encounter": {**_ABOUT, "date": "date", "service-type": "token"},
    "ServiceRequest": {**_ABOUT, "code": "token", "category": "token", "authored": "date", "date": "date", "encounter": "reference"},
    "Task": {
        **_ABOUT, "code": "token", "authored-on": "date", "date": "date", "encounter": "reference", "focus": "reference",
        "based-on": "reference",
    },
    "Observation": {**_ABOUT, "code": "token", "category": "token", "date": "date", "encounter": "reference", "based-on": "reference"},
    "DiagnosticReport": {
        **_ABOUT, "code": "token", "category": "token", "date": "date", "issued": "date", "encounter": "reference",
        "based-on": "reference", "result": "reference",
    },
    "Communication": {**_ABOUT, "sent": "date", "based-on": "reference"},
}  # fmt: skip
INCLUDES: Mapping[str, tuple[str, ...]] = {  # parameter of _include: elements that hold the references
    "patient": ("subject", "for"), "subject": ("subject", "for"), "result": ("result",), "based-on": ("basedOn",), "focus": ("focus",),
    "encounter": ("encounter",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """One parameter with the values any of which will do."""

    name: str
    type: Type
    values: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Asked:
    """A search. `newest` orders by time of change, newest first; otherwise by id."""

    kind: str
    filters: tuple[Filter, ...] = ()
    count: int = USUAL
    cursor: str = ""
    newest: bool = False
    includes: tuple[str, ...] = ()
    only_total: bool = False
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # as asked, for the links


def read(kind: str, pairs: Iterable[tuple[str, str]], *, lenient: bool = False) -> Asked:
    """Reads a query string; FhirRefused (400) names the parameter that we do not know, unless `lenient` (Prefer: handling=lenient)."""
    given = [(name, value) for name, value in pairs if value]
    control: dict[str, Any] = {}
    filters, includes = [], []
    for name, value in given:
        place = f"{kind}?{name}"
        if name == "_include":
            includes.append(_include(kind, value, place))
        elif name in _CONTROL:
            control.update(_controls(name, value, place))
        elif (type_ := PARAMETERS[kind].get(name.replace(":identifier", ".identifier"))) is not None:
            filters.append(Filter(name.replace(":identifier", ".identifier"), type_, _values(value, place), place))
        elif not lenient:
            known = ", ".join(PARAMETERS[kind])
            raise refuse(400, "not-supported", f"This search parameter is not supported; there are: {known}.", place)
    return Asked(kind, tuple(filters), includes=tuple(includes), pairs=tuple(p for p in given if p[0] != "_cursor"), **control)


def _controls(name: str, value: str, place: str) -> dict[str, Any]:
    if name == "_count":
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise refuse(400, "value", "A whole number is expected.", place)
        return {"count": min(int(value), MOST), **({"only_total": True} if int(value) == 0 else {})}
    if name == "_sort":
        if value not in ("_id", "-_lastUpdated"):
            raise refuse(400, "not-supported", "Sorting is by _id or by -_lastUpdated.", place)
        return {"newest": value != "_id"}
    if name == "_cursor":
        return {"cursor": value}
    if name == "_summary":
        if value not in ("count", "false"):
            raise refuse(400, "not-supported", "Of summaries there is only count.", place)
        return {"only_total": value == "count"}
    if name == "_format" and "xml" in value:
        raise refuse(406, "not-supported", "JSON is the only format here.", place)
    if name == "_elements":
        raise refuse(400, "not-supported", "Resources are given whole.", place)
    return {}


def _include(kind: str, value: str, place: str) -> str:
    owner, _, name = value.partition(":")
    name = name.partition(":")[0]
    if owner not in (kind, "*") or name not in INCLUDES:
        raise refuse(400, "not-supported", f"Of {kind} these can be included: {', '.join(INCLUDES)}.", place)
    return name


def _values(text: str, place: str) -> tuple[str, ...]:
    """Comma-separated values; `\\,` is a comma inside one."""
    found = tuple(item.replace("\\,", ",").replace("\\|", "|") for item in re.split(r"(?<!\\),", text) if item)
    if not found:
        raise refuse(400, "value", "A value is expected.", place)
    return found


def token(text: str) -> tuple[str | None, str]:
    """System and value; a system of None is any."""
    system, bar, value = text.partition("|")
    return (system, value) if bar else (None, text)


def reference(text: str) -> tuple[str, str]:
    """Type (may be empty) and id of a reference: `Patient/1`, `1`, or a whole address."""
    parts = text.partition("/_history")[0].rstrip("/").split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", parts[0])


def dated(given: Filter, begins: Any, ends: Any, zone: str) -> ColumnElement[bool]:
    """The condition of a date parameter on a row's period (HL7 FHIR R4, section 3.1.1.4.7)."""
    return or_(*(_one_date(value, begins, ends, zone, given.place) for value in given.values))


def _one_date(text: str, begins: Any, ends: Any, zone: str, place: str) -> ColumnElement[bool]:
    prefix, rest = (text[:2], text[2:]) if text[:2] in _PREFIXES else ("eq", text)
    low, high = span(rest, zone, place)
    until = func.coalesce(ends, FAR)
    within = and_(begins >= low, until < high)
    conditions: dict[str, ColumnElement[bool]] = {
        "eq": within, "ne": not_(within), "gt": until >= high, "lt": begins < low, "ge": until >= low, "le": begins < high,
        "sa": begins >= high, "eb": until < low, "ap": and_(begins < high, until >= low),
    }  # fmt: skip
    return and_(begins.is_not(None), conditions[prefix])


def span(text: str, zone: str, place: str = "") -> tuple[datetime, datetime]:
    """First instant, and the first instant after it, of a FHIR date as exact as it is; FhirRefused (400) when it is none."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise refuse(400, "value", f"{text[:40]!r} is no date: yyyy, yyyy-mm, yyyy-mm-dd or a date and time.", place)
    year, month, day, hour, minute, second, offset = found.groups()
    try:
        moment = datetime.fromisoformat(
            f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{(offset or '').replace('Z', '+00:00')}"
        )
        begin = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        end = _after(begin, month, day, hour, second)
        return begin.astimezone(UTC), end.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refuse(400, "value", f"{text[:40]!r} is no date.", place) from error


def _after(begin: datetime, month: str | None, day: str | None, hour: str | None, second: str | None) -> datetime:
    if hour:
        return begin + (timedelta(seconds=1) if second else timedelta(minutes=1))
    if day:
        return begin + timedelta(days=1)
    if month:
        return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return begin.replace(year=begin.year + 1)
