"""Money: days, a day's report, its differences with what can be done, the signature."""

from __future__ import annotations

import gzip
import zlib
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import CarelaneError, NotFound
from integrations.payments import cases, sources, stored, upkeep
from integrations.payments.bills import MOST_BYTES, BillUnreadable
from integrations.payments.tables import ReconciliationDay
from web.access import allowed, signed_in
from web.db import db
from web.edge import outside
from web.money import page, words

bp = Blueprint("money", __name__, template_folder="templates")
bp.record_once(lambda state: words.init(state.app))


@bp.get("/money")
@allowed("money.view")
def show() -> ResponseReturnValue:
    """The newest days with their state."""
    session = db.session()
    yesterday = stored.yesterday()
    return render_template(
        "money/days.html", days=page.days(session), connections=page.connections(session), titles=page.titles(session), yesterday=yesterday
    )


@bp.post("/money/run")
@allowed("money.run")
@outside
def run() -> ResponseReturnValue:
    """Fetches a day's bill and compares. It asks another system, so it holds no lock of ours meanwhile."""
    day, connection = _day(request.form.get("day", "")), request.form.get("connection", "")
    if connection not in page.titles(db.session()):
        raise NotFound
    try:
        found = upkeep.compare(connection, day, by=signed_in().login)
    except CarelaneError as error:
        flash(error.message, "bad")
        return redirect(url_for("money.show"))
    return redirect(url_for("money.day", day_id=found))


@bp.get("/money/<day_id>")
@allowed("money.view")
def day(day_id: str) -> ResponseReturnValue:
    """One day of one connection."""
    row = stored.get(db.session(), day_id)
    return render_template("money/day.html", **page.report(db.session(), row, request.args.get("kind", "")))


@bp.post("/money/<day_id>/files")
@allowed("money.run")
def give(day_id: str) -> ResponseReturnValue:
    """Takes a side's file by hand and compares afresh."""
    row = stored.get(db.session(), day_id)
    side, file = request.form.get("side", ""), request.files.get("file")
    if side not in ("his", "provider") or file is None or not file.filename:
        flash(gettext("Choose a file and the side that it is of."), "bad")
        return redirect(url_for("money.day", day_id=row.id))
    by = signed_in().login
    try:
        sources.keep(db.session(), row, side, _unpacked(file.read()), by=by)
    except BillUnreadable as error:
        flash(gettext("The file cannot be read: %(why)s", why=error.message), "bad")
        return redirect(url_for("money.day", day_id=row.id))
    if sources.has_bill(db.session(), row):
        stored.run(db.session(), row.day, row.connection, by=by)
        cases.begin_open(db.session(), actor=by)
    flash(gettext("The file is kept, and the day is compared with it."), "good")
    return redirect(url_for("money.day", day_id=row.id))


@bp.get("/money/<day_id>/differences/<difference_id>")
@allowed("money.view")
def difference(day_id: str, difference_id: str) -> ResponseReturnValue:
    """One difference: its sides, the ledger's lines, what was decided."""
    row, item = stored.get(db.session(), day_id), cases.get(db.session(), difference_id)
    lines = cases.attempts(db.session(), item.payment_id) if item.payment_id else []
    return render_template("money/difference.html", lines=lines, item=item, **_of_one(row, item))


@bp.post("/money/<day_id>/differences/<difference_id>/owner")
@allowed("money.work")
def take(day_id: str, difference_id: str) -> ResponseReturnValue:
    """Gives a difference an owner; without a name, oneself."""
    item = cases.get(db.session(), difference_id)
    me = signed_in().login
    owner = request.form.get("owner") or me
    if owner not in {account.login for account in page.owners(db.session())}:
        raise NotFound
    cases.take(db.session(), item, owner, by=me)
    return redirect(_back(day_id, item.id))


@bp.post("/money/<day_id>/differences/<difference_id>/act")
@allowed("money.work")
def act(day_id: str, difference_id: str) -> ResponseReturnValue:
    """Decides what is done; the worker does it."""
    item = cases.get(db.session(), difference_id)
    reason = request.form.get("reason", "")
    if not reason.strip():
        flash(gettext("Say why: the reason stays beside the decision."), "bad")
        return redirect(_back(day_id, item.id))
    cases.act(db.session(), item, request.form.get("action", ""), reason, by=signed_in().login)
    flash(gettext("Decided. It is being done now; the difference shows when it is finished."), "good")
    return redirect(_back(day_id, item.id))


@bp.post("/money/<day_id>/sign")
@allowed("money.sign")
def sign(day_id: str) -> ResponseReturnValue:
    """Signs a day off."""
    row = stored.get(db.session(), day_id)
    if left := cases.undecided(db.session(), row):
        flash(gettext("Without a decision: %(n)s. The day cannot be signed yet.", n=left), "bad")
        return redirect(url_for("money.day", day_id=row.id))
    cases.sign(db.session(), row, by=signed_in().login, note=request.form.get("note", ""))
    flash(gettext("Signed. This day stays as it is from now on."), "good")
    return redirect(url_for("money.day", day_id=row.id))


@bp.get("/money/<day_id>/table.csv")
@allowed("money.view")
def table(day_id: str) -> ResponseReturnValue:
    """The day to take away."""
    row = stored.get(db.session(), day_id)
    name = f"reconciliation-{row.day}-{row.connection}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(page.table(row, _items(row)), content_type="text/csv; charset=utf-8", headers=headers)


@bp.get("/money/<day_id>/print")
@allowed("money.view")
def paper(day_id: str) -> ResponseReturnValue:
    """The day as it is printed and put in the file."""
    row = stored.get(db.session(), day_id)
    return render_template("money/print.html", day=row, items=_items(row), SIDES=page.SIDES, titles=page.titles(db.session()))


def _items(row: ReconciliationDay) -> list[dict[str, Any]]:
    """The differences as they were signed, or as they are now."""
    if row.signed is not None:
        return list(row.signed["differences"])
    return [cases.plain(item) for item in stored.differences(db.session(), row)]


def _of_one(row: ReconciliationDay, item: Any) -> dict[str, Any]:
    session = db.session()
    return {
        "day": row, "step": page.steps(session, [item])[item.id], "feasible": cases.feasible(item), "suggested": cases.suggested(item),
        "owners": page.owners(session), "titles": page.titles(session), "SIDES": page.SIDES,
    }  # fmt: skip


def _back(day_id: str, difference_id: str) -> str:
    if request.form.get("from") == "difference":
        return url_for("money.difference", day_id=day_id, difference_id=difference_id)
    return url_for("money.day", day_id=day_id, _anchor=f"d-{difference_id}")


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise NotFound from error


def _unpacked(content: bytes) -> bytes:
    """A gzipped file may be sent as it is; a bomb may not."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        unpacked = zlib.decompressobj(wbits=31)
        found = unpacked.decompress(content, MOST_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise BillUnreadable("The gzip file is damaged.") from error
    if unpacked.unconsumed_tail:
        raise BillUnreadable("The file is larger than any bill.")
    return found
