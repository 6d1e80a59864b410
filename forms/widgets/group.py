"""Components that belong together."""

from __future__ import annotations

from forms.component import Component
from forms.scope import Scope
from forms.widget import Widget


class Group(Widget):
    """Components under one heading, their values under one ``path``."""

    type = "group"
    holds = "components"
    properties = frozenset({"label", "path", "showOutline", "verticalAlignment", "components"})
    validations = frozenset()

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Say whether to draw a frame."""
        return {"outline": component.raw.get("showOutline") is True}


WIDGET = Group()
