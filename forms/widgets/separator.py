"""A line between parts."""

from __future__ import annotations

from forms.widget import Widget


class Separator(Widget):
    """A thin line."""

    type = "separator"
    holds = "nothing"
    properties = frozenset()
    validations = frozenset()


WIDGET = Separator()
