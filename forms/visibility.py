"""Which components are hidden or locked, once conditions and values agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marshmallow import ValidationError

from forms.component import Component, Form, walk
from forms.paths import MISSING, dig, put
from forms.scope import Scope
from forms.widget import widgets
from forms.widgets.dynamiclist import known_rows

Rows = tuple[int, ...]
Place = tuple[str, Rows]
"""A component's place in the JSON and the rows it is in; one component shows once a row."""


@dataclass
class State:
    """What a person cannot see or cannot change, by place."""

    hidden: set[Place] = field(default_factory=set)
    locked: set[Place] = field(default_factory=set)
    disabled: set[Place] = field(default_factory=set)


def settle(form: Form, raw: Mapping[str, object], scope: Scope) -> State:
    """Find the state in which each condition holds for the values that are left once hidden ones are gone.

    A hidden field counts as null in other conditions, as it will not be kept; so the search repeats until nothing
    changes. Conditions that contradict each other never settle; the last state then holds.
    """
    state = State()
    for _ in range(len(list(walk(form.components))) + 1):
        data = _data(form.inputs, raw, scope.variables, scope, state, ())
        fresh = State()
        _look(form.components, data, scope.over(data), fresh, ())
        if fresh == state:
            break
        state = fresh
    return state


def typed_or_none(component: Component, raw: object, scope: Scope) -> object:
    """Give the typed value of a submission, or None where it is wrong or missing."""
    try:
        return widgets()[component.type].parse(component, None if raw is MISSING else raw, scope)
    except ValidationError:
        return None


def _data(inputs: tuple[Component, ...], raw: object, known: object, scope: Scope, state: State, rows: Rows) -> dict[str, object]:
    """Give the values that conditions see: hidden ones null, locked ones as the variables hold them."""
    data: dict[str, object] = {}
    for component in inputs:
        place = (component.place, rows)
        given = dig(raw, component.path)
        if place in state.hidden:
            value: object = None
        elif widgets()[component.type].holds == "rows":
            value = _rows(component, given, known, scope, state, rows)
        elif place in state.locked or component.raw.get("readonly") is True or component.raw.get("disabled") is True:
            value = held_value(component, known)
        else:
            value = typed_or_none(component, component.raw.get("defaultValue") if given is MISSING else given, scope)
        put(data, component.path, value)
    return data


def _rows(component: Component, given: object, known: object, scope: Scope, state: State, rows: Rows) -> list[object]:
    below = known_rows(component, known)
    return [
        _data(component.inputs, row, below[index] if index < len(below) else {}, scope, state, (*rows, index))
        for index, row in enumerate(given if isinstance(given, list | tuple) else [])
    ]


def held_value(component: Component, known: object) -> object:
    """Give the value that a locked field has: the variable's, or the form's default."""
    value = dig(known, component.path)
    return component.raw.get("defaultValue") if value is MISSING else value


def _look(components: tuple[Component, ...], data: object, scope: Scope, state: State, rows: Rows) -> None:
    for component in components:
        place = (component.place, rows)
        if component.hide and scope.value_of(component.hide) is True:
            _hide(component, state, rows)
            continue
        disabled = scope.value_of(component.raw.get("disabled")) is True
        if disabled or scope.value_of(component.raw.get("readonly")) is True:
            state.locked.add(place)
        if disabled:
            state.disabled.add(place)
        if widgets()[component.type].holds == "rows":
            found = dig(data, component.path)
            for index, row in enumerate(found if isinstance(found, list) else []):
                _look(component.components, row, scope.within(row, index), state, (*rows, index))
        else:
            _look(component.components, data, scope, state, rows)


def _hide(component: Component, state: State, rows: Rows) -> None:
    state.hidden.add((component.place, rows))
    if widgets()[component.type].holds == "components":
        for inner in component.components:
            _hide(inner, state, rows)
