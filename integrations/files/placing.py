"""What becomes of a file's rows: mapped, matched to a patient, handed to the instance that waits or starting one, or listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import CarelaneError
from integrations import outcomes, runtime
from integrations.connections.book import Link
from integrations.dictionary import book as dictionary
from integrations.files import layout, reading, taking
from integrations.files.reading import Row, Unreadable
from integrations.files.tables import InboundFile
from integrations.mappings import apply
from integrations.mappings import book as mappings
from integrations.mappings.conform import Problem
from integrations.messages import log, worklist
from integrations.messages.tables import MessageLog
from integrations.patients import index

AT_ONCE = 200  # rows in a transaction
_NUMBERS = (("medicalRecordNumber", ""), ("idCard", "id_card"), ("medicalCard", "medical_card"))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a connection says of its rows. Without a message they are kept in the log and handed to nobody."""

    message: str
    key: str  # the field of the mapped row by which it is correlated
    row_id: tuple[str, ...]  # columns that tell a row from every other, also in another file
    mapping: Mapping[str, Any] | None = None
    tables: Mapping[str, Any] | None = None
    fields: Mapping[str, dictionary.Field] | None = None
    version: int = 0


def rules(session: Session, link: Link) -> Rules:
    """The rules of a connection; NotFound when its mapping is not published."""
    address = link.address
    ids = tuple(part.strip() for part in str(address.get("row_id") or "").split(",") if part.strip())
    plain = Rules(str(address.get("message") or ""), str(address.get("key") or ""), ids)
    if not address.get("mapping"):
        return plain
    version = int(address["mapping_version"]) if address.get("mapping_version") else None
    found = mappings.version(session, str(address["mapping"]), version)
    tables, fields = mappings.tables(session, found.pinned), dictionary.fields(session)
    return Rules(plain.message, plain.key, ids, found.body, tables, fields, found.number)


