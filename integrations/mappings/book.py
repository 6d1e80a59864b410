"""Mappings and code tables: drafts, publishing versions that never change, and bringing an older one back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, InvalidForm, NotFound
from integrations.mappings import bounded
from integrations.mappings.payload import FORMATS
from integrations.mappings.tables import MappingHead, MappingVersion

Kind = Literal["fields", "codes"]
KEY = re.compile(r"[a-z][a-z0-9_.-]{1,59}")
LONGEST = 64 * 1024  # characters of an expression
MOST_ROWS = 20_000
_USED = re.compile(r"\$(?:un)?code\(\s*[\"']([\w.-]+)[\"']")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison: `mark` is + for new, - for gone, blank for the same, @ where lines were left out."""

    mark: str
    text: str


def listed(session: Session, kind: Kind | None = None) -> list[MappingHead]:
    """All mappings, or all code tables, by key."""
    query = select(MappingHead).order_by(MappingHead.key)
    return list(session.scalars(query if kind is None else query.where(MappingHead.kind == kind)))


def head(session: Session, key: str) -> MappingHead:
    """One mapping or code table; NotFound."""
    row = session.get(MappingHead, key)
    if row is None:
        raise NotFound(f"There is no mapping {key}.")
    return row


def version(session: Session, key: str, number: int | None = None) -> MappingVersion:
    """A published version, the newest when no number is given; NotFound says which is missing."""
    wanted = head(session, key).latest if number is None else number
    row = session.scalar(select(MappingVersion).where(MappingVersion.mapping_key == key, MappingVersion.number == wanted))
    if row is None:
        raise NotFound(f"{key} has no published version{'' if number is None else f' {number}'}.")
    return row


def versions(session: Session, key: str) -> list[MappingVersion]:
    """All published versions, newest first."""
    return list(session.scalars(select(MappingVersion).where(MappingVersion.mapping_key == key).order_by(MappingVersion.number.desc())))


def create(
    session: Session, key: str, kind: Kind, *, name_en: str, name_zh: str, by: str, body: Mapping[str, Any] | None = None
) -> MappingHead:
    """A new mapping or code table with a draft; InvalidForm names what is wrong."""
    if not KEY.fullmatch(key):
        raise InvalidForm({"key": ["A key has 2 to 60 small letters, digits, dots or dashes, a letter first."]})
    if session.get(MappingHead, key) is not None:
        raise Conflict(f"There is a mapping {key} already.")
    draft = dict(body) if body else ({"format": "json", "expression": "{\n  \n}"} if kind == "fields" else {"rows": [], "otherwise": None})
    row = MappingHead(
        key=key, kind=kind, name_en=name_en or key, name_zh=name_zh or name_en or key, draft=draft, changed=clock.now(), changed_by=by
    )
    session.add(row)
    session.flush()
    return row


def save_draft(session: Session, key: str, body: Mapping[str, Any], *, by: str) -> MappingHead:
    """Keeps a draft as it is; whether it can be published is found when it is."""
    row = head(session, key)
    row.draft, row.changed, row.changed_by = dict(body), clock.now(), by
    session.flush()
    return row


def publish(session: Session, key: str, *, comment: str, by: str, restored: int | None = None) -> MappingVersion:
    """Makes the draft the next version. Publishing a code table also publishes the mappings that use it, on the new table.

    Raises InvalidForm when it cannot be read or names a table that is not published, Conflict when nothing has changed.
    """
    row = head(session, key)
    body = _checked(row.kind, row.draft)
    pinned = _pins(session, body) if row.kind == "fields" else {}
    if row.latest:
        last = version(session, key)
        if last.body == body and last.pinned == pinned:
            raise Conflict("Nothing has changed against the newest version.")
    made = MappingVersion(
        mapping_key=key, number=row.latest + 1, body=body, pinned=pinned, comment=comment, by=by, at=clock.now(), restored=restored
    )
    session.add(made)
    row.latest = made.number
    session.flush()
    if row.kind == "codes":
        _carry_on(session, row, by)
    return made


def restore(session: Session, key: str, number: int, *, comment: str, by: str) -> MappingVersion:
    """Brings an older version back, as a new one with its content: nothing in the history is lost."""
    old = version(session, key, number)
    save_draft(session, key, old.body, by=by)
    return publish(session, key, comment=comment, by=by, restored=number)


