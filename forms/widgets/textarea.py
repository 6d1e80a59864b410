"""Several lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from forms.component import Component
from forms.scope import Scope
from forms.texts import check_length, clean_text
from forms.widget import Widget
from forms.widgets.textfield import sample_lines


class TextArea(Widget):
    """Several lines of text."""

    type = "textarea"
    validations = frozenset({"required", "minLength", "maxLength"})

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give the stripped text with plain line breaks."""
        text = clean_text(raw, scope, lines=True)
        if text is not None:
            check_length(text, component, scope)
        return text

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield words of fitting length."""
        yield from sample_lines(component, scope)


WIDGET = TextArea()
