"""A scenario: what people fill in, what far ends answer and which messages come, so that a process can be played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from engine.errors import InvalidModel, Problem


@dataclass
class Scenario:
    """One scenario of a `scenarios.yaml`. Lists are used up one by one; their last entry stays."""

    name: str = ""
    process: str | None = None
    version_tag: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Any] = field(default_factory=dict)  # element id → values of the form, open, or a list of them
    calls: dict[str, Any] = field(default_factory=dict)  # connector type or element id → output, {error: CODE}, or a list
    messages: dict[str, Any] = field(default_factory=dict)  # message name or element id → payload, list, or none
    children: dict[str, Any] = field(default_factory=dict)  # called process → its output, or {error: CODE}
    timers: dict[str, str | int] = field(default_factory=dict)  # element id → fire or never
    expect: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    _used: dict[str, int] = field(default_factory=dict)

    def step(self, element: str) -> dict[str, Any] | Literal["open"] | None:
        """What becomes of the next task of that element: its values, `open` (nobody completes it), or None for the form's example.

        Ask once for each task: a list is used up entry by entry.
        """
        value = self._next("steps", self.steps, element)
        return value if value is None or value == "open" else dict(value)

    def call(self, type_: str, element: str) -> dict[str, Any] | None:
        """The connector's answer; None when the scenario says nothing."""
        key = element if element in self.calls else type_
        value = self._next("calls", self.calls, key)
        return None if value is None else dict(value)

    def child(self, process_id: str) -> dict[str, Any]:
        """The outcome of a called process that is not played."""
        return dict(self._next("children", self.children, process_id) or {})

    def message(self, name: str | None, element: str = "") -> dict[str, Any] | None:
        """The payload that comes now; None when the scenario says nothing, or that none comes."""
        key = element if element in self.messages else (name or "")
        value = self._next("messages", self.messages, key)
        return None if value in (None, "none") else dict(value)

    def withholds(self, name: str, element: str) -> bool:
        """True when the scenario says that the message does not come (any more)."""
        key = element if element in self.messages else name
        return key in self.messages and self._peek("messages", self.messages, key) in (None, "none")

    def says(self, name: str, element: str) -> bool:
        """True when the scenario has a message for this event that was not used yet."""
        key = element if element in self.messages else name
        if key not in self.messages:
            return False
        value = self.messages[key]
        many = value if isinstance(value, list) else [value]
        return self._used.get(f"messages:{key}", 0) < len(many) and self._peek("messages", self.messages, key) not in (None, "none")

    def fires(self, element: str, *, default: bool) -> bool:
        """Whether a timer fires; `timers: {X: 2}` lets it fire twice."""
        value = self.timers.get(element)
        if isinstance(value, int) and not isinstance(value, bool):
            key = f"timers:{element}"
            self._used[key] = self._used.get(key, 0) + 1
            return self._used[key] <= value
        return default if value is None else value == "fire"

    def _peek(self, kind: str, table: Mapping[str, Any], key: str) -> Any:
        value = table.get(key)
        if isinstance(value, list):
            return value[min(self._used.get(f"{kind}:{key}", 0), len(value) - 1)] if value else None
        return value

    def _next(self, kind: str, table: Mapping[str, Any], key: str) -> Any:
        value = self._peek(kind, table, key)
        self._used[f"{kind}:{key}"] = self._used.get(f"{kind}:{key}", 0) + 1
        return value


_KEYS = {name for name in Scenario.__dataclass_fields__ if not name.startswith("_")}


def load(text: str | bytes, file: str = "scenarios.yaml") -> list[Scenario]:
    """Reads a scenarios file; InvalidModel names each entry that is wrong."""
    try:
        rows = yaml.safe_load(text) or []
    except yaml.YAMLError as error:
        raise InvalidModel([Problem("scenario", f"The file is no YAML: {error}", "Mend the YAML.", file=file)]) from error
    rows = rows if isinstance(rows, list) else [rows]
    problems = []
    for number, row in enumerate(rows, 1):
        unknown = set(row) - _KEYS if isinstance(row, dict) else {"(no mapping)"}
        if unknown:
            text_ = f"Scenario {number} has unknown keys: {', '.join(sorted(unknown))}."
            problems.append(Problem("scenario", text_, f"Use {', '.join(sorted(_KEYS))}.", file=file))
    if problems:
        raise InvalidModel(problems)
    return [Scenario(**{key: value for key, value in row.items() if value is not None}) for row in rows]
