"""Pages where a person decides whether two records are one patient."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import Conflict, Refused
from integrations.patients import index, review
from integrations.patients.match import WEIGHTS
from integrations.patients.review import Pair
from integrations.patients.tables import PatientMerge
from web.access import allowed, signed_in
from web.db import db
from web.governance import words
from web.governance.blueprint import bp
from web.patients import note_read

STATES = ("open", "merged", "different")


@bp.get("/duplicates")
@allowed("patient.review")
def duplicates() -> ResponseReturnValue:
    """Pairs of records that may be one person."""
    state = request.args.get("state", "open")
    state = state if state in STATES else "open"
    pairs = review.pairs(db.session(), state)
    _note(pairs)
    return render_template(
        "governance/duplicates.html", pairs=pairs, state=state, counts=review.counts(db.session()), waiting=review.waiting(db.session()),
        GRADES=words.GRADES, LABELS=words.DEMOGRAPHICS, OUTCOMES=words.OUTCOMES,
    )  # fmt: skip


@bp.get("/duplicates/<review_id>")
@allowed("patient.review")
def duplicate(review_id: str) -> ResponseReturnValue:
    """Two records side by side."""
    pair = review.pair(db.session(), review_id)
    _note([pair])
    merges = [*review.merges(db.session(), pair.first.id), *review.merges(db.session(), pair.second.id)]
    return render_template(
        "governance/duplicate.html", pair=pair, rows=_rows(pair), GRADES=words.GRADES, OUTCOMES=words.OUTCOMES, LABELS=words.DEMOGRAPHICS,
        systems={one.id: review.systems(db.session(), one.id) for one in (pair.first, pair.second)},
        merges=list({one.id: one for one in merges}.values()), numbers=_numbers(merges),
    )  # fmt: skip


@bp.post("/duplicates/<review_id>")
@allowed("patient.review")
def decide_duplicate(review_id: str) -> ResponseReturnValue:
    """One person or two, with the reason."""
    keep, why = request.form.get("keep", ""), request.form.get("why", "").strip()[:500]
    try:
        if request.form.get("decision") == "merge":
            review.merge(db.session(), review_id, keep, why=why, by=signed_in().login)
            flash(gettext("The records are merged. This can be taken back below."), "good")
        elif request.form.get("decision") == "reopen":
            review.reopen(db.session(), review_id, by=signed_in().login)
        else:
            review.different(db.session(), review_id, why=why, by=signed_in().login)
            flash(gettext("Noted: two people. The pair is not shown again."), "good")
    except (Refused, Conflict) as error:
        flash(words.said(error.message), "bad")
    return redirect(url_for("governance.duplicate", review_id=review_id))


@bp.get("/merges")
@allowed("patient.review")
def merges() -> ResponseReturnValue:
    """The history of merges and of those taken back."""
    rows = review.merges(db.session())
    return render_template("governance/merges.html", rows=rows, numbers=_numbers(rows))


@bp.post("/merges/<merge_id>/undo")
@allowed("patient.review")
def undo_merge(merge_id: str) -> ResponseReturnValue:
    """Takes a merge back."""
    try:
        review.unmerge(db.session(), merge_id, why=request.form.get("why", "").strip()[:500], by=signed_in().login)
        flash(gettext("The merge is taken back: both records stand on their own again."), "good")
    except (Refused, Conflict) as error:
        flash(words.said(error.message), "bad")
    return redirect(url_for("governance.merges"))


def _note(pairs: list[Pair]) -> None:
    for pair in pairs:
        note_read("patient.review", pair.first.id)
        note_read("patient.review", pair.second.id)


def _rows(pair: Pair) -> list[dict[str, Any]]:
    """Each field of both records with what it says for or against one person."""
    parts = {part.field: part for part in pair.verdict.parts}
    names = [name for name in words.DEMOGRAPHICS if name in WEIGHTS or pair.first.body.get(name) or pair.second.body.get(name)]
    return [{"name": name, "first": pair.first.body.get(name), "second": pair.second.body.get(name), "part": parts.get(name)} for name in names]


def _numbers(rows: Any) -> dict[str, str]:
    wanted = {i for row in rows if isinstance(row, PatientMerge) for i in (row.kept_id, row.merged_id)}
    return {i: index.get(db.session(), i).record_number for i in wanted}
