"""Passes over a migration's rows, a chunk in a transaction with its checkpoint: a killed one goes on where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.errors import CarelaneError, Conflict, NotFound, Refused
from engine.execution import imported
from integrations import runtime
from integrations.legacy import back, plan, source
from integrations.legacy.people import Coming
from integrations.legacy.plan import Ground, Plan
from integrations.legacy.tables import LegacyCase, LegacyMigration, LegacyRow, LegacyRun
from integrations.patients import index

AT_ONCE = 50
SAMPLES = 5  # of each outcome, shown
LEASE = timedelta(seconds=30)  # a process that has not been seen for so long has died
_OURS = new_id()
_coming: dict[str, Coming] = {}  # of dry runs under way in this process


def begin(
    session: Session, migration: LegacyMigration, kind: str, *, by: str, most: int | None = None, target: LegacyRun | None = None
) -> LegacyRun:
    """Begins a pass: check, dry, move or back. Refused, in words, when it cannot be yet; Conflict while another one is under way."""
    busy = select(LegacyRun.id).where(LegacyRun.migration_id == migration.id, LegacyRun.state == "running")
    if session.scalars(busy.limit(1)).first() is not None:
        raise Conflict("A pass over this migration is under way; wait until it has ended.")
    if not migration.rows:
        raise Refused("There are no rows yet: choose the source first.")
    if kind in ("dry", "move") and not migration.checked:
        raise Refused("Check the rows by the present mapping first.")
    if kind == "move" and not _dry_since(session, migration):
        raise Refused("Look at a dry run first: it says what would be created.")
    if kind == "back" and (target is None or target.kind != "move" or target.state != "done"):
        raise Refused("Only a batch that has ended can be taken back.")
    row = LegacyRun(
        migration_id=migration.id, kind=kind, state="running", target_id=target.id if target else None, cursor=0, most=most, counts={}, samples={},
        by=by, at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def get(session: Session, run_id: str) -> LegacyRun:
    """A pass; NotFound."""
    row = session.get(LegacyRun, run_id)
    if row is None:
        raise NotFound("There is no such batch.")
    return row


def of(session: Session, migration_id: str) -> list[LegacyRun]:
    """All passes over a migration, newest first."""
    return list(
        session.scalars(select(LegacyRun).where(LegacyRun.migration_id == migration_id).order_by(LegacyRun.at.desc(), LegacyRun.id.desc()))
    )


def waiting() -> list[str]:
    """The passes that are under way, oldest first."""
    with runtime.reading() as session:
        return list(session.scalars(select(LegacyRun.id).where(LegacyRun.state == "running").order_by(LegacyRun.at)))


def finish(run_id: str) -> None:
    """Carries a pass out to its end."""
    while chunk(run_id):
        continue


def chunk(run_id: str) -> bool:
    """Does the next rows and writes the checkpoint with them; False when the pass has ended, or another process is at it."""
    with runtime.reading() as session:
        run = get(session, run_id)
        held = plan.ground(session, runtime.settings(), source.get(session, run.migration_id))
        rows = _next(session, run)
        mapped = {row.id: plan.mapped(held, row) for row in rows} if run.kind == "check" else {}  # before the lock
    coming = _coming.pop(run_id, None)  # lost with the chunk when that fails: the dry run then begins anew
    with runtime.transaction() as session:
        run = session.get_one(LegacyRun, run_id, with_for_update=True)
        if run.state != "running" or not _ours(run):
            return False
        if run.kind == "dry" and run.cursor and coming is None:
            run.cursor, run.counts, run.samples = 0, {}, {}
            return True
        here = _next(session, run)
        if not here or (run.most is not None and run.counts.get("created", 0) >= run.most):
            return _end(session, run)
        if mapped.keys() != {row.id for row in here} and run.kind == "check":
            return True  # they were looked at before another process had done some
        coming = coming or Coming()
        _do(session, held, run, [(row, mapped.get(row.id)) for row in here], coming)
    if run.kind == "dry":
        _coming[run_id] = coming
    return True


def _ours(run: LegacyRun) -> bool:
    now = clock.now()
    if run.owner not in (None, _OURS) and run.seen is not None and now - run.seen < LEASE:
        return False
    run.owner, run.seen = _OURS, now
    return True


def _do(session: Session, held: Ground, run: LegacyRun, rows: list[tuple[LegacyRow, Any]], coming: Coming) -> None:
    counts, samples = Counter(run.counts), dict(run.samples or {})
    for row, mapped in rows:
        if run.most is not None and counts["created"] >= run.most:
            break
        outcome, note = _DO[run.kind](session, held, run, row, coming if run.kind == "dry" else mapped)
        counts.update(outcome)
        run.cursor = row.number
        shown = samples.get(outcome[0], [])
        if len(shown) < SAMPLES:
            samples[outcome[0]] = [*shown, {"row": row.number, "case": row.case_key, "note": note}]
    run.counts, run.samples = dict(counts), samples


Outcome = tuple[list[str], str]
_SETTLED = {"rejected": "rejected", "refused": "refused", "moved": "skipped"}  # until the rows are checked anew


def _next(session: Session, run: LegacyRun) -> list[LegacyRow]:
    query = select(LegacyRow).where(LegacyRow.migration_id == run.migration_id, LegacyRow.number > run.cursor)
    if run.kind == "back":
        query = query.where(LegacyRow.batch_id == run.target_id, LegacyRow.state.in_(("moved", "skipped")))
    return list(session.scalars(query.order_by(LegacyRow.number).limit(AT_ONCE)))


def _end(session: Session, run: LegacyRun) -> bool:
    run.state, run.ended = "done", clock.now()
    if run.kind == "check":
        source.get(session, run.migration_id).checked = True
    return False


def _dry_since(session: Session, migration: LegacyMigration) -> bool:
    """Whether the newest check was followed by a dry run."""
    ended = [run.kind for run in of(session, migration.id) if run.state == "done" and run.kind in ("dry", "check")]
    return bool(ended) and ended[0] == "dry"


def _check(session: Session, held: Ground, run: LegacyRun, row: LegacyRow, mapped: Any) -> Outcome:
    """Maps a row and says all that is wrong with it."""
    if row.state == "moved":
        return ["moved"], ""
    row.record, reasons = mapped
    row.reasons = reasons
    found = plan.plan(session, held, row)
    row.reasons, row.stratum, row.case_key = found.reasons or None, found.stratum[:20], found.case_key
    twice = select(LegacyRow.id).where(
        LegacyRow.migration_id == row.migration_id, LegacyRow.case_key == row.case_key, LegacyRow.number < row.number
    )
    if row.case_key and session.scalars(twice.limit(1)).first() is not None:
        found.action = "reject"
        row.reasons = [*(row.reasons or []), {"rule": "duplicate", "text": "An earlier row has this case too.", "severity": "error"}]
    row.state = {"reject": "rejected", "create": "valid", "skip": "skipped"}[found.action]
    session.flush()
    return [row.state], _words(row.reasons)


def _dry(session: Session, held: Ground, run: LegacyRun, row: LegacyRow, coming: Any) -> Outcome:
    """Counts what would be done."""
    if row.state in _SETTLED:
        return [_SETTLED[row.state]], ""
    found = plan.plan(session, held, row, coming)
    return _counted(found), _words(found.reasons)


def _move(session: Session, held: Ground, run: LegacyRun, row: LegacyRow, mapped: Any) -> Outcome:
    if row.state in _SETTLED:
        return [_SETTLED[row.state]], ""
    found = plan.plan(session, held, row)
    if found.action == "create":
        try:
            with session.begin_nested():
                _create(session, held, run, row, found)
        except CarelaneError as error:
            found.action = "reject"
            found.reasons.append({"rule": "plan", "text": error.message, "severity": "error"})
    if found.action == "reject":
        row.state, row.reasons = "refused", found.reasons
    elif found.action == "skip":
        row.state = "skipped"
    session.flush()
    return _counted(found), _words(found.reasons)


def _counted(found: Plan) -> list[str]:
    if found.action == "create":
        return ["created", f"patients {found.person.what}", found.stratum]
    return ["skipped" if found.action == "skip" else "refused"]


def _create(session: Session, held: Ground, run: LegacyRun, row: LegacyRow, found: Plan) -> None:
    migration, person = held.migration, found.person
    assert found.case is not None
    before: dict[str, Any] = {}
    if person.patient_id is None:
        patient = index.save(session, held.settings, person.fills)
    else:
        patient = index.get(session, person.patient_id)
        before = {name: patient.body.get(name) for name in person.fills}
        if person.fills:
            patient = index.save(session, held.settings, person.fills, patient.id)
    number = str((row.record or {}).get("legacyPatient") or "")
    had = bool(number) and index.by_identifier(session, held.settings, migration.source, number) is not None
    if number and not had:
        index.add_identifier(session, held.settings, patient.id, migration.source, number)
    found.case.variables["patientId"] = patient.id
    found.case.note["batch"] = run.id
    take = (
        imported.standing(session, held.definition, found.case, found.element)
        if found.element
        else imported.ended(session, held.definition, found.case)
    )
    row.state, row.batch_id, row.instance_id, row.patient_id = "moved", run.id, take.id, patient.id
    row.made = {
        "patient": person.what, "before": before, "after": {name: patient.body.get(name) for name in before},
        "number": number if number and not had else "", "changed": patient.changed.isoformat(),
    }  # fmt: skip
    session.add(LegacyCase(source=migration.source, case_key=found.case_key, digest=found.digest, row_id=row.id, instance_id=take.id))
    session.flush()


def _back(session: Session, held: Ground, run: LegacyRun, row: LegacyRow, mapped: Any) -> Outcome:
    if row.state != "moved":
        return ["skipped"], ""
    try:
        with session.begin_nested():
            kept = back.take_back(session, held.settings, held.migration, row)
    except CarelaneError as error:
        return ["refused"], error.message
    return ["returned", *(["patients kept"] if kept else [])], kept


def _words(reasons: list[dict[str, str]] | None) -> str:
    return "; ".join(one["text"] for one in reasons or [])[:300]


_DO: dict[str, Callable[[Session, Ground, LegacyRun, LegacyRow, Any], Outcome]] = {"check": _check, "dry": _dry, "move": _move, "back": _back}
