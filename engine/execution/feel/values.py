"""Values on their way into the isolate and back; `web/client/src/feel/values.js` is the other half.

| FEEL | Python |
| --- | --- |
| null, boolean, string | None, bool, str |
| number | int when whole, else float; Decimal and int go in (ints up to 2**53 only: beyond, they would silently change) |
| date, time, date and time | date, time, datetime; a zone is kept (offset or IANA name), none stays none |
| days and time duration | timedelta |
| years and months duration | YearMonthDuration |
| range | Range |
| list, context | list, dict (keys are text) |
| function | stays inside |
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.errors import ExpressionFailed

EXACT = 2**53


@dataclass(frozen=True, slots=True, order=True)
class YearMonthDuration:
    """FEEL's years and months duration, in months (negative for backwards)."""

    months: int

    def __str__(self) -> str:
        years, months = divmod(abs(self.months), 12)
        parts = (f"{years}Y" if years else "") + (f"{months}M" if months or not years else "")
        return f"{'-' if self.months < 0 else ''}P{parts}"


@dataclass(frozen=True, slots=True)
class Range:
    """A FEEL range; None stands for no bound."""

    start: object
    end: object
    start_included: bool = True
    end_included: bool = True


@dataclass(frozen=True, slots=True)
class FarMoment:
    """A FEEL date, date and time or duration beyond what Python can hold (years 1 to 9999): its kind and its ISO text."""

    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def encode(value: object, name: str = "value") -> Any:
    """The transport form of a Python value. Raises ExpressionFailed naming what FEEL cannot hold."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return _exact(value, name)  # type: ignore[arg-type]
    if kind is dict:
        return _encode_context(value, name)  # type: ignore[arg-type]
    if kind is list or kind is tuple:
        return [encode(item, name) for item in value]  # type: ignore[attr-defined]
    return _encode_rarer(value, name)


def _exact(value: int, name: str) -> int:
    if -EXACT <= value <= EXACT:
        return value
    raise ExpressionFailed(f"{name} is {value}: FEEL cannot hold whole numbers beyond 2**53 exactly. Keep it as text.")


def _encode_context(value: Mapping[Any, object], name: str) -> Any:
    entries = [(str(key), encode(item, f"{name}.{key}")) for key, item in value.items()]
    if any(key.startswith("@") for key, _ in entries):
        return {"@context": entries}
    return dict(entries)


def _encode_rarer(value: object, name: str) -> Any:
    for kind, write in WRITERS:
        if isinstance(value, kind):
            return write(value, name)
    raise ExpressionFailed(f"{name} is a {type(value).__name__}, which FEEL does not know.")


def _encode_number(value: Decimal | float, name: str) -> float | int:
    number = float(value)
    if not math.isfinite(number):
        raise ExpressionFailed(f"{name} is {value}, which is no FEEL number.")
    return _exact(int(value), name) if value == int(value) else number


def _zone(value: datetime | time) -> str:
    if value.tzinfo is None:
        return ""
    key = getattr(value.tzinfo, "key", None)
    if key:
        return "Z" if key == "UTC" else f"@{key}"
    offset = value.utcoffset()
    if not offset:
        return "Z"
    sign, seconds = ("-", -offset) if offset < timedelta() else ("+", offset)
    hours, rest = divmod(int(seconds.total_seconds()), 3600)
    return f"{sign}{hours:02}:{rest // 60:02}" + (f":{rest % 60:02}" if rest % 60 else "")


def _encode_duration(value: timedelta, _name: str) -> dict[str, str]:
    micros = abs(value) // timedelta(microseconds=1)
    return {"@duration": f"{'-' if value < timedelta() else ''}PT{micros // 1_000_000}.{micros % 1_000_000:06}S"}


WRITERS: list[tuple[Any, Callable[[Any, str], Any]]] = [
    (bool, lambda value, _: bool(value)),
    (int, lambda value, name: _exact(int(value), name)),
    (str, lambda value, _: str(value)),
    ((float, Decimal), _encode_number),
    (datetime, lambda value, _: {"@datetime": value.replace(tzinfo=None).isoformat() + _zone(value)}),
    (date, lambda value, _: {"@date": value.isoformat()}),
    (time, lambda value, _: {"@time": value.replace(tzinfo=None).isoformat() + _zone(value)}),
    (timedelta, _encode_duration),
    (FarMoment, lambda value, _: {value.kind: value.text}),
    (YearMonthDuration, lambda value, _: {"@months": value.months}),
    (Range, lambda v, name: {"@range": [encode(v.start, name), encode(v.end, name), v.start_included, v.end_included]}),
    (Mapping, _encode_context),
    ((list, tuple, set, frozenset), lambda value, name: [encode(item, name) for item in value]),
]


def decode(value: Any) -> Any:
    """The Python value of a transport form."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        if len(value) == 1:
            key, item = next(iter(value.items()))
            if key.startswith("@"):
                return READERS[key](item)
        return {key: decode(item) for key, item in value.items()}
    return value


def _split_zone(text: str) -> tuple[str, timezone | ZoneInfo | None]:
    if "@" in text:
        local, name = text.split("@", 1)
        try:
            return local, ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ExpressionFailed(f"The result {text} is in a zone that is not known here.") from error
    if text.endswith("Z"):
        return text[:-1], UTC
    cut = re.search(r"([+-])(\d\d):(\d\d)(?::(\d\d))?$", text)
    if cut is None or ("T" not in text and ":" not in text[: cut.start()]):
        return text, None
    offset = timedelta(hours=int(cut[2]), minutes=int(cut[3]), seconds=int(cut[4] or 0))
    return text[: cut.start()], timezone(-offset if cut[1] == "-" else offset)


def _read_datetime(text: str) -> datetime:
    local, zone = _split_zone(text)
    return datetime.fromisoformat(_microseconds(local)).replace(tzinfo=zone)


def _read_time(text: str) -> time:
    local, zone = _split_zone(text)
    return time.fromisoformat(_microseconds(local)).replace(tzinfo=zone)


def _microseconds(text: str) -> str:
    """FEEL knows nanoseconds, Python does not."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


def _near(kind: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A reader that gives a FarMoment for what lies beyond Python's calendar."""

    def reader(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, OverflowError):
            return FarMoment(kind, value if isinstance(value, str) else f"PT{value / 1e6:f}S")

    return reader


READERS: dict[str, Callable[[Any], Any]] = {
    "@date": _near("@date", date.fromisoformat),
    "@time": _read_time,
    "@datetime": _near("@datetime", _read_datetime),
    "@duration": _near("@duration", lambda micros: timedelta(microseconds=micros)),
    "@months": YearMonthDuration,
    "@range": lambda parts: Range(decode(parts[0]), decode(parts[1]), parts[2], parts[3]),
    "@context": lambda entries: {key: decode(item) for key, item in entries},
}
