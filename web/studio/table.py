"""Decision files for people who do not open the editor: tables to read, and fields to try them with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from engine.execution.dmn import DecisionModel, Node
from engine.models.xml import name_of, parse


@dataclass(frozen=True, slots=True)
class Rule:
    """One row."""

    id: str
    cells: tuple[str, ...]
    results: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Table:
    """One decision table."""

    decision: str
    name: str
    hit_policy: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """An input to try a decision with."""

    name: str
    type: str  # string, number, boolean …
    label: str


def tables(content: bytes) -> list[Table]:
    """The decision tables of a DMN file, in its order."""
    root = parse(content)
    return [_table(decision, table) for decision in _all(root, "decision") for table in _all(decision, "decisionTable")]


def _table(decision: etree._Element, table: etree._Element) -> Table:
    policy = " ".join(filter(None, (table.get("hitPolicy", "UNIQUE"), table.get("aggregation"))))
    return Table(
        decision=decision.get("id", ""),
        name=decision.get("name", ""),
        hit_policy=policy,
        inputs=tuple(i.get("label") or _text(next(iter(_all(i, "inputExpression")), None)) for i in _children(table, "input")),
        outputs=tuple(o.get("label") or o.get("name") or "" for o in _children(table, "output")),
        rules=tuple(_rule(r) for r in _children(table, "rule")),
    )


def _rule(rule: etree._Element) -> Rule:
    note = next(iter(_children(rule, "description")), None)
    return Rule(
        rule.get("id", ""),
        tuple(_text(c) or "–" for c in _children(rule, "inputEntry")),
        tuple(_text(c) for c in _children(rule, "outputEntry")),
        _text(note),
    )


def fields(model: DecisionModel, decision: str) -> list[Field]:
    """The input data that a decision needs, through everything it requires; all of the file's when it names none."""
    nodes = {f"{model.namespace}#{n.id}": n for n in model.nodes}
    start = model.find(decision)
    seen: dict[str, Node] = {}
    queue = [start] if start else []
    while queue:
        node = queue.pop()
        for requirement in node.requires:
            needed = nodes.get(requirement.key)
            if needed is not None and needed.id not in seen:
                seen[needed.id] = needed
                queue.append(needed)
    wanted = [n for n in model.inputs if n.id in seen] or list(model.inputs)
    return [Field(n.name, (n.type or "string").lower(), n.description) for n in wanted]


def typed(given: Mapping[str, str], asked: list[Field]) -> dict[str, object]:
    """What was typed into the fields, as FEEL values; an empty field is null."""
    return {field.name: _value(given.get(field.name, "").strip(), field.type) for field in asked}


def _value(text: str, type_: str) -> object:
    if not text:
        return None
    if type_ == "boolean":
        return text == "true"
    if type_ in ("number", "integer", "long", "double") and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return Decimal(text)
    return text


def _all(node: etree._Element, name: str) -> list[etree._Element]:
    return [n for n in node.iter() if isinstance(n.tag, str) and name_of(n) == name]


def _children(node: etree._Element, name: str) -> list[etree._Element]:
    return [n for n in node if isinstance(n.tag, str) and name_of(n) == name]


def _text(node: etree._Element | None) -> str:
    return "".join(str(part) for part in node.itertext()).strip() if node is not None else ""
