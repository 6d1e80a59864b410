"""Making text that matches a regular expression, for example values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_CLASSES: Final = {
    "CATEGORY_DIGIT": "1",
    "CATEGORY_WORD": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": "-",
}
_ALPHABET: Final = "a1A中 -_.,:/@%"


def matches_for(pattern: str) -> Iterator[str]:
    """Yield texts that match, shortest repetition first; nothing where the pattern is beyond us."""
    for repeats in (0, 1, 2, 4, 8):
        try:
            text = "".join(_make(node, repeats) for node in parser.parse(pattern, re.ASCII))
        except (LookupError, re.error):
            return
        if re.search(pattern, text, re.ASCII):
            yield text


def _make(node: Any, repeats: int) -> str:
    kind, value = node
    return _MAKERS[str(kind)](value, repeats)


def _sequence(nodes: Any, repeats: int) -> str:
    return "".join(_make(node, repeats) for node in nodes)


def _one_of(items: Any, repeats: int) -> str:
    if items[0][0] is op.NEGATE:
        shut = re.compile("[" + "".join(_written(item) for item in items[1:]) + "]", re.ASCII)
        return next(sign for sign in _ALPHABET if not shut.match(sign))
    kind, value = items[0]
    if kind is op.RANGE:
        return chr(value[0])
    return chr(value) if kind is op.LITERAL else _CLASSES[str(value)]


def _written(item: Any) -> str:
    kind, value = item
    if kind is op.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if kind is op.LITERAL:
        return re.escape(chr(value))
    return {"CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_SPACE": r"\s"}[str(value)]


def _repeated(value: Any, repeats: int) -> str:
    fewest, most, inner = value
    times: int = max(fewest, min(most, repeats))
    return _sequence(inner, repeats) * times


_MAKERS: Final[dict[str, Callable[[Any, int], str]]] = {
    "LITERAL": lambda value, _: chr(value),
    "NOT_LITERAL": lambda value, _: next(sign for sign in _ALPHABET if sign != chr(value)),
    "ANY": lambda _value, _: "a",
    "IN": _one_of,
    "AT": lambda _value, _: "",
    "ASSERT": lambda _value, _: "",
    "ASSERT_NOT": lambda _value, _: "",
    "MAX_REPEAT": _repeated,
    "MIN_REPEAT": _repeated,
    "SUBPATTERN": lambda value, repeats: _sequence(value[3], repeats),
    "BRANCH": lambda value, repeats: _sequence(value[1][0], repeats),
    "CATEGORY": lambda value, _: _CLASSES[str(value)],
}