def tables(session: Session, pinned: Mapping[str, int]) -> dict[str, Any]:
    """The code tables of a version, as its expression sees them."""
    return {name: version(session, name, number).body for name, number in pinned.items()}


def draft_tables(session: Session, expression: str) -> dict[str, Any]:
    """The newest version of each code table that an expression names; those that are not published are left out."""
    return {row.key: version(session, row.key).body for row in listed(session, "codes") if row.latest and row.key in used(expression)}


def used(expression: str) -> list[str]:
    """The code tables that an expression names."""
    return sorted(set(_USED.findall(expression)))


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Line]:
    """What changed between two bodies, line by line with three lines around each change."""
    return list(_lines(_text(old), _text(new)))


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    for line in difflib.unified_diff(old, new, lineterm="", n=3):
        if line.startswith(("---", "+++")):
            continue
        yield Line("@", "") if line.startswith("@@") else Line(line[0], line[1:])


def _text(body: Mapping[str, Any]) -> list[str]:
    if "rows" in body:
        rows = [f"{row['code']} → {row['value']}{'  # ' + row['note'] if row.get('note') else ''}" for row in body["rows"]]
        return [*rows, f"* → {body['otherwise']}"] if body.get("otherwise") is not None else rows
    return [f"format: {body.get('format')}", *str(body.get("expression", "")).splitlines()]


def _checked(kind: str, draft: Mapping[str, Any]) -> dict[str, Any]:
    return _checked_table(draft) if kind == "codes" else _checked_mapping(draft)


def _checked_mapping(draft: Mapping[str, Any]) -> dict[str, Any]:
    expression, format_ = str(draft.get("expression", "")).replace("\r\n", "\n"), draft.get("format")
    if format_ not in FORMATS:
        raise InvalidForm({"format": [f"{format_!r} is none of {', '.join(FORMATS)}."]})
    if len(expression) > LONGEST:
        raise InvalidForm({"expression": [f"It is longer than {LONGEST} characters."]})
    try:
        bounded.check(expression)
    except bounded.MappingFailed as error:
        raise InvalidForm({"expression": [f"{place(expression, error.at)}{error.message}"]}) from error
    return {"format": format_, "expression": expression}


def _checked_table(draft: Mapping[str, Any]) -> dict[str, Any]:
    rows = list(draft.get("rows") or [])
    codes = [row["code"] for row in rows]
    if not rows or len(rows) > MOST_ROWS:
        raise InvalidForm({"rows": [f"A code table has 1 to {MOST_ROWS} rows."]})
    twice = sorted({code for code in codes if codes.count(code) > 1}) if len(set(codes)) < len(codes) else []
    if twice:
        raise InvalidForm({"rows": [f"The code {code} has two rows." for code in twice]})
    return {"rows": rows, "otherwise": draft.get("otherwise")}


def _pins(session: Session, body: Mapping[str, Any]) -> dict[str, int]:
    pins, wrong = {}, []
    for name in used(str(body["expression"])):
        row = session.get(MappingHead, name)
        if row is None or row.kind != "codes" or not row.latest:
            wrong.append(f"There is no published code table {name}.")
        else:
            pins[name] = row.latest
    if wrong:
        raise InvalidForm({"expression": wrong})
    return pins


def _carry_on(session: Session, table: MappingHead, by: str) -> None:
    """The newest version of a mapping always uses the newest tables; a connection that names an older one keeps its own."""
    for row in listed(session, "fields"):
        last = version(session, row.key) if row.latest else None
        if last is not None and table.key in last.pinned:
            pinned = {**last.pinned, table.key: table.latest}
            comment = f"{table.key} v{table.latest}"
            made = MappingVersion(
                mapping_key=row.key, number=row.latest + 1, body=last.body, pinned=pinned, comment=comment, by=by, at=clock.now()
            )
            session.add(made)
            row.latest = made.number
            session.flush()


def place(expression: str, at: int | None) -> str:
    """A position in an expression as people count: "line 3, column 7: "."""
    if at is None:
        return ""
    before = expression[: max(at - 1, 0)]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}: "
