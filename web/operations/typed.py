"""Variables as text that a person can edit: JSON, with the engine's own marks where JSON has no type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext

from engine.execution.values import decode, encode

LARGEST = 200_000  # characters; more is no work for a text field


class BadValues(ValueError):
    """The text cannot be used; the message names the place."""


def written(values: Mapping[str, Any]) -> str:
    """Variables as they stand in the editor."""
    return json.dumps(encode(dict(values)), ensure_ascii=False, indent=2, sort_keys=True)


def read(text: str) -> dict[str, Any]:
    """The variables that a person wrote; raises BadValues."""
    try:
        raw = json.loads(text or "{}", parse_constant=_refused, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise BadValues(gettext("Line %(line)s, column %(column)s: %(what)s", line=error.lineno, column=error.colno, what=error.msg)) from error
    if not isinstance(raw, dict):
        raise BadValues(gettext('Line 1: write an object such as {"name": "value"}.'))
    return {name: _value(value, name) for name, value in raw.items()}


def _refused(constant: str) -> Any:
    raise BadValues(gettext("%(what)s is no JSON number.", what=constant))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadValues(gettext("%(name)s is there twice.", name=twice))
    return dict(pairs)


def _value(value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_value(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and next(iter(value)).startswith("$"):
        try:
            return decode(value)
        except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
            what = json.dumps(value, ensure_ascii=False)
            raise BadValues(gettext("%(place)s: %(what)s is no value of that type.", place=place, what=what)) from error
    return {name: _value(item, f"{place}.{name}") for name, item in value.items()}


def changed(before: Mapping[str, Any], after: Mapping[str, Any], *, any_type: bool) -> dict[str, Any]:
    """What is to be set; raises BadValues when a value's type would change and that was not said to be meant."""
    found = {name: value for name, value in after.items() if name not in before or encode(before[name]) != encode(value)}
    for name, value in found.items():
        old = before.get(name)
        if not any_type and old is not None and value is not None and _kind(old) != _kind(value):
            raise BadValues(
                gettext("%(name)s was a %(old)s and would become a %(new)s.", name=name, old=kind_words(old), new=kind_words(value))
            )
    if gone := sorted(set(before) - set(after)):
        raise BadValues(gettext("%(name)s is missing. A value can be set to null, not removed.", name=gone[0]))
    return found


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float) or type(value).__name__ == "Decimal":
        return "number"
    return {"str": "text", "list": "list", "dict": "map"}.get(type(value).__name__, type(value).__name__)


def kind_words(value: Any) -> str:
    """What kind of value it is, for people."""
    words = {
        "bool": gettext("yes or no"), "number": gettext("number"), "text": gettext("text"), "list": gettext("list"), "map": gettext("group"),
        "date": gettext("date"), "datetime": gettext("date and time"), "time": gettext("time of day"), "timedelta": gettext("duration"),
    }  # fmt: skip
    return words.get(_kind(value), _kind(value))
