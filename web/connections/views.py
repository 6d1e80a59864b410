"""The page of connections: how each does, start and stop, test, edit with history. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import NotFound
from integrations.connections import book, history, kinds, probe
from integrations.connections.tables import Connection
from integrations.messages import figures, routes
from web.access import allowed, signed_in
from web.connections import log, worklist
from web.connections.pages import bp, field_title, title_of
from web.connections.sentences import said
from web.connections.words import WRONG
from web.db import db
from web.edge import Then, outside

__all__ = ["bp", "log", "worklist"]


@bp.get("/connections")
@allowed("connections.view")
def show() -> ResponseReturnValue:
    """Every connection with its figures and alarms."""
    return render_template("connections/list.html", **_overview())


@bp.get("/connections/table")
@allowed("connections.view")
def table() -> ResponseReturnValue:
    """Only the table, for its refresh."""
    return render_template("connections/table.html", **_overview())


@bp.get("/connections/new")
@allowed("connections.change")
def new() -> ResponseReturnValue:
    """An empty form for one kind of connection."""
    kind = request.args.get("kind", "")
    return render_template("connections/new.html", kinds=kinds.KINDS, kind=kind if kind in kinds.KINDS else "", given={}, wrong={})


@bp.post("/connections")
@allowed("connections.change")
def create() -> ResponseReturnValue:
    """Adds a connection; it begins stopped, so that its address can be tested first."""
    name, kind = request.form.get("name", "").strip(), request.form.get("kind", "")
    if kind not in kinds.KINDS:
        raise NotFound
    address, wrong = _read(kind, {})
    if not kinds.NAME.fullmatch(name) or book.find(db.session(), name) is not None:
        flash(gettext("A connection needs a name of small letters that no other has. Nothing was saved."), "bad")
        return render_template("connections/new.html", kinds=kinds.KINDS, kind=kind, given=request.form, wrong=wrong), 422
    if wrong:
        _complain(wrong)
        return render_template("connections/new.html", kinds=kinds.KINDS, kind=kind, given=request.form, wrong=wrong), 422
    by = signed_in().login
    _put(name, kind, kinds.KINDS[kind].direction, address, by)
    book.switch(db.session(), name, "stopped", by=by)
    flash(gettext("Saved. Test it, then start it."), "good")
    return redirect(url_for("connections.connection", name=name))


@bp.get("/connections/<name>")
@allowed("connections.view")
def connection(name: str) -> ResponseReturnValue:
    """One connection: figures, settings, history."""
    return _page(_row(name))


@bp.post("/connections/<name>")
@allowed("connections.change")
def save(name: str) -> ResponseReturnValue:
    """Saves settings after checking them; secrets that are left empty stay."""
    row = _row(name)
    address, wrong = _read(row.kind, row.address)
    for field, most in (("alert_minutes", 1440), ("keep_days", 3650)):
        text = request.form.get(field, "").strip()
        if text and not (text.isdecimal() and 0 < int(text) <= most):
            wrong[field] = "required"
    if wrong:
        _complain(wrong)
        return _page(row, wrong), 422
    _put(row.name, row.kind, row.direction, address, signed_in().login)
    flash(gettext("Saved. Calls use it within five seconds."), "good")
    return redirect(url_for("connections.connection", name=name))


@bp.post("/connections/<name>/start")
@allowed("connections.change")
def start(name: str) -> ResponseReturnValue:
    """Starts a connection; what waited for it goes on."""
    row = book.switch(db.session(), _row(name).name, "started", by=signed_in().login)
    flash(gettext("%(name)s is started; what waited goes on.", name=title_of(row)), "good")
    return redirect(_back(name))


@bp.post("/connections/<name>/stop")
@allowed("connections.change")
def stop(name: str) -> ResponseReturnValue:
    """Stops a connection: calls wait and keep their tries, senders are asked to send again later."""
    row = book.switch(db.session(), _row(name).name, "stopped", by=signed_in().login)
    flash(gettext("%(name)s is stopped: calls wait and keep their tries, senders are asked to send again later.", name=title_of(row)), "good")
    return redirect(_back(name))


@bp.post("/connections/<name>/test")
@allowed("connections.change")
@outside
def test(name: str) -> Then:
    """Reaches the far end without doing anything there; only then is how it went noted."""
    row = _row(name)
    link, title = book.copy(row), title_of(row)
    db.session.rollback()  # nothing is held while the far end takes its time
    tested = probe.ask(link)
    return Then(lambda: _tested(name, title, tested))


def _tested(name: str, title: str, tested: probe.Tested) -> ResponseReturnValue:
    probe.note(db.session(), name, tested)
    told = {"name": title, "message": said(tested.message), "ms": round(tested.seconds * 1000)}
    if tested.good:
        flash(gettext("%(name)s: %(message)s (%(ms)s ms)", **told), "good")
    else:
        flash(gettext("%(name)s does not answer: %(message)s", name=title, message=said(tested.message)), "bad")
    return redirect(_back(name))


def _row(name: str) -> Connection:
    return book.get(db.session(), name)


def _back(name: str) -> str:
    return url_for("connections.show") if request.form.get("to") == "list" else url_for("connections.connection", name=name)


def _overview() -> dict[str, Any]:
    rows = {row.name: row for row in book.listed(db.session())}
    alarms = figures.alarms(db.session())
    return {"figures": figures.figures(db.session()), "rows": rows, "alarms": alarms}


def _page(row: Connection, wrong: dict[str, str] | None = None) -> str:
    given = request.form if wrong else None
    return render_template(
        "connections/connection.html",
        row=row,
        figure=next(f for f in figures.figures(db.session()) if f.name == row.name),
        alarms=[alarm for alarm in figures.alarms(db.session()) if alarm.connection == row.name],
        fields=kinds.fields_of(row.kind, row.address),
        secrets=sorted({*(kinds.KINDS[row.kind].secrets if row.kind in kinds.KINDS else ()), *(row.secrets or {})}),
        elsewhere=book.elsewhere(row.name),
        changes=history.of(db.session(), row.name),
        given=given,
        wrong=wrong or {},
    )


def _read(kind: str, before: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The address of the form with what is wrong; the mappings that it names must be published."""
    address, wrong = kinds.read_address(kind, request.form, before)
    if routes.missing(db.session(), str(address.get("mappings") or "")):
        wrong["mappings"] = "unpublished"
    return address, wrong


def _complain(wrong: dict[str, str]) -> None:
    listed = "; ".join(f"{field_title(name)} {WRONG.get(kind, kind)}" for name, kind in wrong.items())
    flash(gettext("Nothing was saved: %(wrong)s.", wrong=listed), "bad")


def _put(name: str, kind: str, direction: str, address: dict[str, Any], by: str) -> None:
    form = request.form
    secrets = {key.removeprefix("secret."): value for key, value in form.items() if key.startswith("secret.") and value}
    title = {code: text for code in ("zh", "en") if (text := form.get(f"title.{code}", "").strip()[:100])}
    keep, alert = form.get("keep_days", "").strip(), form.get("alert_minutes", "").strip()
    book.put(
        db.session(), name, kind, address=address, secrets=secrets or None, direction=direction, title=title,
        alert_minutes=int(alert) if alert.isdecimal() else None, keep_days=int(keep) if keep.isdecimal() else None, by=by,
    )  # fmt: skip
