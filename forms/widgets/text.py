"""Words between the fields: Markdown with FEEL filled in."""

from __future__ import annotations

from collections.abc import Mapping

from forms.component import Component
from forms.scope import Scope
from forms.widget import Complain, Widget
from forms.wording import markdown, translate


class Text(Widget):
    """Markdown to read."""

    type = "text"
    holds = "nothing"
    properties = frozenset({"text"})
    validations = frozenset()

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report form-js template blocks, which we do not fill."""
        words = str(raw.get("text", ""))
        if "{{#" in words:
            complain("text", "template", "Template blocks ({{#if}}, {{#loop}}) are not filled.", "Use conditional.hide, a table, or =FEEL.")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Render the words."""
        return {"html": markdown(translate(component, "text", scope.lang), scope)}


WIDGET = Text()
