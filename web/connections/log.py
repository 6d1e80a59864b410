"""The message log: found by patient, order, control id, connection, state, time and text; tried again, replayed, corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from sqlalchemy import select

from engine.errors import CarelaneError, NotFound
from engine.execution.tables import Instance
from integrations.connections import book
from integrations.messages import again, placing, search
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients import index
from web import patients
from web.access import allowed, may, signed_in
from web.connections.pages import bp
from web.connections.sentences import said
from web.db import db
from web.patients import note_read

PAGE = 50
NAMES = ("connection", "direction", "state", "text", "patient", "content", "since", "until", "after", "before")


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for, as it stands in the address: so it survives going to a message and back."""

    given: Mapping[str, str]

    @classmethod
    def read(cls) -> Filters:
        """From this request's query string."""
        return cls({name: text for name in NAMES if (text := request.args.get(name, "").strip()[:120])})

    def __getattr__(self, name: str) -> str:
        if name in NAMES:
            return self.given.get(name, "")
        raise AttributeError(name)

    def query(self, **changed: str | None) -> dict[str, str]:
        """As parts of a query string, some changed; a new filter begins at the newest."""
        merged = {**self.given, **changed}
        if changed and not {"after", "before"} & set(changed):
            merged = {**merged, "after": None, "before": None}
        return {name: text for name, text in merged.items() if text}

    def page(self, limit: int = PAGE) -> search.Page:
        """The page of messages that they ask for."""
        asked = {name: self.given.get(name) for name in ("connection", "direction", "state", "text")}
        times = {"since": _instant(self.since), "until": _instant(self.until)}
        knows = may("patient.identity")
        return search.page(
            db.session(), {**asked, **times}, content=self.content if knows else "", patients=_patients(self.patient, knows),
            after=self.given.get("after"), before=self.given.get("before"), limit=limit,
        )  # fmt: skip


@bp.get("/messages")
@allowed("messages.view")
def messages() -> ResponseReturnValue:
    """A page of the log."""
    filters = Filters.read()
    found = filters.page()
    visits = {row.instance_id for row in found.rows if row.instance_id}
    numbers = select(Instance.id, Instance.business_key).where(Instance.id.in_(visits))
    return render_template(
        "connections/messages.html",
        filters=filters,
        found=found,
        connections=book.listed(db.session()),
        names=patients.names(row.patient_id for row in found.rows),
        visits={row.id: row.business_key for row in db.session.execute(numbers)},
    )


@bp.get("/messages/<message_id>")
@allowed("messages.view")
def message(message_id: str) -> ResponseReturnValue:
    """One message with each stage's payload, masked until somebody who may asks to see it; that they did is recorded."""
    return _page(_row(message_id))


@bp.post("/messages/act")
@allowed("messages.act")
def act() -> ResponseReturnValue:
    """Tries again or replays several: those that are ticked, or all that the filters find."""
    filters, what, why = Filters.read(), request.form.get("what", ""), request.form.get("why", "")
    back = redirect(url_for("connections.messages", **filters.query()))
    ids = [row.id for row in filters.page(again.MOST_AT_ONCE).rows] if "all" in request.form else request.form.getlist("id")
    if what not in ("retry", "replay") or not ids or len(why.strip()) < again.SHORTEST_REASON:
        flash(gettext("Choose messages, and say why. Nothing was done."), "bad")
        return back
    done = again.many(db.session(), ids, what, by=signed_in().login, why=why)
    flash(ngettext("%(num)s message is under way.", "%(num)s messages are under way.", done.done), "good")
    if done.refused:
        reasons = "; ".join(said(why) for why in sorted(set(done.refused.values()))[:3])
        flash(ngettext("%(num)s could not be: %(why)s", "%(num)s could not be: %(why)s", len(done.refused), why=reasons), "warning")
    return back


@bp.post("/messages/<message_id>/<any(retry, replay, edit):what>")
@allowed("messages.act")
def act_on(message_id: str, what: str) -> ResponseReturnValue:
    """Tries one message again, replays it, or sends a corrected copy."""
    row, form, by = _row(message_id), request.form, signed_in().login
    why, sure = form.get("why", ""), "sure" in form
    try:
        with db.session.begin_nested():
            if what == "edit":
                done = again.edit(db.session(), row.id, _content(row, form.get("content", "")), by=by, why=why, sure=sure)
            elif what == "replay":
                done = again.replay(db.session(), row.id, by=by, why=why)
            else:
                done = again.retry(db.session(), row.id, by=by, why=why, sure=sure)
    except CarelaneError as error:
        flash(gettext("Nothing was done: %(why)s", why=said(error.message)), "bad")
        return _page(row), 422
    flash(gettext("Done and recorded."), "good")
    return redirect(url_for("connections.message", message_id=done.made_id or row.id, **Filters.read().query()))


def _row(message_id: str) -> MessageLog:
    row = db.session.get(MessageLog, message_id)
    if row is None:
        raise NotFound
    return row


def _page(row: MessageLog) -> str:
    shown = may("patient.identity") and "show" in request.args
    if shown:
        note_read("messages.view", row.patient_id or f"message:{row.id}")
    session = db.session()
    possible = again.possible(session, row) if may("messages.act") else ()
    children = select(MessageLog).where(MessageLog.origin_id == row.id).order_by(MessageLog.id)
    return render_template(
        "connections/message.html",
        row=row,
        filters=Filters.read(),
        connection=book.find(session, row.connection),
        visit=session.get(Instance, row.instance_id) if row.instance_id else None,
        patient=patients.names([row.patient_id]).get(row.patient_id or ""),
        job=again.job_of(session, row),
        stages=search.stages(row, masked=not shown, known=search.known_of(session, row)),
        shown=shown,
        possible=possible,
        editable=_editable(row) if "edit" in possible and may("patient.identity") and shown else None,
        actions=again.actions(session, row.id),
        origin=session.get(MessageLog, row.origin_id) if row.origin_id else None,
        children=list(session.scalars(children)),
        items=list(session.scalars(select(WorkItem).filter_by(message_id=row.id).order_by(WorkItem.created))),
        given=request.form,
    )


def _editable(row: MessageLog) -> str:
    if row.direction == "in":
        return placing.text_of(row).replace("\r", "\n")
    return orjson.dumps(again.input_of(db.session(), row), option=orjson.OPT_INDENT_2, default=str).decode()


def _content(row: MessageLog, text: str) -> Any:
    if row.direction == "in":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _patients(asked: str, knows: bool) -> list[str] | None:
    """Ids of the patients meant by a record number, or for those who may know by a full name; None when nobody is asked for."""
    if not asked:
        return None
    row = index.by_record_number(db.session(), asked)
    return [row.id] if row else patients.named(asked) if knows else []


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(current_app.config["CARELANE"].clinic_zone)) if text else None
    except ValueError:
        return None
