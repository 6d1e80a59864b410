"""Rows of the same components, as many as needed."""

from __future__ import annotations

from collections.abc import Mapping

from forms.component import Component, walk
from forms.paths import dig
from forms.scope import Scope
from forms.widget import Complain, Widget

MOST_ROWS = 200


class DynamicList(Widget):
    """A list of rows; its value is a list of objects."""

    type = "dynamiclist"
    holds = "rows"
    feel = "list"
    properties = frozenset({
        "label", "path", "showOutline", "verticalAlignment", "components",
        "isRepeating", "defaultRepetitions", "allowAddRemove", "disableCollapse", "nonCollapsedItems",
    })  # fmt: skip
    validations = frozenset()

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report row limits that are no numbers, and a list that does not repeat."""
        properties = raw.get("properties")
        limits = []
        for name, missing in (("minRows", 0), ("maxRows", MOST_ROWS)):
            value = properties.get(name, missing) if isinstance(properties, Mapping) else missing
            if not str(value).isdecimal() or int(str(value)) > MOST_ROWS:
                complain(f"properties.{name}", "row-limit", f"{name} must be a whole number up to {MOST_ROWS}.", "Correct it.")
            else:
                limits.append(int(str(value)))
        if len(limits) == 2 and limits[0] > limits[1]:
            complain("properties.minRows", "bounds-reversed", "minRows is above maxRows.", "Swap or correct them.")
        if raw.get("isRepeating") is False:
            complain("isRepeating", "not-repeating", "A list that does not repeat is a group.", "Use a group, or set isRepeating.")
        start = raw.get("defaultRepetitions", 1)
        if isinstance(start, bool) or not isinstance(start, int) or not 0 <= start <= MOST_ROWS:
            complain("defaultRepetitions", "property-type", f"defaultRepetitions must be 0 to {MOST_ROWS}.", "Correct it.")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Say whether to draw a frame and offer buttons."""
        return {"outline": component.raw.get("showOutline") is True, "open": is_open(component)}


def is_open(component: Component) -> bool:
    """Whether a person may add and remove rows."""
    return component.raw.get("allowAddRemove") is not False


def row_limits(component: Component) -> tuple[int, int]:
    """Give the fewest and most rows a person may submit."""
    fewest, most = component.count("minRows"), component.count("maxRows")
    return fewest or 0, MOST_ROWS if most is None else most


def known_rows(component: Component, known: object) -> list[object]:
    """Give the rows that the variables already hold."""
    rows = dig(known, component.path)
    return list(rows) if isinstance(rows, list | tuple) else []


def first_rows(component: Component, known: object) -> list[object]:
    """Give the rows that an untouched form starts with."""
    rows = known_rows(component, known)
    start = component.raw.get("defaultRepetitions", 1)
    return rows or [{} for _ in range(max(start if isinstance(start, int) else 1, row_limits(component)[0]))]


def locks_cells(component: Component) -> bool:
    """Whether some cell of a row is read only or disabled (or may become so)."""
    return any(inner.raw.get(name) not in {None, False} for inner in walk(component.components) for name in ("readonly", "disabled"))


WIDGET = DynamicList()
