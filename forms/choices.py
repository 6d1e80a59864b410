"""The options of a choice: written in the form, taken from a variable, or computed by FEEL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from forms.component import Component
from forms.messages import is_chinese
from forms.paths import dig
from forms.scope import Scope


@dataclass(frozen=True, slots=True)
class Choice:
    """One option. ``token`` is what HTML carries for the value, which need not be text."""

    value: object
    label: str
    token: str


def token_of(value: object) -> str:
    """Give the text that stands for a value in HTML."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def choices_of(component: Component, scope: Scope) -> list[Choice]:
    """List a component's options in order; what is not a list counts as none."""
    if component.raw.get("valuesExpression"):
        found = scope.value_of(component.raw["valuesExpression"])
    elif component.raw.get("valuesKey"):
        found = dig(scope.variables, component.text("valuesKey").split("."))
    else:
        found = component.raw.get("values")
    if not isinstance(found, list | tuple):
        return []
    return [_choice(component, item, scope.lang) for item in found]


def _choice(component: Component, item: object, lang: str) -> Choice:
    if not isinstance(item, Mapping) or "value" not in item:
        return Choice(item, _translated(component, item, str(item), lang), token_of(item))
    value = item["value"]
    label = str(item.get("label") or value)
    if is_chinese(lang) and item.get("label:zh"):
        label = str(item["label:zh"])
    return Choice(value, _translated(component, value, label, lang), token_of(value))


def _translated(component: Component, value: object, label: str, lang: str) -> str:
    if not is_chinese(lang):
        return label
    return component.properties.get(f"option:{token_of(value)}:zh", label)
