"""The rules: what each demands of a field, the shipped ones, and those that the clinic declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import InvalidForm, NotFound
from engine.execution import feel
from integrations.quality.tables import QualityRule

KINDS = ("missing", "range", "format", "code", "unit", "duplicate", "identity", "order", "condition")
FORMATS = ("phone", "id_card", "date", "datetime", "number", "unit", "loinc")
SEVERITIES = ("error", "warning")
_NEEDS: Mapping[str, tuple[str, ...]] = {  # parameters that a kind cannot do without
    "format": ("as",), "duplicate": ("days",), "order": ("after",), "condition": ("feel",),
}  # fmt: skip
_SHIPPED = Path(__file__).with_name("shipped.json")


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand on a field. `field` is a path (`observations.unit`): the rule holds for each item of a list.

    `source` and `about` (the beginning of a message's kind: ORU) narrow it; empty means all. Parameters by kind: range {low, high};
    format {as}; code {table}, else the dictionary's own codes; duplicate {days}; order {after: another field}; condition {feel}.
    """

    id: str
    field: str
    kind: str
    severity: str = "error"
    source: str = ""
    about: str = ""
    active: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    def body(self) -> dict[str, Any]:
        """What is stored of it."""
        return {name: value for name, value in asdict(self).items() if name != "id"}


def rules(session: Session) -> list[Rule]:
    """All rules by field: the shipped ones, the clinic's changes to them, and its own."""
    own = {row.id: Rule(id=row.id, **row.body) for row in session.scalars(select(QualityRule))}
    return sorted({**_shipped(), **own}.values(), key=lambda rule: (rule.field.lower(), rule.kind, rule.id))


def rule(session: Session, rule_id: str) -> Rule:
    """One rule; NotFound."""
    found = next((one for one in rules(session) if one.id == rule_id), None)
    if found is None:
        raise NotFound("There is no such rule.")
    return found


def save(session: Session, given: Rule, *, by: str) -> Rule:
    """Adds or changes a rule; InvalidForm names what is wrong. What it found before stays."""
    if wrong := problems(given):
        raise InvalidForm(wrong)
    row = session.get(QualityRule, given.id) if given.id else None
    if row is None:
        row = QualityRule(id=given.id or None, body={}, changed=clock.now(), changed_by=by)
        session.add(row)
    row.body, row.changed, row.changed_by = given.body(), clock.now(), by
    session.flush()
    return Rule(id=row.id, **row.body)


def problems(given: Rule) -> dict[str, list[str]]:
    """What is wrong with a rule, by its parts."""
    wrong: dict[str, list[str]] = {}
    if not given.field.strip(".") or any(not part.isidentifier() for part in given.field.split(".")):
        wrong["field"] = ["Name a field, or a field in a list as observations.unit."]
    if given.kind not in KINDS:
        wrong["kind"] = [f"{given.kind!r} is none of {', '.join(KINDS)}."]
    if given.severity not in SEVERITIES:
        wrong["severity"] = [f"{given.severity!r} is none of {', '.join(SEVERITIES)}."]
    missing = [name for name in _NEEDS.get(given.kind, ()) if given.parameters.get(name) in (None, "")]
    if missing:
        wrong["parameters"] = [f"A rule of this kind needs {', '.join(missing)}."]
    else:
        wrong |= _wrong_parameters(given)
    return wrong


def _wrong_parameters(given: Rule) -> dict[str, list[str]]:
    parameters = given.parameters
    if given.kind == "range" and not any(isinstance(parameters.get(name), int | float) for name in ("low", "high")):
        return {"parameters": ["A range needs a lowest or a highest number."]}
    if given.kind == "format" and parameters["as"] not in FORMATS:
        return {"parameters": [f"{parameters['as']!r} is none of {', '.join(FORMATS)}."]}
    if given.kind == "duplicate" and not (isinstance(parameters["days"], int) and 1 <= parameters["days"] <= 366):
        return {"parameters": ["Days are a whole number from 1 to 366."]}
    if given.kind == "condition" and (wrong := feel.check_syntax(str(parameters["feel"]))):
        return {"parameters": wrong}
    return {}


def _shipped() -> dict[str, Rule]:
    return {row["id"]: Rule(**row) for row in orjson.loads(_SHIPPED.read_bytes())}
