"""Migrations from old systems: one page a migration with its steps, one a batch with its sample and signature."""

from __future__ import annotations

import csv
import io
import re
import secrets
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, select

from engine.errors import CarelaneError, InvalidForm, NotFound
from engine.execution import instances
from engine.execution.tables import Instance
from engine.models.tables import Definition
from integrations.connections import book
from integrations.files.writing import safe
from integrations.legacy import acceptance, runs, source
from integrations.legacy.tables import LegacyMigration, LegacyRow, LegacyRun, LegacySample
from integrations.mappings import book as mappings
from integrations.patients.tables import Patient
from integrations.redact import mask
from web import shell
from web.access import allowed, may, signed_in
from web.db import db
from web.i18n import moment
from web.legacy import words
from web.patients import note_read

bp = Blueprint("legacy", __name__, template_folder="templates")
LAYOUT = ("format", "encoding", "delimiter", "columns", "row_path", "width_in")
ROWS = 100


@bp.get("/legacy")
@allowed("legacy.view")
def show() -> ResponseReturnValue:
    """All migrations, newest first, and the form of a new one."""
    rows = db.session.scalars(select(LegacyMigration).order_by(LegacyMigration.created.desc())).all()
    processes = db.session.scalars(select(Definition.key).where(Definition.kind == "process").distinct().order_by(Definition.key)).all()
    return render_template(
        "legacy/list.html", rows=rows, states={row.id: _states(row.id) for row in rows}, processes=processes,
        mappings=[row for row in mappings.listed(db.session(), "fields") if row.latest], departments=shell.departments(), words=words,
    )  # fmt: skip


@bp.post("/legacy")
@allowed("legacy.work")
def create() -> ResponseReturnValue:
    """Begins a migration."""
    form = {name: request.form.get(name, "").strip() for name in ("name", "source", "department", "process_id", "mapping")}
    try:
        row = source.create(db.session(), **form, by=signed_in().login)
    except InvalidForm as error:
        for field in error.errors:
            flash(words.wrong(field), "bad")
        return redirect(url_for("legacy.show"))
    return redirect(url_for("legacy.migration", migration_id=row.id))


@bp.get("/legacy/<migration_id>")
@allowed("legacy.view")
def migration(migration_id: str) -> ResponseReturnValue:
    """One migration: its source, what was checked and tried, its batches."""
    return render_template("legacy/migration.html", **_about(migration_id))


@bp.get("/legacy/<migration_id>/passes")
@allowed("legacy.view")
def passes(migration_id: str) -> ResponseReturnValue:
    """The part of the page that changes while a pass is under way."""
    return render_template("legacy/passes.html", **_about(migration_id))


@bp.post("/legacy/<migration_id>/source")
@allowed("legacy.work")
def take(migration_id: str) -> ResponseReturnValue:
    """Takes the rows of an uploaded file, or of a query."""
    row, file = source.get(db.session(), migration_id), request.files.get("file")
    try:
        with db.session.begin_nested():
            if request.form.get("connection"):
                source.from_query(db.session(), row, request.form["connection"], request.form.get("query", ""))
            elif file is not None and file.filename:
                layout = {name: request.form[name] for name in LAYOUT if request.form.get(name)}
                source.from_file(db.session(), row, file.stream, file.filename[:120], layout)
            else:
                flash(gettext("Choose a file, or a connection with a query."), "bad")
    except CarelaneError as error:
        flash(gettext("Nothing was taken: %(why)s", why=words.said(error.message)), "bad")
    return redirect(url_for("legacy.migration", migration_id=row.id))


@bp.post("/legacy/<migration_id>/mapping")
@allowed("legacy.work")
def remap(migration_id: str) -> ResponseReturnValue:
    """Takes the newest version of the mapping; the rows are to be checked anew."""
    row = source.get(db.session(), migration_id)
    source.remap(db.session(), row, mappings.head(db.session(), row.mapping_key).latest)
    return redirect(url_for("legacy.migration", migration_id=row.id))


