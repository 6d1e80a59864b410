"""Laying components out in rows of a 16-column grid, as form-js does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from forms.component import Component

COLUMNS: Final = 16


class Cell(NamedTuple):
    """A component and how many of the 16 columns it takes."""

    component: Component
    span: int


def rows_of(components: tuple[Component, ...]) -> list[list[Cell]]:
    """Group siblings into rows: the same ``layout.row`` shares one, everything else has its own."""
    grouped: dict[str, list[Component]] = {}
    for component in components:
        layout = component.raw.get("layout")
        row = layout.get("row") if isinstance(layout, Mapping) else None
        grouped.setdefault(row if isinstance(row, str) else component.place, []).append(component)
    return [list(_cells(row)) for row in grouped.values()]


def _cells(row: list[Component]) -> Iterator[Cell]:
    fixed = [_columns(component) for component in row]
    free = COLUMNS - sum(width or 0 for width in fixed)
    open_cells = sum(1 for width in fixed if width is None)
    for component, width in zip(row, fixed, strict=True):
        yield Cell(component, width or max(1, free // open_cells))


def _columns(component: Component) -> int | None:
    layout = component.raw.get("layout")
    width = layout.get("columns") if isinstance(layout, Mapping) else None
    return width if isinstance(width, int) else None
