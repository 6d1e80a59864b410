"""What a mapping made, held against the dictionary: dates, numbers, codes and units become what the field says they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from integrations import units
from integrations.dictionary.book import Field
from integrations.patients.identity import tidy_id, tidy_phone


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a mapped record that a person must know: where, which rule, what was found."""

    place: str
    rule: str  # a key of WORDS
    detail: str = ""
    severity: str = "error"  # error: the value is not there; warning: it is

    @property
    def message(self) -> str:
        """In English; pages word it by `rule`."""
        return f"{self.place}: {WORDS[self.rule].format(detail=self.detail)}" if self.place else WORDS[self.rule].format(detail=self.detail)


WORDS: Mapping[str, str] = {
    "failed": "{detail}",
    "unreadable": "the message cannot be read: {detail}",
    "not_object": "the mapping gives {detail}, where an object with the dictionary's fields is expected",
    "unknown_field": "the dictionary has no such field",
    "retired_field": "the dictionary calls this field retired",
    "date": "{detail} is no date",
    "number": "{detail} is no number",
    "boolean": "{detail} is neither yes nor no",
    "choice": "{detail} is not among the field's codes",
    "code": "{detail} is not in the code table",
    "unit": "{detail}",
    "list": "{detail} is no list",
    "object": "{detail} is no object",
}


class _Wrong(Exception):
    def __init__(self, rule: str, detail: object) -> None:
        self.rule, self.detail = rule, str(detail)[:200]


def conform(value: Any, fields: Mapping[str, Field]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The record with each field of the dictionary made what its type says; a value that cannot be is left out and named.

    None when it is no object. A quantity {value, unit, code?} becomes the number in the dictionary's unit; `code` is the LOINC that a molar mass needs.
    """
    if not isinstance(value, Mapping):
        return None, [Problem("", "not_object", "nothing" if value is None else "a list" if isinstance(value, list) else repr(value)[:60])]
    made: dict[str, Any] = {}
    found: list[Problem] = []
    for key, given in value.items():
        known = fields.get(key)
        if known is None or known.retired:
            found.append(Problem(key, "retired_field" if known else "unknown_field", severity="warning"))
        if known is None or given is None or given == "":
            made[key] = given if given != "" else None
            continue
        try:
            made[key] = _READ.get(known.type, _same)(given, known)
        except _Wrong as wrong:
            found.append(Problem(key, wrong.rule, wrong.detail))
    return made, found


def _same(given: Any, field: Field) -> Any:
    return given


def _text(given: Any, field: Field) -> str:
    return str(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else _raise("object", given)


def _number(given: Any, field: Field) -> float | int:
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise _Wrong("number", given) from None
    if isinstance(given, bool) or not math.isfinite(number) or (field.type in ("integer", "money") and not number.is_integer()):
        raise _Wrong("number", given)
    return int(number) if number.is_integer() and (field.type in ("integer", "money") or isinstance(given, int)) else number


def _quantity(given: Any, field: Field) -> float | int:
    if not isinstance(given, Mapping):
        return _number(given, field)
    number = _number(given.get("value"), field)
    if not given.get("unit"):
        return number
    try:
        return units.normalise(number, str(given["unit"]), field.unit, str(given["code"]) if given.get("code") else None)
    except units.NotConvertible as error:
        raise _Wrong("unit", error.message) from error


def _boolean(given: Any, field: Field) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word in _YES | _NO:
        return word in _YES
    raise _Wrong("boolean", given)


def _date(given: Any, field: Field) -> str:
    text = str(given).strip()
    try:
        return (date.fromisoformat(text[:10]) if field.type == "date" else datetime.fromisoformat(text)).isoformat()
    except ValueError:
        raise _Wrong("date", given) from None


def _code(given: Any, field: Field) -> Any:
    if field.choices and str(given) not in field.choices:
        raise _Wrong("choice", given)
    return given


def _kind(kind: type, rule: str) -> Callable[[Any, Field], Any]:
    return lambda given, field: given if isinstance(given, kind) else _raise(rule, given)


def _raise(rule: str, given: Any) -> Any:
    raise _Wrong(rule, given)


_YES, _NO = {"1", "y", "yes", "true", "t", "是", "有"}, {"0", "n", "no", "false", "f", "否", "无"}
_READ: Mapping[str, Callable[[Any, Field], Any]] = {
    "text": _text, "integer": _number, "number": _number, "money": _number, "quantity": _quantity, "boolean": _boolean,
    "date": _date, "datetime": _date, "code": _code, "list": _kind(list, "list"), "object": _kind(dict, "object"),
    "phone": lambda given, field: tidy_phone(str(given)), "id_card": lambda given, field: tidy_id(str(given)),
}  # fmt: skip
