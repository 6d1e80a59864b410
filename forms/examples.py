"""Valid example values for a form, for playing a process through without people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from marshmallow import ValidationError

from forms.component import Component, Form
from forms.paths import put
from forms.problem import ExampleMissing, ExpressionNeeded
from forms.scope import Evaluate, Scope, make_scope
from forms.validation import validate
from forms.widget import widgets
from forms.widgets.dynamiclist import first_rows, is_open, row_limits


def example(
    form: Form,
    context: Mapping[str, object] | None = None,
    evaluate: Evaluate | None = None,
    *,
    lang: str = "zh",
    zone: str | None = None,
    now: datetime | None = None,
) -> dict[str, object]:
    """Give typed values that ``validate`` accepts and gives back unchanged.

    A component's property ``example`` wins (JSON, or plain text); else its default, else one derived from its rules.
    Hidden fields are left out; without ``evaluate`` nobody can tell which those are, so conditional ones all stay in.
    Raises ExampleMissing when a required field has none (options that the context does not hold, an odd pattern).
    """
    scope = make_scope(lang, context, evaluate, zone, now)
    data = _examples(form.inputs, scope, scope.variables)
    try:
        result = validate(form, data, context, lang, evaluate, zone=zone, now=scope.now)
    except ExpressionNeeded:
        return data
    for path, words in result.errors.items():
        raise ExampleMissing(path, " ".join(words))
    return result.values


def _examples(inputs: tuple[Component, ...], scope: Scope, known: object) -> dict[str, object]:
    data: dict[str, object] = {}
    for component in inputs:
        if any(component.raw.get(name) is True for name in ("readonly", "disabled")):
            continue
        if widgets()[component.type].holds == "rows":
            put(data, component.path, _rows(component, scope, known))
        else:
            put(data, component.path, _value(component, scope))
    return data


def _rows(component: Component, scope: Scope, known: object) -> list[object]:
    fewest, most = row_limits(component)
    count = min(max(1, fewest), most) if is_open(component) else len(first_rows(component, known))
    return [_examples(component.inputs, scope.within({}, index), {}) for index in range(count)]


def _value(component: Component, scope: Scope) -> object:
    widget = widgets()[component.type]
    tried: list[object] = []
    if "example" in component.properties:
        tried += [_written(component.properties["example"]), component.properties["example"]]
    if component.raw.get("defaultValue") not in (None, ""):
        tried.append(component.raw["defaultValue"])
    for candidate in (*tried, *widget.examples(component, scope)):
        try:
            typed = widget.parse(component, candidate, scope)
        except ValidationError:
            continue
        if not (component.required and widget.is_missing(typed)):
            return typed
    if component.required:
        raise ExampleMissing(component.name, "nothing that was tried passes its checks.")
    return None


def _written(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value
