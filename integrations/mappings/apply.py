"""Runs a mapping: an old system's record in, the clinic's own out, and what a person must know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from integrations.dictionary import book as dictionary
from integrations.dictionary.book import Field
from integrations.mappings import book, bounded, payload
from integrations.mappings.conform import Problem, conform


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping made of a message. `version` is the one that was used, 0 for a draft.

    `value` is the record; a list of records where the message held several; None where nothing could be made of it.
    """

    value: Any
    version: int
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every value found its place; warnings do not count."""
        return all(problem.severity != "error" for problem in self.problems)


def apply(session: Session, mapping_key: str, given: Any, version: int | None = None) -> Mapped:
    """Maps one message by a published mapping, its newest version unless one is named.

    `given` is text or bytes in the mapping's format, or data as it is (a row of a database: a dict, a list of rows). A message
    that cannot be read or an expression that fails gives `value` None and a problem that names the place; it never raises for
    what is in the message. Raises NotFound when there is no such mapping or version. Takes at most `bounded.SECONDS` a record.
    """
    row = book.version(session, mapping_key, version)
    return run(row.body, given, book.tables(session, row.pinned), dictionary.fields(session), row.number)


def try_out(session: Session, body: Mapping[str, Any], given: Any) -> Mapped:
    """Maps by a draft that is not published, with the newest code tables: the dry run of the page."""
    return run(body, given, book.draft_tables(session, str(body["expression"])), dictionary.fields(session), 0)


def run(body: Mapping[str, Any], given: Any, tables: Mapping[str, Any], fields: Mapping[str, Field], version: int) -> Mapped:
    """Maps by a body with its tables; for many records read them once and call this for each."""
    try:
        records = payload.records(str(body["format"]), given)
    except payload.Unreadable as error:
        return Mapped(None, version, (Problem(error.place, "unreadable", error.message),))
    values, problems = [], []
    for index, record in enumerate(records):
        value, found = _one(str(body["expression"]), record, tables, fields)
        values.append(value)
        where = f"[{index + 1}]." if len(records) > 1 else ""
        problems += [Problem(f"{where}{one.place}".rstrip("."), one.rule, one.detail, one.severity) for one in found]
        if value is None and any(one.rule == "failed" for one in found):
            break  # it fails for every record; say it once
    return Mapped(values[0] if len(records) == 1 else values, version, tuple(problems))


def _one(expression: str, record: Any, tables: Mapping[str, Any], fields: Mapping[str, Field]) -> tuple[Any, list[Problem]]:
    try:
        found = bounded.evaluate(expression, record, tables)
    except bounded.MappingFailed as error:
        return None, [Problem(book.place(expression, error.at).rstrip(": "), "failed", error.message)]
    notes = [Problem(note["place"], note["rule"], note["given"]) for note in found.notes]
    value, problems = conform(found.value, fields)
    return value, [*notes, *problems]
