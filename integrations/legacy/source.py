"""Where a migration's rows come from: a file, or a query to a legacy database. They are kept as they were, so that every pass sees the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.errors import ConnectorFailed, InvalidForm, NotFound, Refused
from engine.execution import instances
from integrations.connections import book
from integrations.connectors.sql_query import _engine, _only_read, _plain
from integrations.files import layout, reading
from integrations.files.reading import Row, Unreadable
from integrations.legacy import profile
from integrations.legacy.tables import LegacyCase, LegacyMigration, LegacyRow, LegacyRun
from integrations.mappings import book as mappings

AT_ONCE = 500
MOST_ROWS = 500_000


def create(
    session: Session, name: str, source: str, *, department: str, process_id: str, mapping: str, by: str, version_tag: str | None = None
) -> LegacyMigration:
    """A new migration into the newest version of a process (as it is now), by a published mapping; InvalidForm names what is wrong."""
    wrong: dict[str, list[str]] = {}
    for field, value in (("name", name), ("source", source), ("department", department)):
        if not value.strip():
            wrong[field] = ["It is needed."]
    if source and not mappings.KEY.fullmatch(source):
        wrong["source"] = ["2 to 60 small letters, digits, dots or dashes, a letter first."]
    try:
        definition = instances.definition_of(session, process_id, version_tag=version_tag or None)
    except NotFound as error:
        wrong["process_id"] = [error.message]
    try:
        by_mapping = mappings.version(session, mapping)
    except NotFound as error:
        wrong["mapping"] = [error.message]
    if wrong:
        raise InvalidForm(wrong)
    row = LegacyMigration(
        name=name.strip()[:120], source=source[:40], department=department, process_id=process_id, definition_id=definition.id,
        version=definition.version, arm=definition.version_tag or "as-is", mapping_key=mapping, mapping_version=by_mapping.number, origin={},
        rows=0, checked=False, created=clock.now(), by=by,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def get(session: Session, migration_id: str) -> LegacyMigration:
    """A migration; NotFound."""
    row = session.get(LegacyMigration, migration_id)
    if row is None:
        raise NotFound("There is no such migration.")
    return row


def remap(session: Session, row: LegacyMigration, version: int) -> None:
    """Takes another version of the mapping: every row that is not moved is to be checked anew."""
    mappings.version(session, row.mapping_key, version)
    row.mapping_version, row.checked = version, False


def from_file(session: Session, row: LegacyMigration, file: IO[bytes], name: str, address: Mapping[str, Any]) -> LegacyMigration:
    """Takes the rows of a file; Refused with the place when it cannot be read. Rows that cannot are kept with their reason."""
    try:
        found = reading.rows(file, layout.read(name, address))
        return _take(session, row, found, {"kind": "file", "name": name, "layout": dict(address)})
    except (Unreadable, ConnectorFailed) as error:
        raise Refused(f"The file cannot be read: {error.message}") from error


def from_query(session: Session, row: LegacyMigration, connection: str, query: str) -> LegacyMigration:
    """Takes the rows of one SELECT on a legacy database that the database itself keeps from writing."""
    if not query.strip().lower().startswith(("select", "with")) or ";" in query.strip().rstrip(";"):
        raise Refused("The query must be a single SELECT.")
    return _take(session, row, _queried(connection, query.strip().rstrip(";")), {"kind": "sql", "connection": connection, "query": query})


def _queried(connection: str, query: str) -> Iterator[Row]:
    link = book.link(connection)
    encoding = str(link.address.get("encoding", ""))
    try:
        with _engine(link).connect() as opened:
            _only_read(opened, link)
            found = opened.execution_options(stream_results=True, yield_per=AT_ONCE).execute(text(query)).mappings()
            for number, one in enumerate(found, start=1):
                yield Row(number, number, {name: _plain(value, encoding) for name, value in one.items()})
            opened.rollback()
    except (SQLAlchemyError, UnicodeError) as error:
        raise ConnectorFailed(f"{link.name}: {type(error).__name__}", kind="permanent") from error


def _take(session: Session, row: LegacyMigration, found: Iterable[Row], origin: dict[str, Any]) -> LegacyMigration:
    _forget(session, row)
    some: list[dict[str, Any]] = []

    def kept() -> Iterator[Mapping[str, Any]]:
        for one in found:
            row.rows = one.number
            if one.number > MOST_ROWS:
                raise Refused(f"More than {MOST_ROWS} rows at once; divide them.")
            reasons = [{"rule": "unreadable", "text": one.wrong, "severity": "error"}] if one.wrong else None
            some.append({
                "id": new_id(), "migration_id": row.id, "number": one.number, "line": one.line, "raw": one.values, "reasons": reasons,
                "state": "rejected" if one.wrong else "staged", "stratum": "", "case_key": "",
            })  # fmt: skip
            if len(some) == AT_ONCE:
                session.execute(insert(LegacyRow), some)
                some.clear()
            yield one.values

    seen = profile.profile(kept(), clock.now().date())
    if some:
        session.execute(insert(LegacyRow), some)
    row.profile, row.origin, row.checked = seen, origin, False
    session.flush()
    return row


def _forget(session: Session, row: LegacyMigration) -> None:
    moved = select(LegacyRow.id).where(LegacyRow.migration_id == row.id, LegacyRow.instance_id.is_not(None)).limit(1)
    running = select(LegacyRun.id).where(LegacyRun.migration_id == row.id, LegacyRun.kind.in_(("move", "back"))).limit(1)
    if session.scalars(moved).first() or session.scalars(running).first():
        raise Refused("Rows of this migration were moved already: begin another one with the new file.")
    session.execute(delete(LegacyRow).where(LegacyRow.migration_id == row.id))
    row.rows = 0


def known(session: Session, source: str, case_key: str) -> LegacyCase | None:
    """The case of an old system that is here already."""
    return session.scalar(select(LegacyCase).filter_by(source=source, case_key=case_key))
