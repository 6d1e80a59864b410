"""Reading and writing numbers as people type them, exactly (no binary fractions)."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Final

from forms.component import Component
from forms.scope import Scope
from forms.widget import refuse

_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
_COMMAS: Final = re.compile(r"[\d][,、。،][\d]")


def read_number(raw: object, scope: Scope) -> Decimal | None:
    """Give the number in a submitted value; full-width digits count, commas are refused with the right way to write."""
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal | str):
        raise refuse(scope, "number")
    if not isinstance(raw, str):
        return _exact(raw, scope)
    text = unicodedata.normalize("NFKC", raw).strip().replace("−", "-")
    if not text:
        return None
    if _COMMAS.search(text):
        raise refuse(scope, "comma")
    if not _NUMBER.fullmatch(text):
        raise refuse(scope, "number")
    return Decimal(text)


def _exact(raw: float | Decimal, scope: Scope) -> Decimal:
    number = Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw)
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise refuse(scope, "number")
    return number


def as_decimal(value: object) -> Decimal | None:
    """Read a limit of the form (number or numeric text) exactly; None when it is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    text = repr(value) if isinstance(value, float) else str(value).strip()
    return Decimal(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII) else None


def plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros after the point."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def digits_after_point(number: Decimal) -> int:
    """Count the digits after the point that carry value: 1.50 has one."""
    text = plain(number)
    return len(text.partition(".")[2])


def limit_of(component: Component, name: str, scope: Scope) -> Decimal | None:
    """Give ``validate.min`` or ``max`` in the value's own unit; both may be FEEL."""
    return as_decimal(scope.value_of(component.rules.get(name)))


def step_of(component: Component) -> Decimal | None:
    """Give the increment, or None for any."""
    step = as_decimal(component.raw.get("increment"))
    return step if step is not None and step > 0 else None


def is_yuan(component: Component) -> bool:
    """Whether the value is whole fen that people type and read as yuan."""
    return component.properties.get("unit") == "fen" and component.properties.get("display") == "yuan"


def write_number(component: Component, value: object) -> str:
    """Write a number as people read it; what they mistyped is shown as they typed it."""
    if value is None or isinstance(value, str):
        return value or ""
    number = as_decimal(value)
    if number is None:
        return str(value)
    return f"{number / 100:.2f}" if is_yuan(component) else plain(number)
