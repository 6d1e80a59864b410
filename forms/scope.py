"""What an expression or a message in a form may see: variables, language, zone, time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from forms.messages import say
from forms.paths import merge
from forms.problem import ExpressionNeeded

Evaluate = Callable[[str, Mapping[str, object]], object]
"""Evaluates a FEEL expression (without its leading ``=``) over variables."""

CLINIC_ZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class Scope:
    """Everything around a value while it is checked or shown."""

    lang: str = "zh"
    variables: Mapping[str, object] = field(default_factory=dict)
    evaluate: Evaluate | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo(CLINIC_ZONE))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def say(self, key: str, **values: object) -> str:
        """Give one of our own messages in this scope's language."""
        return say(key, self.lang, **values)

    def value_of(self, written: object) -> object:
        """Resolve a property: text that begins with ``=`` is FEEL, everything else is itself."""
        if not is_expression(written):
            return written
        expression = str(written)[1:].strip()
        if self.evaluate is None:
            raise ExpressionNeeded(expression)
        return self.evaluate(expression, self.variables)

    def over(self, data: Mapping[str, object]) -> Scope:
        """Give this scope with values laid over its variables."""
        return replace(self, variables=merge(self.variables, data))

    def within(self, row: Mapping[str, object], index: int) -> Scope:
        """Give the scope of one row: its values by name, the row as ``this``, the rest as ``parent``, ``i`` from 1."""
        inner = {**self.variables, **row, "this": row, "parent": self.variables, "i": index + 1}
        return replace(self, variables=inner)


def is_expression(written: object) -> bool:
    """Whether a property is written as FEEL."""
    return isinstance(written, str) and written.startswith("=")


def make_scope(
    lang: str,
    variables: Mapping[str, object] | None,
    evaluate: Evaluate | None,
    zone: str | None = None,
    now: datetime | None = None,
) -> Scope:
    """Make the scope of a whole form; the clinic's zone and the present are the defaults."""
    return Scope(lang, variables or {}, evaluate, ZoneInfo(zone or CLINIC_ZONE), now or datetime.now(UTC))