@bp.post("/legacy/<migration_id>/runs")
@allowed("legacy.work")
def begin(migration_id: str) -> ResponseReturnValue:
    """Begins a pass; the worker carries it out."""
    row, form = source.get(db.session(), migration_id), request.form
    kind, most = form.get("kind", ""), form.get("most", "")
    if kind not in words.KINDS:
        raise NotFound
    target = runs.get(db.session(), form["target"]) if form.get("target") else None
    if target is not None and target.migration_id != row.id:
        raise NotFound
    try:
        runs.begin(db.session(), row, kind, by=signed_in().login, most=int(most) if most.isdecimal() and int(most) else None, target=target)
    except CarelaneError as error:
        flash(words.said(error.message), "bad")
    return redirect(url_for("legacy.migration", migration_id=row.id))


@bp.get("/legacy/<migration_id>/rows")
@allowed("legacy.view")
def rows(migration_id: str) -> ResponseReturnValue:
    """Rows of one state with their reasons."""
    row, state = source.get(db.session(), migration_id), request.args.get("state", "rejected")
    after = request.args.get("after", "0")
    query = select(LegacyRow).where(LegacyRow.migration_id == row.id, LegacyRow.state == state)
    found = db.session.scalars(
        query.where(LegacyRow.number > int(after if after.isdecimal() else 0)).order_by(LegacyRow.number).limit(ROWS)
    ).all()
    return render_template("legacy/rows.html", row=row, found=found, state=state, states=_states(row.id), more=len(found) == ROWS, words=words)


@bp.get("/legacy/<migration_id>/rejected.csv")
@allowed("legacy.view")
def rejected(migration_id: str) -> ResponseReturnValue:
    """Every rejected and refused row with its reasons; its content only for those who may see patients."""
    row = source.get(db.session(), migration_id)
    heads = [column["name"] for column in (row.profile or {}).get("columns", [])] if may("patient.identity") else []
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow([gettext("Row"), gettext("Line"), gettext("Case"), gettext("Reason"), *heads])
    query = select(LegacyRow).where(LegacyRow.migration_id == row.id, LegacyRow.state.in_(("rejected", "refused"))).order_by(LegacyRow.number)
    for one in db.session.scalars(query):
        texts = [words.said(reason["text"]) for reason in one.reasons or [] if reason["severity"] == "error"]
        writer.writerow(
            [one.number, one.line, safe(one.case_key), safe("; ".join(texts)), *(safe(str(one.raw.get(head) or "")) for head in heads)]
        )
    if heads:
        note_read("legacy.view", f"migration:{row.id}")
    name = {"Content-Disposition": f'attachment; filename="rejected-{row.id}.csv"', "Cache-Control": "no-store"}
    return Response("\ufeff" + made.getvalue(), mimetype="text/csv", headers=name)


@bp.get("/legacy/batches/<run_id>")
@allowed("legacy.view")
def batch(run_id: str) -> ResponseReturnValue:
    """One batch: what it did, its sample row by row, its signature."""
    run = _batch(run_id)
    shown = may("patient.identity") and "show" in request.args
    if shown:
        note_read("legacy.view", f"batch:{run.id}")
    pairs = [(one, _compared(one, shown=shown)) for one in acceptance.samples(db.session(), run)]
    return render_template(
        "legacy/batch.html", run=run, row=source.get(db.session(), run.migration_id), pairs=pairs, left=acceptance.batch_rows(db.session(), run),
        judged=sum(one.good is not None for one, _ in pairs), words=words, shown=shown,
    )  # fmt: skip


