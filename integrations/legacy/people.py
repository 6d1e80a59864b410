"""Whose case a row is: a patient who is here, one who gets what our record lacks, a new one, or one that a person must decide about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from engine.errors import BpmnError
from engine.settings import Settings
from integrations.patients import index
from integrations.patients.index import _check_identity, _check_unique, _digests
from integrations.patients.match import compare
from integrations.patients.tables import Patient

FIELDS = ("name", "sex", "birthDate", "idCard", "medicalCard", "phone", "address", "allergies")


@dataclass(slots=True)
class Person:
    """What becomes of a row's patient: new, changed (gets what is missing), existing; or why nothing can."""

    what: str = "new"
    patient_id: str | None = None
    fills: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""


@dataclass
class Coming:
    """Patients that earlier rows of a dry run would have made: found as they would be."""

    by_digest: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    by_number: dict[str, int] = field(default_factory=dict)
    filled: dict[str, dict[str, Any]] = field(default_factory=dict)  # our patient: what the dry run would have added

    def find(self, settings: Settings, given: Mapping[str, Any]) -> list[tuple[str, int]]:
        """(grade, place) of those that may be the one."""
        places = {place for digest in _digests(settings, given) for place in self.by_digest.get(digest, ())}
        graded = [(compare(given, self.bodies[place]).grade, place) for place in sorted(places)]
        return [(grade, place) for grade, place in graded if grade != "certainly-not"]

    def add(self, settings: Settings, given: dict[str, Any], number: str) -> None:
        """Notes a patient that would be new."""
        place = len(self.bodies)
        self.bodies.append(given)
        for digest in _digests(settings, given):
            self.by_digest.setdefault(digest, []).append(place)
        if number:
            self.by_number[number] = place


def decide(session: Session, settings: Settings, source: str, record: Mapping[str, Any], coming: Coming | None = None) -> Person:
    """Who a row is about. The old system's own number of a patient decides; else what the patient index says, if it is certain."""
    given = {name: record[name] for name in FIELDS if record.get(name)}
    number = str(record.get("legacyPatient") or "")
    if not given.get("name"):
        return Person(wrong="The patient has no name.")
    if not number and not given.get("idCard") and not given.get("medicalCard"):
        return Person(wrong="Nothing tells the patient from others of that name: no number of the old system, no ID card, no medical card.")
    ours = index.by_identifier(session, settings, source, number) if number else None
    if ours is None and coming is not None and number in coming.by_number:
        return _fill(Person("existing"), coming.bodies[coming.by_number[number]], given, settings, session, None)
    if ours is None:
        found = [(one.grade, one.patient) for one in index.find(session, settings, given)]
        places = coming.find(settings, given) if coming is not None else []
        certain = [patient for grade, patient in found if grade == "certain"]
        if len(certain) > 1:
            return Person(wrong="Several patients here are certainly this one: merge them first.")
        if not certain and any(grade == "certain" for grade, _ in places):
            place = next(place for grade, place in places if grade == "certain")
            return _fill(Person("existing"), coming.bodies[place], given, settings, session, None)  # type: ignore[union-attr]
        if not certain and (found or places):
            numbers = ", ".join(patient.record_number for _, patient in found[:3]) or "one of an earlier row"
            return Person(wrong=f"It may be the patient {numbers}: a person must decide first.")
        ours = certain[0] if certain else None
    if ours is None:
        return _new(session, settings, given, number, coming)
    ours = index.present(session, ours.id)
    body = {**ours.body, **(coming.filled.get(ours.id, {}) if coming else {})}
    person = _fill(Person("existing", ours.id), body, given, settings, session, ours)
    if coming is not None and person.fills:
        coming.filled.setdefault(ours.id, {}).update(person.fills)
    return person


def _new(session: Session, settings: Settings, given: dict[str, Any], number: str, coming: Coming | None) -> Person:
    if wrong := _invalid(session, settings, given, None):
        return Person(wrong=wrong)
    if coming is not None:
        coming.add(settings, given, number)
    return Person("new", fills=given)


def _fill(person: Person, body: dict[str, Any], given: dict[str, Any], settings: Settings, session: Session, row: Patient | None) -> Person:
    """What our record lacks is added; what it has is never overwritten by an old system."""
    for name in ("sex", "birthDate", "idCard"):
        if body.get(name) and given.get(name) and str(body[name]) != str(given[name]) and "unknown" not in (body[name], given[name]):
            return Person(wrong=f"Our record of this patient has another {name}.")
    person.fills = {name: value for name, value in given.items() if not body.get(name)}
    if person.fills:
        if wrong := _invalid(session, settings, {**body, **person.fills}, row):
            return Person(wrong=wrong)
        person.what = "changed"
        if row is None:
            body.update(person.fills)
    return person


def _invalid(session: Session, settings: Settings, body: dict[str, Any], row: Patient | None) -> str:
    try:
        _check_identity(settings, body)
        _check_unique(session, settings, body, row)
    except BpmnError as error:
        return error.message
    return ""
