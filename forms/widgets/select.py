"""One of several options, as a list that opens."""

from __future__ import annotations

from collections.abc import Iterator

from forms.choices import choices_of, token_of
from forms.component import Component
from forms.scope import Scope
from forms.widget import INPUT, OPTIONS, Widget, refuse


class Select(Widget):
    """One of several options."""

    type = "select"
    properties = INPUT | OPTIONS | {"searchable"}
    required_message = "required_choice"

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give the option's own value; what is not an option is refused."""
        if raw is None or raw == "":
            return None
        for choice in choices_of(component, scope):
            if choice.value == raw or choice.token == token_of(raw):
                return choice.value
        raise refuse(scope, "choice")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """List the options with the chosen one marked."""
        chosen = None if value is None else token_of(value)
        return {"options": [(choice.token, choice.label, choice.token == chosen) for choice in choices_of(component, scope)]}

    def words(self, component: Component, value: object, scope: Scope) -> str:
        """Write the label of the chosen option."""
        labels = {choice.token: choice.label for choice in choices_of(component, scope)}
        return scope.say("blank") if value in (None, "") else labels.get(token_of(value), str(value))

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield the options in order."""
        for choice in choices_of(component, scope):
            yield choice.value


WIDGET = Select()