def place(link: Link, file_id: str) -> None:
    """Reads a stored file from where it was left and places its rows, so many in a transaction with the checkpoint."""
    with runtime.reading() as session:
        row, how = session.get_one(InboundFile, file_id), rules(session, link)
    if row.state != "reading":
        return
    done, wrong = row.rows, ""
    try:
        found = (one for one in reading.rows(taking.content(file_id), layout.read(link.name, link.address)) if one.number > done)
        for some in _batches(found):
            if not _place_some(link, how, file_id, some):
                return  # another worker is at it
    except Unreadable as error:
        wrong = error.message
    with runtime.transaction() as session:
        taking.close(session, session.get_one(InboundFile, file_id, with_for_update=True), wrong)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows so many at a time; those that come before the file turns out unreadable too."""
    some: list[Row] = []
    try:
        for row in rows:
            some.append(row)
            if len(some) == AT_ONCE:
                yield some
                some = []
    except Unreadable:
        if some:
            yield some
        raise
    if some:
        yield some


def _place_some(link: Link, how: Rules, file_id: str, some: list[Row]) -> bool:
    mapped = [_mapped(how, row) for row in some]  # before the lock: an expression may take its time
    with runtime.transaction() as session:
        file = session.get_one(InboundFile, file_id, with_for_update=True)
        if file.state != "reading" or file.rows != some[0].number - 1:
            return False
        ids = [_control(how, file, row) for row in some]
        known = _known(session, link.name, ids)
        for control, row, (record, problems) in zip(ids, some, mapped, strict=True):
            file.rows = row.number
            _place_one(session, link, how, file, row, control, record, problems, known)
    return True


def _place_one(
    session: Session, link: Link, how: Rules, file: InboundFile, row: Row, control: str, record: Any, problems: tuple[Problem, ...],
    known: dict[str, str],
) -> None:  # fmt: skip
    digest = log.digest(repr(sorted(row.values.items())))
    if known.get(control) == digest:
        file.repeated += 1
        return
    reused = control in known
    name = f"{control}#{digest[:12]}" if reused else control
    if reused and _known(session, link.name, [name]):
        file.repeated += 1
        return
    message = MessageLog(
        direction="in", connection=link.name, kind="file.row", control=name, digest=digest, state="matched", attempts=1, at=clock.now(),
        raw={"file": file.name, "row": row.number, "line": row.line, "payload": row.values}, mapped=record, origin_id=file.message_id,
    )  # fmt: skip
    session.add(message)
    session.flush()
    known[name] = digest
    why = _wrong(row, record, problems, reused=reused) or hand_on(session, link, how, message, record)
    if why:
        worklist.add(session, message, *why)
        message.state, message.error = "unmatched", why[1]
        file.listed += 1
    else:
        file.placed += 1
    message.ended = clock.now()


def _wrong(row: Row, record: Any, problems: tuple[Problem, ...], *, reused: bool) -> tuple[str, str] | None:
    if row.wrong:
        return "unreadable", row.wrong
    if reused:
        return "control_reused", f"line {row.line}: its columns for row_id came before with other content."
    bad = [problem.message for problem in problems if problem.severity == "error"]
    if bad or not isinstance(record, Mapping):
        return "unmapped", f"line {row.line}: {'; '.join(bad) or 'the mapping gives no record'}"
    return None


def hand_on(session: Session, link: Link, how: Rules, message: MessageLog, record: Mapping[str, Any]) -> tuple[str, str] | None:
    """Matches a mapped row and publishes it; why a person must look when it finds no place."""
    if why := _patient(session, message, record):
        return why
    if not how.message:
        return None
    key = str(record.get(how.key) or "") if how.key else ""
    if how.key and not key:
        return "no_order", f"It has no {how.key}, so nobody can be told that waits for it."
    payload = {**record, "patientId": message.patient_id} if message.patient_id else dict(record)
    ordered = log.by_reference(session, key) if key else None
    if ordered is not None and message.patient_id and ordered.patient_id not in (None, message.patient_id):
        return "other_patient", f"Its patient is not the one that the order was made for ({key})"
    message.reference = key[:120] or None
    try:
        with session.begin_nested():
            if ordered is not None:
                message.instance_id, message.element_id = ordered.instance_id, ordered.element_id
                outcomes.hand_on(session, message, how.message, key, payload, actor=link.name)
            elif not outcomes.begin(session, message, how.message, key, payload, actor=link.name):
                return "no_receiver", f"Nobody waits for {how.message} {key} and nothing begins with it."
    except CarelaneError as error:
        return "failed", f"It could not be handed on: {error.message}"
    return None


def again(session: Session, link: Link, message: MessageLog) -> str:
    """Maps and hands on a listed row once more, by what the connection says now; returns its state."""
    how = rules(session, link)
    raw = message.raw if isinstance(message.raw, Mapping) else {}
    row = Row(int(raw.get("row", 0)), int(raw.get("line", 0)), dict(raw.get("payload") or {}))
    record, problems = _mapped(how, row)
    message.mapped, message.state, message.error = record, "matched", None
    if why := _wrong(row, record, problems, reused=False) or hand_on(session, link, how, message, record):
        worklist.add(session, message, *why)
        message.state, message.error = "unmatched", why[1]
    session.flush()
    return message.state


def _mapped(how: Rules, row: Row) -> tuple[Any, tuple[Problem, ...]]:
    if row.wrong or how.mapping is None:
        return dict(row.values), ()
    found = apply.run(how.mapping, dict(row.values), how.tables or {}, how.fields or {}, how.version)
    return found.value, found.problems


def _control(how: Rules, file: InboundFile, row: Row) -> str:
    """The row's number in its file, or what its columns say: by it a repeat is known."""
    if how.row_id and not row.wrong:
        text = "|".join(str(row.values.get(name) or "") for name in how.row_id)
        return f"row:{text}" if len(text) <= 80 else f"row:{log.digest(text)}"
    return f"{file.digest[:32]}:{row.number}"


def _known(session: Session, connection: str, controls: list[str]) -> dict[str, str]:
    query = select(MessageLog.control, MessageLog.digest).where(
        MessageLog.connection == connection, MessageLog.direction == "in", MessageLog.control.in_(controls)
    )
    return dict(session.execute(query).tuples().all())


def _patient(session: Session, message: MessageLog, record: Mapping[str, Any]) -> tuple[str, str] | None:
    """Finds the patient by a number that the row gives; one that nobody has is for a person."""
    settings = runtime.settings()
    given = [(name, system, str(record[name])) for name, system in _NUMBERS if record.get(name)]
    found = {
        index.present(session, row.id).id
        for _, system, value in given
        if (row := index.by_identifier(session, settings, system, value) if system else index.by_record_number(session, value)) is not None
    }  # fmt: skip
    if not given:
        return None
    if len(found) > 1:
        return "identity", "Its numbers belong to different patients."
    if not found:
        return "unknown_patient", f"Nobody here has its {', '.join(name for name, _, _ in given)}."
    message.patient_id = found.pop()
    return None
