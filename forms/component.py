"""A form as frozen data: the form, its components and what a component's value is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Component:
    """One component of a form.

    ``place`` is its path in the JSON and unique in the form. ``path`` is where its value lives, relative to the nearest
    enclosing row of a dynamic list (or to the form). ``inputs`` are, for a dynamic list, the inputs of one row, with
    groups already flattened.
    """

    place: str
    type: str
    id: str
    key: str
    path: tuple[str, ...]
    label: str
    description: str
    properties: Mapping[str, str]
    rules: Mapping[str, object]
    raw: Mapping[str, object]
    components: tuple[Component, ...] = ()
    inputs: tuple[Component, ...] = ()

    @property
    def name(self) -> str:
        """Where its value lives, dotted: ``patient.name``."""
        return ".".join(self.path)

    @property
    def hide(self) -> str:
        """The FEEL expression that hides it, or an empty string."""
        conditional = self.raw.get("conditional")
        expression = conditional.get("hide") if isinstance(conditional, Mapping) else None
        return expression if isinstance(expression, str) else ""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.rules.get("required") is True

    def text(self, name: str) -> str:
        """Give a text property of the JSON, or an empty string."""
        value = self.raw.get(name)
        return value if isinstance(value, str) else ""

    def count(self, name: str) -> int | None:
        """Give a whole number from ``properties`` (``minRows``), where numbers may be written as text."""
        value = self.properties.get(name, "")
        return int(value) if value.isdecimal() else None


@dataclass(frozen=True, eq=False)
class Form:
    """A loaded, checked form. ``inputs`` are its value-holding components with groups flattened."""

    id: str
    schema_version: int
    components: tuple[Component, ...]
    inputs: tuple[Component, ...]
    raw: Mapping[str, object]


def walk(components: tuple[Component, ...]) -> Iterator[Component]:
    """Yield components in document order, containers before what they hold."""
    for component in components:
        yield component
        yield from walk(component.components)
