"""Checking the FEEL texts of a decision model: their syntax, and the names that nothing in sight has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import Problem
from engine.execution.dmn.elements import DecisionModel, Node, nested
from engine.execution.feel.evaluation import reading

BUILT_IN_TYPES = {
    "Any", "any", "string", "number", "boolean", "date", "time", "dateTime", "date and time", "duration", "dayTimeDuration",
    "days and time duration", "yearMonthDuration", "years and months duration", "list", "context", "range", "function",
    "integer", "long", "double", "feel:any",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Texts:
    """The FEEL texts of one node: its name, the names in sight, and how bad others are (None: they may come from outside)."""

    node: str
    names: frozenset[str]
    severity: Literal["error", "warning"] | None

    @property
    def open(self) -> bool:
        """Whether names may come from outside."""
        return self.severity != "error"

    def check(self, text: str, element: str, kind: str, *, unary: bool = False) -> Iterator[Problem]:
        """The syntax errors of a text, and the names in it that are nowhere in sight."""
        found = reading(text, self.names, unary=unary)
        for error in found.errors:
            yield Problem("dmn-syntax", f"{self.node}: `{text}` is no FEEL: {error}.", "Correct the expression.", element, kind)
        if found.errors or self.severity is None:
            return
        unknown = sorted(found.names - self.names)
        if unknown:
            yield Problem(
                "dmn-unknown-name",
                f"{self.node}: `{text}` speaks of {', '.join(unknown)}, which is not in sight and would be null.",
                "Draw the requirement, or put texts in quotes.",
                element,
                kind,
                self.severity,
            )


def known_types(model: DecisionModel, others: Sequence[DecisionModel]) -> set[str]:
    """The type names that a model may use."""
    own = set(BUILT_IN_TYPES) | set(model.types) | {f"{name}.{part}" for name, one in model.types.items() for part in _parts(one)}
    aliases = {one.namespace: one.alias for one in model.imports}
    return own | {f"{aliases[other.namespace]}.{name}" for other in others if other.namespace in aliases for name in other.types}


def _parts(definition: dict[str, Any]) -> list[str]:
    return [part["name"] for part in definition["components"]]


def visible_names(model: DecisionModel, node: Node, others: Sequence[DecisionModel]) -> frozenset[str]:
    """The names that a node's expressions may use: of what it requires, and those that its boxes bind.

    A box's names are taken as seen in the whole node: too generous, but never a false alarm.
    """
    by_key = {f"{one.namespace}#{other.id}": (one, other) for one in (model, *others) for other in one.nodes}
    aliases = {one.namespace: one.alias for one in model.imports}
    names: set[str] = set()
    for required in node.requires:
        if required.key in by_key:
            owner, target = by_key[required.key]
            names |= {target.name} if owner is model else {aliases.get(owner.namespace, ""), target.name}
            names |= _inner_names(owner, target.type)
    for boxed in nested(node.expression):
        names |= {entry["name"] for entry in boxed.get("entries", ()) if entry["name"]}
        names |= {one["name"] for one in boxed.get("parameters", ())}
        names |= {column["name"] for column in boxed.get("columns", ())}
        names |= {boxed["variable"], "partial"} if boxed.get("variable") else set()
    return frozenset(names - {""})


def _inner_names(model: DecisionModel, reference: str | None, depth: int = 0) -> set[str]:
    """The names of a type's parts, which the parser must know when they have spaces."""
    definition = model.types.get(reference or "")
    if definition is None or depth > 8:
        return set()
    names: set[str] = set()
    for part in definition["components"]:
        names |= {part["name"], *_parts(part)} | _inner_names(model, part["base"], depth + 1)
    return names | _inner_names(model, definition["base"], depth + 1)