@bp.post("/legacy/batches/<run_id>/sample")
@allowed("legacy.sign")
def sample(run_id: str) -> ResponseReturnValue:
    """Draws the sample."""
    run, size, seed = _batch(run_id), request.form.get("size", ""), request.form.get("seed", "")
    chosen = int(seed) if seed.isdecimal() and len(seed) < 10 else secrets.randbelow(1_000_000)
    return _try(run, lambda: acceptance.draw(db.session(), run, int(size) if size.isdecimal() else 20, chosen))


@bp.post("/legacy/batches/<run_id>/sample/<sample_id>")
@allowed("legacy.sign")
def judge(run_id: str, sample_id: str) -> ResponseReturnValue:
    """A row of the sample is right, or wrong with a note."""
    run, form = _batch(run_id), request.form
    return _try(
        run, lambda: acceptance.judge(db.session(), run, sample_id, form.get("good") == "yes", form.get("note", ""), by=signed_in().login)
    )


@bp.post("/legacy/batches/<run_id>/sign")
@allowed("legacy.sign")
def sign(run_id: str) -> ResponseReturnValue:
    """Accepts or refuses the batch."""
    run, form = _batch(run_id), request.form
    return _try(run, lambda: acceptance.sign(db.session(), run, form.get("accepted") == "yes", form.get("note", ""), by=signed_in().login))


def _try(run: LegacyRun, act: Any) -> ResponseReturnValue:
    try:
        with db.session.begin_nested():
            act()
    except CarelaneError as error:
        flash(words.said(error.message), "bad")
    return redirect(url_for("legacy.batch", run_id=run.id))


def _batch(run_id: str) -> LegacyRun:
    run = runs.get(db.session(), run_id)
    if run.kind != "move":
        raise NotFound
    return run


def _about(migration_id: str) -> dict[str, Any]:
    row = source.get(db.session(), migration_id)
    found = runs.of(db.session(), row.id)
    links = [one.name for one in book.listed(db.session()) if one.kind == "sql"]
    newest = {kind: next((run for run in found if run.kind == kind), None) for kind in words.KINDS}
    newer = mappings.head(db.session(), row.mapping_key).latest > row.mapping_version
    return {
        "row": row, "runs": found, "newest": newest, "busy": any(run.state == "running" for run in found), "states": _states(row.id),
        "links": links, "newer": newer, "words": words,
    }  # fmt: skip


def _states(migration_id: str) -> dict[str, int]:
    query = select(LegacyRow.state, func.count()).where(LegacyRow.migration_id == migration_id).group_by(LegacyRow.state)
    return dict(db.session.execute(query).tuples().all())


def _compared(one: LegacySample, *, shown: bool) -> dict[str, Any]:
    """What the old system had, beside what is here now."""
    row = db.session.get_one(LegacyRow, one.row_id)
    patient = db.session.get(Patient, row.patient_id) if row.patient_id else None
    here: dict[str, Any] = dict(patient.body) if patient else {}
    facts = _standing(row)
    told = (lambda text: text) if shown else _masked
    return {
        "row": row, "old": {name: told(str(value)) for name, value in row.raw.items() if value},
        "here": {**{name: told(str(value)) for name, value in here.items() if value}, **facts},
    }  # fmt: skip


def _standing(row: LegacyRow) -> dict[str, Any]:
    """Where a moved case stands, and since when: nothing of it is personal."""
    case = db.session.get(Instance, row.instance_id) if row.instance_id else None
    if case is None:
        return {}
    found = {gettext("Begun"): moment(case.started), gettext("State"): words.COUNTS[row.stratum][0]}
    if case.ended is not None:
        return {**found, gettext("Ended"): moment(case.ended)}
    places = ", ".join(view.element_id for view in instances.tokens(db.session(), case.id))
    return {**found, gettext("Stands on"): places}


def _masked(text: str) -> str:
    """A moment says nothing of a person and must be compared; a date alone may be a birthday."""
    return text if re.fullmatch(r"[\d/.-]{8,10}[ T]\d{1,2}:\d{2}(:\d{2})?", text) else mask(text)
