"""Variables as JSON without loss: dates, times, durations and decimals survive the database, in lists and maps too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from engine.execution.feel import YearMonthDuration

_LARGEST = 2**63 - 1  # what orjson and the databases hold as a number

_WRITE: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Decimal: ("$decimal", str),
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    timedelta: ("$seconds", lambda v: [v.days, v.seconds, v.microseconds]),
    YearMonthDuration: ("$months", lambda v: v.months),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "$int": int,
    "$decimal": Decimal,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$seconds": lambda v: timedelta(days=v[0], seconds=v[1], microseconds=v[2]),
    "$months": YearMonthDuration,
    "$map": lambda v: {key: decode(item) for key, item in v.items()},
}


def encode(value: Any) -> Any:
    """`value` as plain JSON; raises TypeError naming a type that a variable cannot hold."""
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else {"$int": str(value)}
    if isinstance(value, dict):
        plain = {str(key): encode(item) for key, item in value.items()}
        return {"$map": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in value]
    if (how := _WRITE.get(type(value))) is not None:
        return {how[0]: how[1](value)}
    raise TypeError(f"a process variable cannot hold {type(value).__name__}")


def is_plain(value: Any) -> bool:
    """Whether a value is JSON as it is, so that neither `encode` nor `decode` would change it."""
    kind = type(value)
    if kind is str or kind is bool or kind is float or value is None:
        return True
    if kind is int:
        return -_LARGEST <= value <= _LARGEST
    if kind is list:
        return all(map(is_plain, value))
    if kind is dict:
        if not all(type(key) is str for key in value) or (len(value) == 1 and next(iter(value)).startswith("$")):
            return False
        return all(map(is_plain, value.values()))
    return False


def decode(value: Any) -> Any:
    """What `encode` wrote, as it was (tuples and sets come back as lists)."""
    if isinstance(value, dict):
        if len(value) == 1:
            mark = next(iter(value))
            if (read := _READ.get(mark)) is not None:
                return read(value[mark])
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value
