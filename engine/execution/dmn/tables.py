"""Findings about decision tables: shape, hit policy, cells that never match, overlaps and gaps."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Problem
from engine.execution.dmn.coverage import MAX_RULES, Column, columns, gaps, overlaps
from engine.execution.dmn.elements import Boxed, Node
from engine.execution.dmn.expressions import AGGREGATIONS, POLICIES
from engine.execution.dmn.texts import Texts

SINGLE = {"UNIQUE", "FIRST", "ANY", "PRIORITY"}
RANKED = {"PRIORITY", "OUTPUT ORDER"}


def table_problems(node: Node, table: Boxed, element: str, texts: Texts) -> Iterator[Problem]:
    """All findings about one table."""
    shape = list(_shape(node, table, element))
    yield from shape
    syntax = list(_syntax(table, element, texts))
    yield from syntax
    if not any(one.severity == "error" for one in (*shape, *syntax)) and table["rules"]:
        yield from _coverage(node, table, element)


def _shape(node: Node, table: Boxed, element: str) -> Iterator[Problem]:
    def problem(rule: str, message: str, fix: str, at: str = element, severity: str = "error") -> Problem:
        return Problem(rule, f"{node.name}: {message}", fix, at, "decisionTable", "warning" if severity == "warning" else "error")

    policy = table["policy"]
    if policy not in POLICIES:
        yield problem("dmn-hit-policy", f"there is no hit policy {policy}.", f"Choose one of {', '.join(sorted(POLICIES))}.")
    if table["aggregation"] and (table["aggregation"] not in AGGREGATIONS or policy != "COLLECT"):
        yield problem(
            "dmn-aggregation", f"{table['aggregation']} does not go with {policy}.", "Aggregate with COLLECT by SUM, MIN, MAX or COUNT."
        )
    if not table["outputs"]:
        yield problem("dmn-outputs", "the table has no output.", "Add an output column.")
    if len(table["outputs"]) > 1 and not all(one["name"] for one in table["outputs"]):
        yield problem("dmn-outputs", "of several outputs each needs a name.", "Name the output columns.")
    if len(table["outputs"]) > 1 and table["aggregation"] in AGGREGATIONS - {"COUNT"}:
        yield problem("dmn-aggregation", "several outputs cannot be aggregated.", "Keep one output column.")
    if policy in RANKED and not any(one["allowed"] for one in table["outputs"]):
        yield problem("dmn-priority", f"{policy} needs the output's values in their order.", "List the output values, highest first.")
    if not table["rules"]:
        yield problem("dmn-no-rules", "the table has no rules.", "Add rules.", severity="warning")
    for rule in table["rules"]:
        if len(rule["cells"]) != len(table["inputs"]) or len(rule["outputs"]) != len(table["outputs"]):
            message = f"rule {rule['number']} has {len(rule['cells'])} + {len(rule['outputs'])} cells, not one a column."
            yield problem("dmn-cells", message, "Give each rule a cell in each column.", rule["id"] or element)


def _syntax(table: Boxed, element: str, texts: Texts) -> Iterator[Problem]:
    for one in table["inputs"]:
        if one["text"]:
            yield from texts.check(one["text"], one["id"] or element, "input")
        else:
            yield Problem(
                "dmn-empty", f"{texts.node}: an input has no expression.", "Say what the column looks at.", one["id"] or element, "input"
            )
        if one["allowed"]:
            yield from texts.check(one["allowed"], one["id"] or element, "inputValues", unary=True)
    for one in table["outputs"]:
        if one["default"]:
            yield from texts.check(one["default"], one["id"] or element, "defaultOutputEntry")
        if one["allowed"]:
            yield from texts.check(one["allowed"], one["id"] or element, "outputValues", unary=True)
    for rule in table["rules"]:
        at = rule["id"] or element
        for cell in rule["cells"]:
            if cell not in ("", "-"):
                yield from texts.check(cell, at, "inputEntry", unary=True)
                yield from _bare(texts, cell, at)
        for cell in rule["outputs"]:
            if cell:
                yield from texts.check(cell, at, "outputEntry")


def _bare(texts: Texts, cell: str, at: str) -> Iterator[Problem]:
    """A lone word in a cell is a variable; where any variable may come from outside, a text without quotes looks the same."""
    if texts.open and cell.isidentifier() and cell not in ("true", "false", "null"):
        yield Problem(
            "dmn-bare-word",
            f"{texts.node}: the cell {cell} is compared with a variable of that name.",
            f'If the text is meant, write "{cell}".',
            at,
            "inputEntry",
            "warning",
        )


def _coverage(node: Node, table: Boxed, element: str) -> Iterator[Problem]:
    made = columns(table)
    rules = table["rules"]
    yield from _never(node, table, element, made)
    if table["policy"] == "UNIQUE":
        for first, second in overlaps(made, len(rules))[:10]:
            yield Problem(
                "dmn-overlap",
                f"{node.name}: the hit policy is UNIQUE, but the rules {first + 1} and {second + 1} apply together"
                f" when {_where(table, made, first, second)}.",
                "Narrow one of them, or choose the hit policy FIRST.",
                rules[second]["id"] or element,
                "rule",
            )
    if table["policy"] in SINGLE and len(rules) <= MAX_RULES and not any(one["default"] for one in table["outputs"]):
        for gap in gaps(made, len(rules)):
            inputs = ", ".join(f"{one['label'] or one['text']}: {part}" for one, part in zip(table["inputs"], gap, strict=True))
            yield Problem(
                "dmn-gap", f"{node.name}: no rule covers {inputs}.", "Add a rule or a default output.", element, "decisionTable", "warning"
            )


def _where(table: Boxed, made: list[Column], first: int, second: int) -> str:
    parts = []
    for one, column in zip(table["inputs"], made, strict=True):
        common = (column.cells[first] or 0) & (column.cells[second] or 0)
        if common != column.full:
            parts.append(f"{one['label'] or one['text']} is {column.atoms[(common & -common).bit_length() - 1]}")
    return " and ".join(parts) or "anything is given"


def _never(node: Node, table: Boxed, element: str, made: list[Column]) -> Iterator[Problem]:
    """Cells of constants that no allowed input can meet, or that are of another type than their column."""
    for one, column in zip(table["inputs"], made, strict=True):
        for rule, mask, constants in zip(table["rules"], column.cells, column.constants, strict=True):
            outside = one["allowed"] and mask is not None and not mask & column.wanted
            if mask == 0 or outside or _misfit(one["type"], constants):
                yield Problem(
                    "dmn-never-matches",
                    f"{node.name}: rule {rule['number']} never applies, for no {one['label'] or one['text']} meets its cell.",
                    "Correct the cell, the column's type or the allowed values.",
                    rule["id"] or element,
                    "rule",
                )


def _misfit(declared: str | None, constants: tuple[object, ...]) -> bool:
    """Whether all constants of a cell are of a basic type other than the column's."""
    kinds = {type(one) for one in constants if one is not None} & {str, bool, int, float}
    wanted = BASIC.get(declared or "")
    return bool(kinds) and wanted is not None and not kinds & wanted


BASIC: dict[str, set[type]] = {"string": {str}, "number": {int, float}, "boolean": {bool}}
