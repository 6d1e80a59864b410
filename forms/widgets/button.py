"""The button that sends or clears the form."""

from __future__ import annotations

from collections.abc import Mapping

from forms.component import Component
from forms.scope import Scope
from forms.widget import Complain, Widget
from forms.wording import translate


class Button(Widget):
    """Submit or reset."""

    type = "button"
    holds = "nothing"
    properties = frozenset({"label", "action"})
    validations = frozenset()

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report an action that is not known."""
        if raw.get("action", "submit") not in {"submit", "reset"}:
            complain("action", "property-type", f"{raw['action']!r} is no action.", "Use submit or reset.")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Give the words on the button."""
        action = component.text("action") or "submit"
        return {"action": action, "words": translate(component, "label", scope.lang) or scope.say(action)}


WIDGET = Button()
