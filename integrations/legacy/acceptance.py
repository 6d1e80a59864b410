"""The acceptance sample of a batch: drawn by chance from each state, checked row by row against the old system, signed by a person."""

from __future__ import annotations

import random
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound, Refused
from integrations.legacy.tables import LegacyRow, LegacyRun, LegacySample

LEAST = 3  # of each state, where there are so many
MOST = 300


def draw(session: Session, run: LegacyRun, size: int, seed: int) -> list[LegacySample]:
    """Draws `size` rows of a batch, from each state in proportion and at least three; the same seed draws the same rows.

    Conflict when somebody has begun to check the sample that there is.
    """
    _ended(run)
    there = samples(session, run)
    if any(one.good is not None for one in there) or run.signed is not None:
        raise Conflict("This sample is being checked already.")
    for one in there:
        session.delete(one)
    session.flush()
    strata: dict[str, list[str]] = {}
    for row_id, stratum in session.execute(
        select(LegacyRow.id, LegacyRow.stratum).where(LegacyRow.batch_id == run.id, LegacyRow.state == "moved").order_by(LegacyRow.number)
    ):
        strata.setdefault(stratum, []).append(row_id)
    whole, size = sum(map(len, strata.values())), max(1, min(size, MOST))
    chance = random.Random(seed)  # noqa: S311  which rows are looked at is no secret, and must be repeatable
    for stratum, ids in sorted(strata.items()):
        count = min(len(ids), max(LEAST, ceil(size * len(ids) / whole)))
        session.add_all(LegacySample(run_id=run.id, row_id=row_id, stratum=stratum) for row_id in sorted(chance.sample(ids, count)))
    run.seed = seed
    session.flush()
    return samples(session, run)


def samples(session: Session, run: LegacyRun) -> list[LegacySample]:
    """The sample of a batch, by state and row."""
    query = select(LegacySample).join(LegacyRow, LegacyRow.id == LegacySample.row_id).where(LegacySample.run_id == run.id)
    return list(session.scalars(query.order_by(LegacySample.stratum, LegacyRow.number)))


def judge(session: Session, run: LegacyRun, sample_id: str, good: bool, note: str, *, by: str) -> LegacySample:
    """A person says whether a row came over right; what is wrong needs words. Conflict once the batch is signed."""
    row = session.get(LegacySample, sample_id)
    if row is None or row.run_id != run.id:
        raise NotFound("There is no such row in the sample.")
    if run.signed is not None:
        raise Conflict("The batch is signed; its sample does not change any more.")
    if not good and not note.strip():
        raise Refused("Say what is wrong with it.")
    row.good, row.note, row.by, row.at = good, note.strip()[:500] or None, by, clock.now()
    session.flush()
    return row


def sign(session: Session, run: LegacyRun, accepted: bool, note: str, *, by: str) -> LegacyRun:
    """Signs a batch. Refused while a row of the sample is not checked, or to accept with wrong ones without saying why; by another person than moved it."""
    _ended(run)
    if run.signed is not None:
        raise Conflict(f"{run.signed_by} has signed this batch already.")
    found = samples(session, run)
    if not found or any(one.good is None for one in found):
        raise Refused("Check every row of the sample first.")
    if run.by == by:
        raise Refused("Who moved the batch does not sign it.")
    wrong = sum(not one.good for one in found)
    if (wrong or not accepted) and not note.strip():
        raise Refused("Say why: the reason stays with the signature.")
    run.signed, run.signed_by, run.accepted, run.note = clock.now(), by, accepted, note.strip() or None
    session.flush()
    return run


def batch_rows(session: Session, run: LegacyRun) -> int:
    """How many rows of a batch are still moved."""
    return session.scalar(select(func.count()).select_from(LegacyRow).where(LegacyRow.batch_id == run.id, LegacyRow.state == "moved")) or 0


def _ended(run: LegacyRun) -> None:
    if run.kind != "move" or run.state != "done":
        raise Refused("The batch has not ended yet.")
