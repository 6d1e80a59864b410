"""Any of several options, all in sight."""

from __future__ import annotations

from collections.abc import Iterator

from forms.choices import choices_of, token_of
from forms.component import Component
from forms.scope import Scope
from forms.widget import INPUT, OPTIONS, Widget, refuse


class Checklist(Widget):
    """Any number of options."""

    type = "checklist"
    feel = "list"
    many = True
    grouped = True
    properties = INPUT | OPTIONS
    required_message = "required_choices"

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give the chosen options' values in the form's order, each once."""
        chosen = [] if raw is None else raw
        if not isinstance(chosen, list | tuple):
            raise refuse(scope, "required_choices")
        tokens = {token_of(item): item for item in chosen if item is not None and item != ""}
        choices = choices_of(component, scope)
        for token in tokens:
            if token not in {choice.token for choice in choices}:
                raise refuse(scope, "choices", value=token)
        return [choice.value for choice in choices if choice.token in tokens]

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """List the options with the chosen ones marked."""
        chosen = {token_of(item) for item in value} if isinstance(value, list | tuple) else set()
        return {"options": [(choice.token, choice.label, choice.token in chosen) for choice in choices_of(component, scope)]}

    def words(self, component: Component, value: object, scope: Scope) -> str:
        """Write the labels of the chosen options."""
        labels = {choice.token: choice.label for choice in choices_of(component, scope)}
        chosen = value if isinstance(value, list | tuple) else []
        return super().words(component, [labels.get(token_of(item), str(item)) for item in chosen], scope)

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield the first option, then none."""
        yield [choice.value for choice in choices_of(component, scope)[:1]]
        yield []


WIDGET = Checklist()
