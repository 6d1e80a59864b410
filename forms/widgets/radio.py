"""One of several options, all in sight."""

from __future__ import annotations

from forms.widget import INPUT, OPTIONS
from forms.widgets.select import Select


class Radio(Select):
    """One of several options, shown together."""

    type = "radio"
    grouped = True
    properties = INPUT | OPTIONS


WIDGET = Radio()
