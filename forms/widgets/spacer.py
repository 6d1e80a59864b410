"""Empty room between parts."""

from __future__ import annotations

from forms.component import Component
from forms.scope import Scope
from forms.widget import Widget


class Spacer(Widget):
    """Empty room; the height comes in steps, so that no page needs inline styles."""

    type = "spacer"
    holds = "nothing"
    properties = frozenset({"height"})
    validations = frozenset()

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Choose small, medium or large."""
        height = component.raw.get("height")
        pixels = height if isinstance(height, int | float) else 0
        return {"size": "s" if pixels < 32 else "m" if pixels < 80 else "l"}


WIDGET = Spacer()
