"""A number, exact; or money that is typed in yuan and kept in fen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from forms.component import Component
from forms.numbers import as_decimal, digits_after_point, is_yuan, limit_of, plain, read_number, step_of, write_number
from forms.scope import Scope
from forms.widget import INPUT, Complain, Widget, refuse


class Number(Widget):
    """A whole or decimal number."""

    type = "number"
    feel = "number"
    properties = INPUT | {"appearance", "decimalDigits", "increment", "serializeToString"}
    validations = frozenset({"required", "min", "max"})
    adorned = True

    def inspect(self, raw: Mapping[str, object], complain: Complain) -> None:
        """Report digits, steps and money units that mean nothing."""
        digits = raw.get("decimalDigits")
        if digits is not None and (isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 20):
            complain("decimalDigits", "property-type", "decimalDigits must be a whole number from 0 to 20.", "Correct it.")
        step = as_decimal(raw.get("increment", 1))
        if step is None or step <= 0:
            complain("increment", "property-type", "increment must be a number above 0.", "Correct or remove it.")
        properties = raw.get("properties")
        if isinstance(properties, Mapping) and ("unit" in properties or "display" in properties):
            self._inspect_money(raw, properties, complain)

    def _inspect_money(self, raw: Mapping[str, object], properties: Mapping[str, object], complain: Complain) -> None:
        if properties.get("unit") != "fen" or properties.get("display") not in {None, "yuan"}:
            complain("properties.unit", "unit", "Only unit=fen with display=yuan is known.", "Use both, or neither.")
        elif raw.get("serializeToString"):
            complain("serializeToString", "unit", "Money is a whole number of fen, never text.", "Remove serializeToString.")
        elif raw.get("decimalDigits"):
            complain("decimalDigits", "unit", "Fen are whole numbers.", "Remove decimalDigits; yuan always take two digits.")

    def parse(self, component: Component, raw: object, scope: Scope) -> object:
        """Give an int where the number is whole by nature (or by what was typed), a Decimal otherwise, fen for money."""
        number = read_number(raw, scope)
        if number is None:
            return None
        if is_yuan(component):
            # Typed text is yuan; a number (from JSON) is already the variable's own unit.
            number = self._digits(number, 2, scope) * 100 if isinstance(raw, str) else self._digits(number, 0, scope)
        elif component.properties.get("unit") == "fen":
            number = self._digits(number, 0, scope)
        digits = component.raw.get("decimalDigits")
        if isinstance(digits, int):
            self._digits(number, digits, scope)
        self._bounds(component, number, scope)
        return self._typed(component, number, digits)

    def _typed(self, component: Component, number: Decimal, digits: object) -> object:
        if component.raw.get("serializeToString") is True:
            return plain(number)
        whole = number == number.to_integral_value()
        return int(number) if whole and (not digits or is_yuan(component)) else number

    def _digits(self, number: Decimal, digits: int, scope: Scope) -> Decimal:
        if digits_after_point(number) > digits:
            raise refuse(scope, "decimals", limit=digits) if digits else refuse(scope, "integer")
        return number

    def _bounds(self, component: Component, number: Decimal, scope: Scope) -> None:
        low, high, step = limit_of(component, "min", scope), limit_of(component, "max", scope), step_of(component)
        if low is not None and number < low:
            raise refuse(scope, "minimum", limit=write_number(component, low))
        if high is not None and number > high:
            raise refuse(scope, "maximum", limit=write_number(component, high))
        if step is not None and number % step:
            below, above = ((number / step).to_integral_value(way) * step for way in (ROUND_FLOOR, ROUND_CEILING))
            shown = {"step": step, "below": below, "above": above}
            raise refuse(scope, "increment", **{name: write_number(component, value) for name, value in shown.items()})

    def show(self, component: Component, value: object, scope: Scope) -> dict[str, object]:
        """Choose the keyboard: signs need the full one."""
        low = as_decimal(component.rules.get("min"))
        whole = component.raw.get("decimalDigits") == 0 or (component.properties.get("unit") == "fen" and not is_yuan(component))
        mode = "text" if low is None or low < 0 else "numeric" if whole else "decimal"
        return {"value": write_number(component, value), "inputmode": mode}

    def words(self, component: Component, value: object, scope: Scope) -> str:
        """Write the number as it would be typed."""
        return write_number(component, value) or scope.say("blank")

    def examples(self, component: Component, scope: Scope) -> Iterator[object]:
        """Yield numbers inside the bounds and on the step, the middle first."""
        low, high = limit_of(component, "min", scope), limit_of(component, "max", scope)
        step = step_of(component) or Decimal(1)
        middle = (low + high) / 2 if low is not None and high is not None else low if low is not None else high
        for near in (middle, low, high, Decimal(0)):
            if near is not None:
                for way in (ROUND_FLOOR, ROUND_CEILING):
                    value = (near / step).to_integral_value(way) * step
                    yield int(value) if value == value.to_integral_value() else value
        for exact in (low, high):
            if exact is not None:
                yield int(exact) if exact == exact.to_integral_value() else exact


WIDGET = Number()
