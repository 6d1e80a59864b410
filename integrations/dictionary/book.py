"""The dictionary: shipped fields, what the clinic made of them, and its history."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, InvalidForm, NotFound
from integrations import units
from integrations.dictionary.tables import DictionaryField, DictionaryRevision

TYPES = ("text", "integer", "number", "boolean", "date", "datetime", "code", "quantity", "money", "phone", "id_card", "list", "object")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
COLUMNS = ("key", "name_en", "name_zh", "meaning_en", "meaning_zh", "type", "unit", "codes", "owner", "personal", "retired")
_SHIPPED = Path(__file__).with_name("shipped.csv")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the dictionary. `unit` is UCUM; `codes` a code system, a code table of ours, or "a | b | c"."""

    key: str
    name_en: str
    name_zh: str
    meaning_en: str = ""
    meaning_zh: str = ""
    type: str = "text"
    unit: str = ""
    codes: str = ""
    owner: str = ""
    personal: bool = False
    retired: bool = False
    revision: int = 0  # 0: as shipped

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that `codes` lists; empty when it names a system or a table."""
        return tuple(part.strip() for part in self.codes.split("|")) if "|" in self.codes else ()

    def body(self) -> dict[str, Any]:
        """What is stored of it."""
        return {name: value for name, value in asdict(self).items() if name not in ("key", "revision")}


def fields(session: Session) -> dict[str, Field]:
    """All fields by key, in order; retired ones too."""
    own = {row.key: _field(row.key, row.body, row.revision) for row in session.scalars(select(DictionaryField))}
    return dict(sorted({**shipped(), **own}.items(), key=lambda pair: pair[0].lower()))


def field(session: Session, key: str) -> Field:
    """One field; NotFound."""
    row = session.get(DictionaryField, key)
    found = _field(row.key, row.body, row.revision) if row else shipped().get(key)
    if found is None:
        raise NotFound(f"The dictionary has no field {key}.")
    return found


def save(session: Session, given: Field, *, by: str, comment: str, expected: int | None = None) -> Field:
    """Adds or changes a field and keeps what it was. The same content again changes nothing.

    Raises InvalidForm naming each wrong part, Conflict when it is no longer at revision `expected`.
    """
    if wrong := problems(given):
        raise InvalidForm(wrong)
    row = session.get(DictionaryField, given.key)
    now = row.revision if row else 0
    if expected is not None and expected != now:
        raise Conflict("Somebody changed this field meanwhile. Look at it again.")
    before = row.body if row else shipped()[given.key].body() if given.key in shipped() else None
    if before == given.body():
        return replace(given, revision=now)
    if row is None:
        row = DictionaryField(key=given.key, body={}, revision=0)
        session.add(row)
    row.body, row.revision = given.body(), now + 1
    made = DictionaryRevision(key=given.key, number=now + 1, body=given.body(), comment=comment, by=by, at=clock.now())
    session.add(made)
    session.flush()
    return replace(given, revision=now + 1)


def history(session: Session, key: str) -> list[tuple[DictionaryRevision, dict[str, tuple[Any, Any]]]]:
    """The field's revisions, newest first, each with what it changed: {part: (before, after)}."""
    rows = list(session.scalars(select(DictionaryRevision).where(DictionaryRevision.key == key).order_by(DictionaryRevision.number)))
    before: Mapping[str, Any] = shipped()[key].body() if key in shipped() else {}
    found = []
    for row in rows:
        old, new = before, row.body
        found.append((row, {name: (old.get(name), value) for name, value in new.items() if old.get(name, "") != value and (value or old)}))
        before = row.body
    return found[::-1]


def problems(given: Field) -> dict[str, list[str]]:
    """What is wrong with a field, by its parts."""
    wrong: dict[str, list[str]] = {}
    if not KEY.fullmatch(given.key):
        wrong["key"] = ["A key begins with a letter and has letters, digits and _ only."]
    for name in ("name_en", "name_zh"):
        if not getattr(given, name).strip():
            wrong[name] = ["A field needs a name in both languages."]
    if given.type not in TYPES:
        wrong["type"] = [f"{given.type!r} is none of {', '.join(TYPES)}."]
    if given.unit and not units.known(given.unit):
        wrong["unit"] = [f"{given.unit!r} is no UCUM unit."]
    elif given.type == "quantity" and not given.unit:
        wrong["unit"] = ["A quantity needs its unit."]
    if given.type == "code" and not given.codes.strip():
        wrong["codes"] = ["Say which codes: a code system, a code table, or the values as a | b | c."]
    return wrong


@cache
def shipped() -> Mapping[str, Field]:
    """The fields that Carelane's own processes use."""
    with _SHIPPED.open(encoding="utf-8", newline="") as file:
        return {row["key"]: from_row(row) for row in csv.DictReader(file)}


def from_row(row: Mapping[str, Any]) -> Field:
    """A field from a line of CSV or a form; what it lacks is empty."""
    given = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    flags = {name: given.pop(name).lower() in ("1", "yes", "true", "on", "是") for name in ("personal", "retired")}
    return Field(**{**given, "type": given["type"] or "text"}, **flags)  # type: ignore[arg-type]


def _field(key: str, body: Mapping[str, Any], revision: int) -> Field:
    return Field(key=key, revision=revision, **body)
