"""Any of many options, as small tags."""

from __future__ import annotations

from forms.widgets.checklist import Checklist


class Taglist(Checklist):
    """Any number of options, packed tightly."""

    type = "taglist"


WIDGET = Taglist()
