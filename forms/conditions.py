"""Which components are hidden, and simple conditions written for a small script in the page."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign><=|>=|!=|=|<|>|\(|\)|\[|\]|,)|(?P<name>[A-Za-z_]\w*(?:\.\w+)*))"""
)
_SIGNS: Final = {"=", "!=", "<", "<=", ">", ">="}
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_WORDS: Final[dict[str, object]] = {"true": True, "false": False, "null": None}

Condition = list[object]
"""``["=", "department", "surgery"]``, ``["and", a, b]``, ``["or", a, b]``, ``["not", a]``: plain JSON."""


class _Beyond(Exception):
    """The expression is more than a simple comparison."""


def simple_condition(expression: str) -> Condition | None:
    """Read a FEEL condition of comparisons, ``and``, ``or`` and ``not()`` into JSON; None when it is more than that."""
    try:
        reader = _Reader(_tokens(expression.removeprefix("=")))
        condition = reader.either()
        return condition if reader.done() else None
    except _Beyond:
        return None


def names_in(expression: str) -> set[str]:
    """List the names that an expression mentions, outside its text literals."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    return {name.group() for name in re.finditer(r"[A-Za-z_]\w*(?:\.\w+)*", bare)}


def fields_of(condition: Condition) -> set[str]:
    """List the fields that a simple condition compares."""
    if condition[0] in {"and", "or", "not"}:
        return {name for part in condition[1:] if isinstance(part, list) for name in fields_of(part)}
    return {str(condition[1])}


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, expression.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _Beyond
        found.append((str(token.lastgroup), token.group(str(token.lastgroup))))
        at = token.end()
    return found


class _Reader:
    """A recursive-descent reader: either → both → one → comparison."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def done(self) -> bool:
        return self.at == len(self.tokens)

    def peek(self, offset: int = 0) -> str:
        place = self.at + offset
        return self.tokens[place][1] if place < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> tuple[str, str]:
        if self.done() or (wanted is not None and self.peek() != wanted):
            raise _Beyond
        self.at += 1
        return self.tokens[self.at - 1]

    def either(self) -> Condition:
        left = self.both()
        while self.peek() == "or":
            self.take()
            left = ["or", left, self.both()]
        return left

    def both(self) -> Condition:
        left = self.one()
        while self.peek() == "and":
            self.take()
            left = ["and", left, self.one()]
        return left

    def one(self) -> Condition:
        if self.peek() == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if self.peek() == "not" and self.peek(1) == "(":
            self.take()
            self.take()
            inner = self.either()
            self.take(")")
            return ["not", inner]
        return self.comparison()

    def comparison(self) -> Condition:
        left = self.operand()
        if self.peek() not in _SIGNS:
            if isinstance(left, _Name):
                return ["=", str(left), True]
            raise _Beyond
        sign = self.take()[1]
        right = self.operand()
        if isinstance(left, _Name) and not isinstance(right, _Name):
            return [sign, str(left), right]
        if isinstance(right, _Name) and not isinstance(left, _Name):
            return [_FLIPPED[sign], str(right), left]
        raise _Beyond

    def operand(self) -> object:
        kind, text = self.take()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "name" and text not in {"and", "or", "not"}:
            return _WORDS[text] if text in _WORDS else _Name(text)
        raise _Beyond


class _Name(str):
    """A field's name, as against a text literal."""

    __slots__ = ()
