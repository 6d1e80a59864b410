"""The work list: messages that came in and found no place, until a person assigns or dismisses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, or_, select

from engine.errors import CarelaneError
from engine.execution.tables import Instance, Subscription
from integrations.hl7 import read
from integrations.messages import again, placing, search
from integrations.messages import worklist as items
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index
from integrations.patients.tables import Patient
from web.access import allowed, may, signed_in
from web.connections.pages import bp
from web.connections.sentences import said
from web.db import db
from web.patients import note_read

MOST_VISITS = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message may belong: a patient, a visit, and what it waits for; without a wait, the patient only."""

    patient: Patient | None
    visit: Instance | None
    wait: Subscription | None


@bp.get("/worklist")
@allowed("worklist.view")
def worklist() -> ResponseReturnValue:
    """Open messages, oldest first, by reason when one is asked for."""
    reason = request.args.get("reason", "")
    counts = select(WorkItem.reason, func.count()).where(WorkItem.state == "open").group_by(WorkItem.reason)
    rows = [pair for pair in items.open_items(db.session(), limit=500) if not reason or pair[0].reason == reason]
    found = {row[0]: row[1] for row in db.session.execute(counts)}
    return render_template("connections/worklist.html", rows=rows[:100], counts=found, reason=reason)


@bp.get("/worklist/<item_id>")
@allowed("worklist.place")
def item(item_id: str) -> ResponseReturnValue:
    """One message with the places that it may belong to."""
    return _page(item_id)


@bp.post("/worklist/<item_id>/assign")
@allowed("worklist.place")
def assign(item_id: str) -> ResponseReturnValue:
    """Gives a message to a waiting visit, or keeps it with a patient."""
    wait, patient, by = request.form.get("wait", ""), request.form.get("patient", ""), signed_in().login
    if wait:
        return _decided(item_id, lambda: placing.assign(db.session(), item_id, wait, by=by), gettext("The visit has it now."))
    index.get(db.session(), patient)
    return _decided(item_id, lambda: placing.attach(db.session(), item_id, patient, by=by), gettext("It is kept with the patient."))


@bp.post("/worklist/<item_id>/again")
@allowed("worklist.place")
def once_more(item_id: str) -> ResponseReturnValue:
    """Hands a message on by its own words once more, now that an order or a mapping may be there."""
    _, row = items.take(db.session(), item_id)
    why, by = request.form.get("why", "") or gettext("from the work list"), signed_in().login
    return _decided(item_id, lambda: again.retry(db.session(), row.id, by=by, why=why), gettext("It was handed on once more."))


@bp.post("/worklist/<item_id>/dismiss")
@allowed("worklist.place")
def dismiss(item_id: str) -> ResponseReturnValue:
    """Takes a message off the list, with a reason; it stays in the log."""
    why = request.form.get("why", "").strip()
    if len(why) < again.SHORTEST_REASON:
        flash(gettext("Say why it needs nobody. Nothing was changed."), "bad")
        return _page(item_id), 422
    by = signed_in().login
    return _decided(
        item_id, lambda: items.dismiss(db.session(), item_id, why[:500], by=by), gettext("Dismissed; the message stays in the log.")
    )


def _decided(item_id: str, decide: Any, told: str) -> ResponseReturnValue:
    try:
        with db.session.begin_nested():
            decide()
    except CarelaneError as error:
        flash(gettext("Nothing was changed: %(why)s", why=said(error.message)), "bad")
        return redirect(url_for("connections.item", item_id=item_id))
    flash(told, "good")
    return redirect(url_for("connections.worklist"))


def _page(item_id: str) -> str:
    listed, row = items.take(db.session(), item_id)
    shown = may("patient.identity") and "show" in request.args
    if shown:
        note_read("worklist.place", row.patient_id or f"message:{row.id}")
    asked = request.args.get("q", "").strip()[:100]
    found = _asked(asked) if asked else _named_in(row)
    places = [place for patient in found for place in _places(patient)]
    for place in places:
        note_read("worklist.place", place.patient.id if place.patient else None)
    return render_template(
        "connections/item.html",
        item=listed,
        row=row,
        stages=search.stages(row, masked=not shown, known=search.known_of(db.session(), row)),
        shown=shown,
        asked=asked,
        places=places,
        repeatable=placing.repeatable(db.session(), row),
    )


def _asked(text: str) -> list[Patient]:
    """Patients by record number, full name, or the number or ticket of their visit."""
    settings = current_app.config["CARELANE"]
    by_number = index.by_record_number(db.session(), text)
    by_name = [candidate.patient for candidate in index.find(db.session(), settings, {"name": text})] if may("patient.identity") else []
    subjects = select(Instance.subject).where(or_(Instance.business_key == text, Instance.ticket == text))
    by_visit = list(db.session.scalars(select(Patient).where(Patient.id.in_(subjects))))
    return list({row.id: row for row in ([by_number] if by_number else []) + by_name + by_visit}.values())


def _named_in(row: MessageLog) -> list[Patient]:
    """Patients that an HL7 message's PID may mean: by our record number, else by name and birth date."""
    try:
        message = read.parse(placing.text_of(row))
    except read.Unreadable:
        return []
    pid = message.first("PID")
    if pid is None:
        return []
    numbers = [message.of(pid, 3, 1, 1, repeat) for repeat in range(1, message.repeats(pid, 3) + 1)]
    known = [found for number in numbers if number and (found := index.by_record_number(db.session(), number)) is not None]
    name = f"{message.of(pid, 5, 1)}{message.of(pid, 5, 2)}"
    if not known and name and may("patient.identity"):
        known = [candidate.patient for candidate in index.find(db.session(), current_app.config["CARELANE"], {"name": name})]
    return list({found.id: found for found in known}.values())[:5]


def _places(patient: Patient) -> list[Place]:
    """A patient's running visits with each message that they wait for; the patient alone at the end."""
    running = select(Instance).where(Instance.subject == patient.id, Instance.state.in_(("running", "incident")))
    visits = list(db.session.scalars(running.order_by(Instance.started.desc()).limit(MOST_VISITS)))
    waits = select(Subscription).where(Subscription.kind == "message", Subscription.instance_id.in_([visit.id for visit in visits]))
    by_id = {visit.id: visit for visit in visits}
    listed = [Place(patient, by_id[str(wait.instance_id)], wait) for wait in db.session.scalars(waits.order_by(Subscription.created))]
    return [*listed, Place(patient, None, None)]
