"""Reading what an HTML form sent, and answering its add-row and remove-row buttons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, runtime_checkable

from forms.component import Component, Form
from forms.paths import put
from forms.widget import widgets
from forms.widgets.dynamiclist import MOST_ROWS, is_open, row_limits

ADD: Final = "_add:"
REMOVE: Final = "_remove:"
ROW_MARK: Final = "_row"
"""A hidden field in each row, so that a row of unticked boxes still arrives."""


@runtime_checkable
class MultiDict(Protocol):
    """A submitted HTML form, as Werkzeug gives it: names with several values."""

    def getlist(self, key: str) -> list[str]:
        """Give all values of a name."""
        ...


def from_html(form: Form, submitted: Mapping[str, object]) -> dict[str, object]:
    """Turn an HTML submission into nested data for ``validate``.

    Names are dotted paths, rows are ``drugs-0-dose``. Names that begin with ``_`` and ``csrf_token`` belong to the page;
    any other name that the form does not have is passed on, so that ``validate`` can list it.
    """
    used: set[str] = set()
    data = _read(form.inputs, submitted, "", used)
    for name in submitted:
        if name not in used and not name.startswith("_") and name != "csrf_token" and not name.endswith("-" + ROW_MARK):
            data.setdefault(name, (_strings(submitted, name) or [""])[-1])
    return data


def _read(inputs: Iterable[Component], submitted: Mapping[str, object], prefix: str, used: set[str]) -> dict[str, object]:
    data: dict[str, object] = {}
    for component in inputs:
        name = prefix + component.name
        widget = widgets()[component.type]
        if widget.holds == "rows":
            indices = _indices(submitted, name)[: MOST_ROWS + 1]
            put(data, component.path, [_read(component.inputs, submitted, f"{name}-{index}-", used) for index in indices])
            continue
        used.add(name)
        strings = _strings(submitted, name)
        value = widget.unsent() if strings is None else widget.read(strings)
        if strings is not None or value is not None:
            put(data, component.path, value)
    return data


def _strings(submitted: Mapping[str, object], name: str) -> list[str] | None:
    if name not in submitted:
        return None
    if isinstance(submitted, MultiDict):
        return submitted.getlist(name) or None
    value = submitted[name]
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def _indices(submitted: Mapping[str, object], name: str) -> list[int]:
    row = re.compile(re.escape(name) + r"-(\d{1,6})-")
    return sorted({int(found.group(1)) for key in submitted if (found := row.match(key))})


def apply_row_action(form: Form, submitted: Mapping[str, object]) -> dict[str, object] | None:
    """Carry out a pressed add-row or remove-row button and give the data to show again; None if none was pressed.

    A row that the limits of the list forbid is not added or removed; the data comes back as it was.
    """
    action = next((name for name in submitted if name.startswith((ADD, REMOVE))), None)
    if action is None:
        return None
    data = from_html(form, submitted)
    adding = action.startswith(ADD)
    _act(form.inputs, submitted, data, "", action.removeprefix(ADD if adding else REMOVE), adding)
    return data


def _act(inputs: Iterable[Component], submitted: Mapping[str, object], data: object, prefix: str, target: str, adding: bool) -> None:
    for component in inputs:
        name = prefix + component.name
        if widgets()[component.type].holds != "rows" or not (target == name or target.startswith(name + "-")):
            continue
        rows = _rows_at(data, component)
        if adding and target == name:
            if is_open(component) and len(rows) < row_limits(component)[1]:
                rows.append({})
            return
        index, _, deeper = target.removeprefix(name + "-").partition("-")
        positions = {str(found): at for at, found in enumerate(_indices(submitted, name))}
        at = positions.get(index, len(rows))
        if at < len(rows) and deeper:
            _act(component.inputs, submitted, rows[at], f"{name}-{index}-", target, adding)
        elif at < len(rows) and not adding and is_open(component):
            del rows[at]


def _rows_at(data: object, component: Component) -> list[object]:
    for part in component.path:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, list) else []
