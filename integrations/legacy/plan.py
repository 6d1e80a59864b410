"""What would become of one row: its case created, skipped because it is here, or rejected with every reason. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from engine import clock
from engine.errors import CarelaneError
from engine.execution import imported
from engine.execution.imported import Case, Step
from engine.models.tables import Definition
from engine.settings import Settings
from integrations.dictionary import book as dictionary
from integrations.legacy import people, source
from integrations.legacy.people import Coming, Person
from integrations.legacy.tables import LegacyMigration, LegacyRow
from integrations.mappings import apply
from integrations.mappings import book as mappings
from integrations.messages import log
from integrations.quality import inspect, rules
from integrations.quality.check import Known, findings
from integrations.quality.rules import Rule

STATES = ("open", "completed", "cancelled")
OURS = ("legacyCase", "legacyPatient", "legacyState", "legacyElement", "legacyStarted", "legacyEnded", "legacySteps")
Reason = dict[str, str]  # rule, text, severity


@dataclass(frozen=True, slots=True)
class Ground:
    """What every row is held against, read once."""

    migration: LegacyMigration
    definition: Definition
    settings: Settings
    body: Mapping[str, Any]
    tables: Mapping[str, Any]
    fields: Mapping[str, dictionary.Field]
    rules: list[Rule]
    known: Known


@dataclass(slots=True)
class Plan:
    """What would be done."""

    action: str  # create, skip, reject
    case: Case | None = None
    element: str | None = None
    person: Person = field(default_factory=Person)
    stratum: str = ""
    case_key: str = ""
    digest: str = ""
    reasons: list[Reason] = field(default_factory=list)


def ground(session: Session, settings: Settings, migration: LegacyMigration) -> Ground:
    """The mapping with its tables, the dictionary, the rules, the process."""
    version = mappings.version(session, migration.mapping_key, migration.mapping_version)
    definition = session.get_one(Definition, migration.definition_id)
    known = inspect.known(session, settings, migration.source, clock.now())
    plain = Known(known.fields, known.codes, known.today)  # what came before is for the migration itself to know
    return Ground(
        migration, definition, settings, version.body, mappings.tables(session, version.pinned), known.fields, rules.rules(session), plain
    )  # fmt: skip


def mapped(held: Ground, row: LegacyRow) -> tuple[Any, list[Reason]]:
    """The row by the mapping and the dictionary, and what breaks a rule of either or of quality."""
    if row.reasons and any(one["rule"] == "unreadable" for one in row.reasons):
        return None, [one for one in row.reasons if one["rule"] == "unreadable"]
    found = apply.run(held.body, dict(row.raw), held.tables, held.fields, held.migration.mapping_version)
    reasons = [_reason(one.rule, one.message, one.severity) for one in found.problems]
    if not isinstance(found.value, Mapping):
        return None, reasons or [_reason("not_object", "The mapping gives no record.")]
    about = findings(found.value, held.rules, held.known, source=held.migration.source, about="legacy")
    reasons += [_reason(one.rule.kind, f"{one.place}: {one.detail or one.rule.kind}", one.rule.severity) for one in about]
    return dict(found.value), reasons


def plan(session: Session, held: Ground, row: LegacyRow, coming: Coming | None = None) -> Plan:
    """What would become of a row that was mapped. With `coming`, the patients of earlier rows are taken as made."""
    record = row.record if isinstance(row.record, Mapping) else None
    if record is None:
        return Plan("reject", reasons=list(row.reasons or []))
    made = _case(held, record)
    made.reasons = [one for one in row.reasons or [] if one["rule"] != "plan"] + made.reasons
    made.digest = log.digest(repr(sorted((name, str(value)) for name, value in record.items())))
    here = source.known(session, held.migration.source, made.case_key) if made.case_key else None
    if here is not None:
        if here.digest == made.digest:
            made.action = "skip"
            return made
        made.reasons.append(_reason("plan", "This case is here already, with other content: take back its batch first, or leave it."))
    if not any(one["severity"] == "error" for one in made.reasons):
        try:
            texts = imported.problems(session, held.definition, made.case, made.element) if made.case else []
        except CarelaneError as error:
            texts = [error.message]
        made.reasons += [_reason("plan", text) for text in texts]
    if not any(one["severity"] == "error" for one in made.reasons):
        made.person = people.decide(session, held.settings, held.migration.source, record, coming)
        if made.person.wrong:
            made.reasons.append(_reason("patient", made.person.wrong))
    made.action = "reject" if any(one["severity"] == "error" for one in made.reasons) else "create"
    return made


def _case(held: Ground, record: Mapping[str, Any]) -> Plan:
    made = Plan("create", stratum=str(record.get("legacyState") or ""), case_key=str(record.get("legacyCase") or "")[:120])
    if not made.case_key:
        made.reasons.append(_reason("plan", "legacyCase: the case has no number of the old system."))
    if made.stratum not in STATES:
        made.reasons.append(_reason("plan", f"legacyState: {made.stratum or 'nothing'} is none of {', '.join(STATES)}."))
    started, end = _moment(held, record.get("legacyStarted")), _moment(held, record.get("legacyEnded"))
    if started is None:
        made.reasons.append(_reason("plan", "legacyStarted: it is not known when the case began."))
    over = made.stratum in ("completed", "cancelled")
    if over and end is None:
        made.reasons.append(_reason("plan", "legacyEnded: an ended case needs the time of its end."))
    made.element = None if over else str(record.get("legacyElement") or "") or None
    if made.stratum == "open" and made.element is None:
        made.reasons.append(_reason("plan", "legacyElement: it is not known where the open case stands."))
    steps = _steps(held, record.get("legacySteps"), made.reasons)
    if started is None or any(one["severity"] == "error" for one in made.reasons):
        return made
    migration = held.migration
    variables = {name: value for name, value in record.items() if name not in (*OURS, *people.FIELDS) and value is not None}
    variables |= {"patientName": record.get("name"), "department": migration.department, "visitNumber": made.case_key}
    made.case = Case(
        source=migration.source, variables=variables, started=started, steps=steps, ended=end if over else None,
        outcome="cancelled" if made.stratum == "cancelled" else "completed", business_key=made.case_key[:100], department=migration.department,
        arm=migration.arm, note={"case": made.case_key, "migration": migration.id},
    )  # fmt: skip
    return made


def _steps(held: Ground, given: Any, reasons: list[Reason]) -> list[Step]:
    made = []
    for number, one in enumerate(given if isinstance(given, list) else [given] if given else [], start=1):
        about = one if isinstance(one, Mapping) else {}
        entered, left = _moment(held, about.get("entered")), _moment(held, about.get("completed"))
        if not about.get("element") or entered is None or left is None:
            reasons.append(_reason("plan", f"legacySteps[{number}]: a step needs element, entered and completed."))
            continue
        by = str(about["by"]) if about.get("by") else None
        made.append(Step(str(about["element"]), entered, left, _moment(held, about.get("claimed")), by))
    return sorted(made, key=lambda step: (step.entered, step.completed))


def _moment(held: Ground, value: Any) -> datetime | None:
    """An old system's time; without a zone it is the clinic's."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(held.settings.clinic_zone))).astimezone(UTC)


def _reason(rule: str, text: str, severity: str = "error") -> Reason:
    return {"rule": rule, "text": text, "severity": severity}
