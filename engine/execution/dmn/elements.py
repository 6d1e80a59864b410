"""Decision models as read: what a DMN file says, with boxed expressions already in the form that the isolate evaluates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Boxed = dict[str, Any]
"""A boxed expression: `kind`, `id`, `type` and what its kind needs (see `expressions.py` and `web/client/src/feel/boxed.js`)."""


@dataclass(frozen=True, slots=True)
class Import:
    """Another model whose elements are seen here under an alias."""

    alias: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """A reference to another element: its id, and its namespace when it is in another model."""

    namespace: str
    id: str

    @property
    def key(self) -> str:
        """The element's name among all loaded models."""
        return f"{self.namespace}#{self.id}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A formal parameter of a function."""

    name: str
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """An element of the requirement graph: input data, decision, business knowledge model or decision service."""

    kind: Literal["input", "decision", "knowledge", "service"]
    id: str
    name: str
    type: str | None = None
    description: str = ""
    expression: Boxed | None = None
    requires: tuple[Requirement, ...] = ()
    outputs: tuple[Requirement, ...] = ()
    inputs: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class DecisionModel:
    """One DMN file."""

    namespace: str
    name: str
    key: str  # hash of the file
    imports: tuple[Import, ...] = ()
    types: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    camunda: bool = False  # made for Camunda, where input data are mere drawing

    @cached_property
    def open(self) -> bool:
        """Whether decisions see all variables: as in Camunda, and where nothing says what the inputs are."""
        return self.camunda or not self.inputs

    @cached_property
    def decisions(self) -> tuple[Node, ...]:
        """The decisions, in the file's order."""
        return tuple(node for node in self.nodes if node.kind == "decision")

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The input data, in the file's order."""
        return tuple(node for node in self.nodes if node.kind == "input")

    def find(self, decision: str) -> Node | None:
        """The decision, service or knowledge model of an id, else of a name."""
        callable_nodes = [node for node in self.nodes if node.kind != "input"]
        by_id = (node for node in callable_nodes if node.id == decision)
        by_name = (node for node in callable_nodes if node.name == decision)
        return next(by_id, None) or next(by_name, None)


def nested(boxed: Boxed | None) -> Iterator[Boxed]:
    """A boxed expression and all within it."""
    if boxed is None:
        return
    yield boxed
    for value in boxed.values():
        for item in value if isinstance(value, list) else [value]:
            yield from _nested_in(item)


def _nested_in(item: object) -> Iterator[Boxed]:
    if isinstance(item, list):
        for part in item:
            yield from _nested_in(part)
    elif isinstance(item, dict):
        if "kind" in item:
            yield from nested(item)
        else:
            for part in item.values():
                yield from _nested_in(part)
