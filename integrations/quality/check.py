"""Holds one record against the rules, without a database: usable on what comes in, on a mapping's dry run, on a legacy batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from engine.errors import ExpressionFailed
from engine.execution import feel
from integrations import units
from integrations.dictionary.book import Field
from integrations.patients.identity import IdCard, read_id_card, tidy_phone
from integrations.quality.rules import Rule
from integrations.redact import PERSONAL, mask

PHONE = re.compile(r"1[3-9]\d{9}|0\d{9,11}|400\d{7}")


@dataclass(frozen=True, slots=True)
class Known:
    """What rules need to know beside the record: the dictionary, the code tables' values, the day, what came before."""

    fields: Mapping[str, Field]
    codes: Mapping[str, frozenset[str]]
    today: date
    seen: Callable[[Rule, str], bool] = lambda rule, value: False


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that breaks a rule: where, and what is wrong in words, the value masked where it is personal."""

    rule: Rule
    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Spot:
    """A value at a place of the record, with the object that it stands in."""

    place: str
    value: Any
    beside: Mapping[str, Any]


def findings(record: Mapping[str, Any], rules: Sequence[Rule], known: Known, *, source: str = "", about: str = "") -> list[Finding]:
    """Everything in a record that breaks a rule of its source and kind of message, in the rules' order."""
    found = []
    for rule in rules:
        if not rule.active or (rule.source and rule.source != source) or not about.startswith(rule.about):
            continue
        for spot in _spots(record, rule.field.split(".")):
            if (spot.value in (None, "", [])) != (rule.kind == "missing"):
                continue
            if (detail := _CHECKS[rule.kind](rule, spot, known)) is not None:
                found.append(Finding(rule, spot.place, detail))
    return found


def _spots(record: Mapping[str, Any], path: Sequence[str], place: str = "") -> Iterator[_Spot]:
    name, *rest = path
    where = f"{place}.{name}" if place else name
    value = record.get(name)
    if not rest:
        yield _Spot(where, value, record)
    elif isinstance(value, Mapping):
        yield from _spots(value, rest, where)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _spots(item, rest, f"{where}[{index + 1}]")


def _shown(spot: _Spot, known: Known) -> str:
    name = re.split(r"[.\]]", spot.place)[-1] or spot.place
    field = known.fields.get(name)
    text = str(spot.value)
    return mask(text[:40]) if name in PERSONAL or (field is not None and field.personal) else text[:40]


def _missing(rule: Rule, spot: _Spot, known: Known) -> str | None:
    return ""


def _range(rule: Rule, spot: _Spot, known: Known) -> str | None:
    try:
        number = float(spot.value)
    except (TypeError, ValueError):
        return None  # that it is no number is for the rule of its format
    low, high = rule.parameters.get("low"), rule.parameters.get("high")
    fits = (low is None or number >= low) and (high is None or number <= high)
    return None if fits else f"{_shown(spot, known)} ({'' if low is None else low}–{'' if high is None else high})"


def _format(rule: Rule, spot: _Spot, known: Known) -> str | None:
    text = str(spot.value).strip()
    kind = rule.parameters["as"]
    if kind == "id_card":
        card = read_id_card(text, known.today)
        return f"{_shown(spot, known)}: {card}" if isinstance(card, str) else None
    return None if _FORMATS[kind](text) else _shown(spot, known)


def _code(rule: Rule, spot: _Spot, known: Known) -> str | None:
    table = rule.parameters.get("table")
    name = rule.field.split(".")[-1]
    choices = known.codes.get(table, frozenset()) if table else frozenset(known.fields[name].choices if name in known.fields else ())
    return None if not choices or str(spot.value) in choices else _shown(spot, known)


def _unit(rule: Rule, spot: _Spot, known: Known) -> str | None:
    """The unit must be one, and lead to the clinic's unit of the analyte beside it (`code`), or to the dictionary's."""
    unit, code = str(spot.value), str(spot.beside.get("code") or "")
    if not units.known(unit):
        return f"{unit[:40]!r} is no UCUM unit"
    name = rule.field.split(".")[-1]
    goal = units.CLINIC_UNIT.get(code) or (known.fields[name].unit if name in known.fields else "")
    try:
        if goal:
            units.normalise(1.0, unit, goal, code or None)
    except units.NotConvertible as error:
        return error.message
    return None


def _duplicate(rule: Rule, spot: _Spot, known: Known) -> str | None:
    return _shown(spot, known) if known.seen(rule, str(spot.value).strip()) else None


def _identity(rule: Rule, spot: _Spot, known: Known) -> str | None:
    """The ID card's birth date and sex against those beside it."""
    card = read_id_card(str(spot.value), known.today)
    if not isinstance(card, IdCard):
        return None  # for the rule of its format
    born, sex = str(spot.beside.get("birthDate") or ""), spot.beside.get("sex")
    wrong = [name for name, differs in (("birthDate", born and born[:10] != card.birth_date.isoformat()),
                                        ("sex", sex in ("male", "female") and sex != card.sex)) if differs]  # fmt: skip
    return ", ".join(wrong) or None


def _order(rule: Rule, spot: _Spot, known: Known) -> str | None:
    other = rule.parameters["after"]
    later, earlier = _moment(spot.value), _moment(spot.beside.get(other))
    if later is None or earlier is None or later >= earlier:
        return None
    return f"{later:%Y-%m-%d %H:%M} < {other} {earlier:%Y-%m-%d %H:%M}"


def _condition(rule: Rule, spot: _Spot, known: Known) -> str | None:
    try:
        holds = feel.evaluate(rule.parameters["feel"], {**spot.beside, "value": spot.value})
    except ExpressionFailed as error:
        return error.message
    return None if holds is True else _shown(spot, known)


def _moment(value: Any) -> datetime | None:
    """A date or date and time; one without a zone counts as UTC, so that two of one message compare rightly."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text) is not None


def _is_loinc(text: str) -> bool:
    """A LOINC code with its check digit (LOINC Users' Guide, Luhn mod 10)."""
    if not re.fullmatch(r"\d{1,7}-\d", text):
        return False
    digits = [int(digit) for digit in text.replace("-", "")]
    doubled = [digit if index % 2 == 0 else digit * 2 - 9 * (digit > 4) for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "phone": lambda text: PHONE.fullmatch(tidy_phone(text)) is not None, "date": _is_date,
    "datetime": lambda text: _moment(text) is not None, "number": _is_number, "unit": units.known, "loinc": _is_loinc,
}  # fmt: skip
_CHECKS: Mapping[str, Callable[[Rule, _Spot, Known], str | None]] = {
    "missing": _missing, "range": _range, "format": _format, "code": _code, "unit": _unit, "duplicate": _duplicate,
    "identity": _identity, "order": _order, "condition": _condition,
}  # fmt: skip
