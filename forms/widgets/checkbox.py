"""One tick: yes or no; required means it must be ticked."""

from __future__ import annotations

from collections.abc import Iterator

from forms.component import Component
from forms.scope import Scope
from forms.widget import Widget, refuse

_WORDS = {"true": True, "on": True, "1": True, "yes": True, "false": False, "off": False, "0": False, "no": False, "": False}


class Checkbox(Widget):
    """A single tick."""

    type = "checkbox"
    feel = "boolean"
    required_message = "required_tick"

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give True or False; nothing given is False."""
        if raw is None or isinstance(raw, bool):
            return bool(raw)
        if isinstance(raw, str) and raw.strip().lower() in _WORDS:
            return _WORDS[raw.strip().lower()]
        raise refuse(scope, "boolean")

    def read(self, strings: list[str]) -> object:
        """Read the tick; browsers send ``on`` or the value in the page."""
        return strings[-1]

    def unsent(self) -> object:
        """An unticked box is not sent."""
        return False

    def is_missing(self, value: object) -> bool:
        """A required box must be ticked."""
        return value is not True

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Say whether it is ticked."""
        return {"checked": value is True or (isinstance(value, str) and _WORDS.get(value.strip().lower(), False))}

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield a tick."""
        yield True


WIDGET = Checkbox()
