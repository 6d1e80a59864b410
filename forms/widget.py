"""What a widget is: one kind of component, in one ``widgets/<name>.py`` and one ``widgets/<name>.html``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import ClassVar, Final, Literal

from marshmallow import ValidationError

from forms.component import Component
from forms.scope import Scope

Holds = Literal["value", "rows", "components", "nothing"]
Complain = Callable[[str, str, str, str], None]
"""Reports (path below the component, rule, message, fix)."""

COMMON: Final = frozenset({"type", "id", "layout", "conditional", "properties"})
INPUT: Final = frozenset({"key", "label", "description", "readonly", "disabled", "validate", "defaultValue"})
OPTIONS: Final = frozenset({"values", "valuesKey", "valuesExpression"})


class Widget:
    """One kind of component. Subclasses set the class variables and override what differs."""

    type: ClassVar[str]
    holds: ClassVar[Holds] = "value"
    feel: ClassVar[str] = "string"
    """The FEEL type of its value, for variable pickers."""
    many: ClassVar[bool] = False
    """Whether its value is a list that HTML carries as repeated names."""
    grouped: ClassVar[bool] = False
    """Whether it is several controls under one legend instead of one control under one label."""
    properties: ClassVar[frozenset[str]] = INPUT
    validations: ClassVar[frozenset[str]] = frozenset({"required"})
    adorned: ClassVar[bool] = False
    """Whether ``appearance`` may put words before and after the control."""
    required_message: ClassVar[str] = "required"

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report what is wrong with this component beyond what all components share."""

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Turn a submitted value into the typed one; None for nothing given. Raises ValidationError with the words."""
        return raw

    def read(self, strings: list[str]) -> object:
        """Turn what an HTML form sent under this name into a submitted value."""
        return strings if self.many else strings[-1]

    def unsent(self) -> object:
        """Give the value that an HTML form means by sending nothing; None means it says nothing."""
        return [] if self.many else None

    def is_missing(self, value: object) -> bool:
        """Whether a typed value leaves a required field unfilled."""
        return value is None or value in ("", [])

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Give the extra variables of the HTML template; ``value`` is typed or as last submitted."""
        return {"value": "" if value is None else str(value)}

    def words(self, component: Component, value: object, scope: Scope) -> str:
        """Write the value for reading, where it cannot be edited."""
        from forms.wording import describe_value

        return describe_value(value, scope.lang)

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield values to try as the example, likeliest first."""
        yield from ()


def refuse(scope: Scope, key: str, **values: object) -> ValidationError:
    """Make the error for a value, in the person's language."""
    return ValidationError(scope.say(key, **values))


@cache
def widgets() -> Mapping[str, Widget]:
    """Give every widget by component type; a file dropped into ``forms/widgets`` is found by itself."""
    package = importlib.import_module("forms.widgets")
    found: dict[str, Widget] = {}
    for module in pkgutil.iter_modules(package.__path__):
        widget = importlib.import_module(f"forms.widgets.{module.name}").WIDGET
        found[widget.type] = widget
    return found
