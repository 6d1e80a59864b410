"""What differs between two versions of a form, in terms of components and their properties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from forms.component import Component, Form

Kind = Literal["added", "removed", "moved", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change; ``property`` is dotted (``validate.min``) and empty unless the kind is ``changed``."""

    kind: Kind
    component: str
    type: str
    property: str = ""
    before: object = None
    after: object = None


def diff(a: Form, b: Form) -> list[Change]:
    """List the changes from form ``a`` to form ``b``: removed, then in the order of ``b`` added, moved and changed."""
    old, new = dict(_by_identity(a.components, "")), dict(_by_identity(b.components, ""))
    changes = [Change("removed", _name(old[key][0]), old[key][0].type) for key in old if key not in new]
    stayed = [key for key in old if key in new and old[key][1] == new[key][1]]
    still = {key for parent in {old[key][1] for key in stayed} for key in _in_order(_under(parent, old, stayed), _under(parent, new, stayed))}
    for key, (component, _) in new.items():
        if key not in old:
            changes.append(Change("added", _name(component), component.type))
            continue
        before = old[key][0]
        if key not in still:
            changes.append(Change("moved", _name(component), component.type))
        changes.extend(_changed(before, component))
    return changes


def _by_identity(components: tuple[Component, ...], parent: str) -> Iterator[tuple[str, tuple[Component, str]]]:
    for component in components:
        identity = component.id if component.raw.get("id") else f"{parent}/{component.key or component.name or component.place}"
        yield identity, (component, parent)
        yield from _by_identity(component.components, identity)


def _name(component: Component) -> str:
    return component.name or component.id


def _under(parent: str, forest: dict[str, tuple[Component, str]], stayed: list[str]) -> list[str]:
    return [key for key, (_, own) in forest.items() if own == parent and key in stayed]


def _in_order(old: list[str], new: list[str]) -> set[str]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return {key for block in matcher.get_matching_blocks() for key in old[block.a : block.a + block.size]}


def _changed(before: Component, after: Component) -> Iterator[Change]:
    old, new = dict(_flat(before.raw, "")), dict(_flat(after.raw, ""))
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) != new.get(name):
            yield Change("changed", _name(after), after.type, name, old.get(name), new.get(name))


def _flat(raw: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in raw.items():
        if prefix == "" and name in {"id", "components"}:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
