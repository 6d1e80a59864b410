"""A picture from our own site or inside the form."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forms.component import Component
from forms.scope import Scope, is_expression
from forms.widget import Complain, Widget
from forms.wording import fill, translate

_SAFE = re.compile(r"/(?![/\\])\S*|data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


class Image(Widget):
    """A picture to look at."""

    type = "image"
    holds = "nothing"
    properties = frozenset({"source", "alt"})
    validations = frozenset()

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report pictures of other sites: they would tell that site which patient is open."""
        source = raw.get("source")
        if isinstance(source, str) and not is_expression(source) and not _SAFE.fullmatch(source):
            complain("source", "image-source", "Pictures of other sites are not shown.", "Use a path that begins with /, or a data:image URI.")

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Give the source when it is safe."""
        source = fill(component.text("source"), scope)
        return {"source": source if _SAFE.fullmatch(source) else "", "alt": fill(translate(component, "alt", scope.lang), scope)}


WIDGET = Image()
