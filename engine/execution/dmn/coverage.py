"""Overlaps and gaps of decision tables whose cells hold constants.

Each input column is cut at its constants into atoms (points and the spans between them, or single texts and "any other"). A
cell is then a set of atoms, kept as bits of an int; a rule is one such set a column. Two rules overlap when their sets meet in
every column; a gap is a combination of atoms that no rule covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any

from engine.execution.dmn.elements import Boxed
from engine.execution.feel.isolate import ask
from engine.execution.feel.values import Range, decode

MAX_RULES = 1500
MAX_VISITS = 20_000
OTHER = object()
Tests = tuple[bool, list[Any]] | None


@dataclass(frozen=True, slots=True)
class Column:
    """An input's atoms: how each reads, and which of them count when looking for gaps."""

    atoms: tuple[str, ...]
    cells: tuple[int | None, ...]  # the atoms of each rule's cell; None when the cell is not constant
    wanted: int
    constants: tuple[tuple[Any, ...], ...] = ()  # the constants of each rule's cell

    @property
    def full(self) -> int:
        """All atoms."""
        return (1 << len(self.atoms)) - 1


def columns(table: Boxed) -> list[Column]:
    """The columns of a table; cells that are not constants are None."""
    made = []
    for at, column in enumerate(table["inputs"]):
        cells = [rule["cells"][at] for rule in table["rules"]]
        answers = ask({"action": "constants", "cells": [*cells, column["allowed"] or ""]})
        *tests, allowed = [_tests(answer) for answer in answers]
        constants = tuple(tuple(_constants_of(test)) for test in tests)
        made.append(replace(_column(tests, allowed), constants=constants))
    return made


def overlaps(table_columns: Sequence[Column], rules: int) -> list[tuple[int, int]]:
    """The pairs of rules, by index, that surely apply together for some input."""
    if rules > MAX_RULES:
        return []
    masks = [[column.cells[at] for column in table_columns] for at in range(rules)]
    return [
        (first, second)
        for first, second in combinations(range(rules), 2)
        if all(a is not None and b is not None and a & b for a, b in zip(masks[first], masks[second], strict=True))
    ]


def gaps(table_columns: Sequence[Column], rules: int, limit: int = 3) -> list[tuple[str, ...]]:
    """Combinations of inputs that no rule covers, up to a few; none when cells are not constant or there are too many."""
    if any(mask is None for column in table_columns for mask in column.cells):
        return []
    found: list[tuple[str, ...]] = []
    covered: set[tuple[int, int]] = set()
    visits = 0

    def search(at: int, left: int, path: tuple[str, ...]) -> None:
        nonlocal visits
        visits += 1
        if (at, left) in covered or len(found) >= limit or visits > MAX_VISITS:
            return
        before = len(found)
        if left == 0:
            found.append(path + ("any",) * (len(table_columns) - at))
            return
        if at < len(table_columns):
            for bit, still in _split(table_columns[at], left, rules):
                search(at + 1, still, (*path, table_columns[at].atoms[bit]))
        if len(found) == before:
            covered.add((at, left))

    search(0, (1 << rules) - 1, ())
    return found if visits <= MAX_VISITS else []


def _split(column: Column, left: int, rules: int) -> list[tuple[int, int]]:
    """For each atom the rules, of those left, whose cell holds it; atoms with the same rules once."""
    parts: dict[int, int] = {}
    for bit in range(len(column.atoms)):
        if column.wanted >> bit & 1:
            still = sum(1 << rule for rule in range(rules) if left >> rule & 1 and (column.cells[rule] or 0) >> bit & 1)
            parts.setdefault(still, bit)
    return [(bit, still) for still, bit in parts.items()]


def _tests(answer: dict[str, Any] | None) -> Tests:
    if answer is None:
        return None
    return answer["negate"], [OTHER] if answer["tests"] is None else [decode(test) for test in answer["tests"]]


def _column(tests: list[Tests], allowed: Tests) -> Column:
    constants = [constant for test in (*tests, allowed) for constant in _constants_of(test)]
    kinds = {type(one) for one in constants if one is not None}
    ordered = bool(kinds) and (kinds <= {int, float} or (len(kinds) == 1 and not kinds & {str, bool, list, dict}))
    if ordered:
        return _ordered(tests, allowed, sorted({one for one in constants if one is not None}))
    if kinds <= {str, bool} and not any(isinstance(one, Range) for test in tests if test for one in test[1]):
        return _listed(tests, allowed, list(dict.fromkeys(one for one in constants if one is not None)), kinds == {bool})
    return Column(("any",), tuple(1 if test and test[1] == [OTHER] else None for test in tests), 1)


def _constants_of(test: Tests) -> list[Any]:
    return [constant for one in test[1] for constant in _constants(one)] if test else []


def _constants(test: Any) -> list[Any]:
    if test is OTHER:
        return []
    return [bound for bound in (test.start, test.end) if bound is not None] if isinstance(test, Range) else [test]


def _ordered(tests: list[Tests], allowed: Tests, points: list[Any]) -> Column:
    atoms: list[str] = [f"< {_shown(points[0])}"]
    steps: list[bool] = [True]
    for at, point in enumerate(points):
        last = at + 1 == len(points)
        atoms += [_shown(point), f"> {_shown(point)}" if last else f"({_shown(point)}..{_shown(points[at + 1])})"]
        steps += [True, last or not _neighbours(point, points[at + 1], points)]
    atoms.append("null")

    def mask(test: Any) -> int:
        if test is OTHER:
            return (1 << len(atoms)) - 1
        if test is None:
            return 1 << len(atoms) - 1
        if not isinstance(test, Range):
            return 1 << 2 * points.index(test) + 1
        low = 0 if test.start is None else 2 * points.index(test.start) + (1 if test.start_included else 2)
        high = 2 * len(points) if test.end is None else 2 * points.index(test.end) + (1 if test.end_included else 0)
        return sum(1 << bit for bit in range(low, high + 1))

    wanted = sum(1 << bit for bit, counts in enumerate(steps) if counts)
    return _masked(tuple(atoms), tests, allowed, mask, wanted)


def _neighbours(a: Any, b: Any, points: list[Any]) -> bool:
    """Whether nothing lies between two points: next days, or next whole numbers where all are whole."""
    if isinstance(a, date) and not isinstance(a, datetime):
        return bool(b - a == timedelta(days=1))
    return all(isinstance(point, int) for point in points) and b - a == 1


def _listed(tests: list[Tests], allowed: Tests, texts: list[Any], boolean: bool) -> Column:
    texts = [True, False] if boolean else texts
    atoms = (*map(_shown, texts), "any other", "null")

    def mask(test: Any) -> int:
        if test is OTHER:
            return (1 << len(atoms)) - 1
        return 1 << (len(atoms) - 1 if test is None else texts.index(test))

    wanted = (1 << len(texts)) - 1 if boolean else (1 << len(texts) + 1) - 1
    return _masked(atoms, tests, allowed, mask, wanted)


def _masked(atoms: tuple[str, ...], tests: list[Tests], allowed: Tests, mask: Any, wanted: int) -> Column:
    full = (1 << len(atoms)) - 1

    def union(test: tuple[bool, list[Any]]) -> int:
        total = 0
        for one in test[1]:
            total |= mask(one)
        return full & ~total if test[0] else total

    cells = tuple(None if test is None else union(test) for test in tests)
    return Column(atoms, cells, wanted & union(allowed) if allowed else wanted)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
