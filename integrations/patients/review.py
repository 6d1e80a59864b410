"""Duplicates: records that may be one person are found by the worker and decided by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound, Refused
from engine.settings import Settings
from integrations.patients import index
from integrations.patients.match import Verdict, compare
from integrations.patients.tables import Patient, PatientIdentifier, PatientMerge, PatientReview, PatientScreening

GRADES = ("certain", "probable")  # what is worth a person's time
_FIRST = case({"certain": 0, "probable": 1}, value=PatientReview.grade, else_=2)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records side by side with what speaks for and against one person."""

    review: PatientReview
    first: Patient
    second: Patient
    verdict: Verdict


def screen(session: Session, settings: Settings, limit: int = 100) -> int:
    """Compares records that are new or changed with the others, and notes pairs for review; returns how many it compared."""
    fresh = select(Patient).outerjoin(PatientScreening, PatientScreening.patient_id == Patient.id).where(
        Patient.merged_into.is_(None), or_(PatientScreening.at.is_(None), PatientScreening.at < Patient.changed)
    )  # fmt: skip
    rows = list(session.scalars(fresh.order_by(Patient.changed).limit(limit)))
    for row in rows:
        index.reindex(session, settings, row)
        _note(session, settings, row)
        mark = session.get(PatientScreening, row.id)
        if mark is None:
            session.add(PatientScreening(patient_id=row.id, at=clock.now()))
        else:
            mark.at = clock.now()
        session.flush()
    return len(rows)


def waiting(session: Session) -> int:
    """How many records were not compared yet."""
    query = select(func.count()).select_from(Patient).outerjoin(PatientScreening, PatientScreening.patient_id == Patient.id)
    late = or_(PatientScreening.at.is_(None), PatientScreening.at < Patient.changed)
    return session.scalar(query.where(Patient.merged_into.is_(None), late)) or 0


def pairs(session: Session, state: str = "open", limit: int = 50) -> list[Pair]:
    """The pairs in a state, the surest first; decided ones the newest first."""
    query = select(PatientReview).where(PatientReview.state == state)
    order = (_FIRST, PatientReview.score.desc()) if state == "open" else (PatientReview.decided.desc(),)
    return [_pair(session, row) for row in session.scalars(query.order_by(*order).limit(limit))]


def pair(session: Session, review_id: str) -> Pair:
    """One pair; NotFound."""
    row = session.get(PatientReview, review_id)
    if row is None:
        raise NotFound
    return _pair(session, row)


def counts(session: Session) -> dict[str, int]:
    """How many pairs are in each state."""
    rows = session.execute(select(PatientReview.state, func.count()).group_by(PatientReview.state))
    return {row[0]: row[1] for row in rows}


def merge(session: Session, review_id: str, keep: str, *, why: str, by: str) -> PatientMerge:
    """One person: the other record leads to the one that is kept. Both stay as they are, so that it can be taken back."""
    row = _open(session, review_id, why)
    if keep not in (row.first_id, row.second_id):
        raise NotFound
    lose = row.second_id if keep == row.first_id else row.first_id
    made = index.merge(session, keep, lose, why=why, by=by)
    row.merge_id = made.id
    _decide(row, "merged", why, by)
    others = select(PatientReview).where(PatientReview.state == "open", or_(PatientReview.first_id == lose, PatientReview.second_id == lose))
    for other in session.scalars(others):
        other.state = "gone"
    session.flush()
    return made


def different(session: Session, review_id: str, *, why: str, by: str) -> PatientReview:
    """Two people: the pair is not shown again, whatever else is found."""
    row = _open(session, review_id, why)
    _decide(row, "different", why, by)
    session.flush()
    return row


def unmerge(session: Session, merge_id: str, *, why: str, by: str) -> PatientMerge:
    """Takes a merge back; its pair counts as different until somebody opens it again."""
    if not why.strip():
        raise Refused("Say why: the reason stays with the records.")
    done = index.unmerge(session, merge_id, by=by, why=why)
    for row in session.scalars(select(PatientReview).where(PatientReview.merge_id == merge_id)):
        _decide(row, "different", why, by)
        row.merge_id = None
    for patient_id in (done.kept_id, done.merged_id):  # pairs that the merge had settled are looked for again
        if (mark := session.get(PatientScreening, patient_id)) is not None:
            session.delete(mark)
    session.flush()
    return done


def reopen(session: Session, review_id: str, *, by: str) -> PatientReview:
    """Puts a pair that was called different before a person again."""
    row = session.get(PatientReview, review_id)
    if row is None:
        raise NotFound
    if row.state != "different":
        raise Conflict("Only a pair that was called different can be opened again.")
    row.state, row.decided, row.decided_by = "open", None, None
    session.flush()
    return row


def merges(session: Session, patient_id: str | None = None, limit: int = 100) -> Sequence[PatientMerge]:
    """The history of merges, newest first; of one record when asked."""
    query = select(PatientMerge).order_by(PatientMerge.at.desc()).limit(limit)
    if patient_id:
        query = query.where(or_(PatientMerge.kept_id == patient_id, PatientMerge.merged_id == patient_id))
    return list(session.scalars(query))


def systems(session: Session, patient_id: str) -> list[str]:
    """The other systems that know this record by a number of theirs."""
    query = select(PatientIdentifier.system).where(PatientIdentifier.patient_id == patient_id).distinct()
    return sorted(set(session.scalars(query)) - index.SYSTEMS)


def _note(session: Session, settings: Settings, row: Patient) -> None:
    found = {one.patient.id: one for one in index.find(session, settings, row.body) if one.patient.id != row.id}
    known = {
        other.second_id if other.first_id == row.id else other.first_id: other
        for other in session.scalars(select(PatientReview).where(or_(PatientReview.first_id == row.id, PatientReview.second_id == row.id)))
    }
    for other_id, one in found.items():
        if one.grade not in GRADES:
            continue
        review = known.get(other_id)
        if review is None:
            first, second = sorted((row.id, other_id))
            review = PatientReview(first_id=first, second_id=second, state="open", grade="", score=0.0, found=clock.now())
            session.add(review)
        elif review.state == "gone":
            review.state = "open"
        review.grade, review.score = one.grade, one.score
    for other_id, review in known.items():
        if review.state == "open" and (other_id not in found or found[other_id].grade not in GRADES):
            review.state = "gone"
    session.flush()


def _pair(session: Session, row: PatientReview) -> Pair:
    first, second = index.get(session, row.first_id), index.get(session, row.second_id)
    return Pair(row, first, second, compare(first.body, second.body))


def _open(session: Session, review_id: str, why: str) -> PatientReview:
    if not why.strip():
        raise Refused("Say why: the reason stays with the records.")
    row = session.get(PatientReview, review_id)
    if row is None:
        raise NotFound
    if row.state != "open":
        raise Conflict("Somebody has decided this pair already.")
    return row


def _decide(row: PatientReview, state: str, why: str, by: str) -> None:
    row.state, row.why, row.decided, row.decided_by = state, why, clock.now(), by
