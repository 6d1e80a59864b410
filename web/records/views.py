"""The access record, for the administrator: who saw whose data when. Patients show by record number only."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from integrations.patients.tables import Patient
from web.access import allowed
from web.db import db
from web.records.tables import AccessRecord

bp = Blueprint("records", __name__, template_folder="templates")

PAGE = 100


@bp.get("/admin/records")
@allowed("admin.records")
def show() -> ResponseReturnValue:
    """The newest rows, of one person or one patient when asked."""
    query = select(AccessRecord, Patient.record_number).outerjoin(Patient, Patient.id == AccessRecord.patient)
    if actor := request.args.get("actor", "").strip():
        query = query.where(AccessRecord.actor == actor)
    if number := request.args.get("number", "").strip():
        query = query.where(Patient.record_number == number)
    if (before := request.args.get("before", "")).isdecimal():
        query = query.where(AccessRecord.id < int(before))
    rows = list(db.session.execute(query.order_by(AccessRecord.id.desc()).limit(PAGE + 1)))
    older = rows[PAGE - 1][0].id if len(rows) > PAGE else None
    return render_template("records/show.html", rows=rows[:PAGE], actor=actor, number=number, older=older)
