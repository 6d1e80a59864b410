"""A case of the semantics tables: a model, what is done to it in words, and what must be seen afterwards.

A step is a line: `complete a x=1`, `answer s x=1`, `answer s !CODE`, `publish name key x=1`, `signal name x=1`, `later 90s` (or 5m, 2h,
3d), `change x=1`, `retry a`. Values are JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.errors import InvalidModel
from tests.engine.world import Stored, World

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Case:
    """What is deployed and done, and what is seen; what is left out is not looked at, but nothing may be an incident unsaid."""

    name: str
    model: bytes | tuple[bytes, ...]
    does: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    path: list[str] | None = None  # what the `note` tasks wrote, in order
    did: dict[str, int] | None = None  # how often elements were completed
    has: dict[str, Any] | None = None  # variables of the process
    lacks: tuple[str, ...] = ()  # variables that must not be there
    at: list[str] | None = None  # where tokens stand; [] means that it is over
    incidents: tuple[tuple[str, str], ...] = ()
    refused: str | None = None  # the rule that refuses it

    def __str__(self) -> str:
        return self.name


def table(*cases: Case) -> pytest.MarkDecorator:
    """The cases as parameters of a test, each under its name."""
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    return pytest.mark.parametrize("case", cases, ids=names)


def play(case: Case, world: World) -> None:
    """Does what a case says and looks at what it names."""
    files = case.model if isinstance(case.model, tuple) else (case.model,)
    if case.refused is not None:
        refuse(case, files, world)
        return
    world.deploy(*files)
    world.start(dict(case.given))
    for line in filter(None, (part.strip() for part in case.does.split(";"))):
        step(world, line)
    look(case, world)


def refuse(case: Case, files: tuple[bytes, ...], world: World) -> None:
    """Deploying must say no, by that rule, with an element, a reason and a mend."""
    if not isinstance(world, Stored):
        pytest.skip("only deploying refuses")
    with pytest.raises(InvalidModel) as refused:
        world.deploy(*files)
    found = [p for p in refused.value.problems if p.rule == case.refused]
    assert found, [(p.rule, p.element, p.message) for p in refused.value.problems]
    assert all(p.message and p.fix and (p.element or p.file) for p in found)


def step(world: World, line: str) -> None:
    """One thing that happens."""
    verb, *words = line.split()
    values = {key: json.loads(value) for key, _, value in (word.partition("=") for word in words if "=" in word)}
    names = [word for word in words if "=" not in word]
    match verb:
        case "complete":
            world.complete(names[0], **values)
        case "answer":
            error = next((word[1:] for word in names if word.startswith("!")), None)
            world.answer(names[0], error=error, **values)
        case "publish":
            world.publish(names[0], *names[1:2], **values)
        case "signal":
            world.signal(names[0], **values)
        case "later":
            world.later(**{UNITS[names[0][-1]]: float(names[0][:-1])})
        case "change":
            world.change(**values)
        case "retry":
            world.retry(names[0])
        case _:
            raise ValueError(line)


def look(case: Case, world: World) -> None:
    """Compares what is with what should be."""
    assert tuple(world.incidents) == case.incidents, [
        t.notes["failed"]["message"] for s in world.run.scopes.values() for t in s.tasks.values() if t.notes.get("failed")
    ]
    if case.path is not None:
        assert world.variables.get("path", []) == case.path
    if case.did is not None:
        assert {element: world.times(element) for element in case.did} == case.did
    for name, value in (case.has or {}).items():
        assert world.variables.get(name) == value, name
    assert [name for name in case.lacks if name in world.variables] == []
    if case.at is not None:
        assert world.at == sorted(case.at)
        assert world.over == (not case.at)
