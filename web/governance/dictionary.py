"""Pages of the data dictionary."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.datastructures import FileStorage

from engine.errors import Conflict, InvalidForm, NotFound
from integrations.dictionary import book, exchange
from integrations.dictionary.book import TYPES, Field
from web.access import ROLES, allowed, signed_in
from web.db import db
from web.governance import usage, words
from web.governance.blueprint import bp
from web.i18n import language


@bp.get("/dictionary")
@allowed("governance.view")
def dictionary() -> ResponseReturnValue:
    """All fields, those asked for by a word or a type."""
    found = book.fields(db.session())
    text, type_ = request.args.get("q", "").strip().lower(), request.args.get("type", "")
    rows = [one for one in found.values() if _fits(one, text) and type_ in ("", one.type)]
    return render_template("governance/dictionary.html", rows=rows, total=len(found), q=text, type_=type_, TYPES=words.TYPES)


@bp.get("/dictionary/field")
@allowed("governance.view")
def field() -> ResponseReturnValue:
    """One field with its history and where it is used; an empty form without a key."""
    key = request.args.get("key", "")
    return _form(book.field(db.session(), key) if key else None)


@bp.post("/dictionary/field")
@allowed("dictionary.change")
def save_field() -> ResponseReturnValue:
    """Adds or changes a field."""
    given = book.from_row(request.form)
    expected = request.form.get("revision", "")
    try:
        _not_there_yet(given, expected)
        saved = book.save(
            db.session(), given, by=signed_in().login, comment=request.form.get("comment", "").strip()[:500],
            expected=int(expected) if expected.isdecimal() else None,
        )  # fmt: skip
    except (InvalidForm, Conflict) as error:
        for text in words.refusal(error) if isinstance(error, InvalidForm) else [words.said(error.message)]:
            flash(text, "bad")
        return _form(given, fresh=not expected), 422
    flash(gettext("Saved."), "good")
    return redirect(url_for("governance.field", key=saved.key))


@bp.get("/dictionary.csv")
@allowed("governance.view")
def export_dictionary() -> ResponseReturnValue:
    """All fields as CSV."""
    answer = Response(exchange.export(db.session()), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename="dictionary.csv")
    return answer


@bp.post("/dictionary/import")
@allowed("dictionary.change")
def import_dictionary() -> ResponseReturnValue:
    """Takes fields from a CSV file, or only says what it would do."""
    dry = "dry" in request.form
    try:
        file = _file()
        comment = request.form.get("comment", "").strip()[:500] or str(file.filename)
        done = exchange.load(db.session(), file.read(), by=signed_in().login, comment=comment, dry=dry)
    except InvalidForm as error:
        for text in words.refusal(error)[:12]:
            flash(text, "bad")
        return redirect(url_for("governance.dictionary"))
    counts = {"added": len(done.added), "changed": len(done.changed), "unchanged": len(done.unchanged)}
    flash(
        gettext("Dry run: %(added)s would be added, %(changed)s changed, %(unchanged)s stay as they are.", **counts)
        if dry
        else gettext("Imported: %(added)s added, %(changed)s changed, %(unchanged)s stay as they are.", **counts),
        "good",
    )
    return redirect(url_for("governance.dictionary"))


@bp.get("/dictionary.json")
@allowed("studio.view")
def dictionary_json() -> ResponseReturnValue:
    """The fields for the studio's variable pickers, in the reader's language."""
    code = language()
    return [
        {
            "name": one.key, "label": getattr(one, f"name_{code}"), "meaning": getattr(one, f"meaning_{code}"), "type": one.type,
            "typeName": str(words.TYPES[one.type]), "unit": one.unit, "codes": one.codes,
        }
        for one in book.fields(db.session()).values()
        if not one.retired
    ]  # fmt: skip


def _not_there_yet(given: Field, expected: str) -> None:
    if not expected and given.key in book.fields(db.session()):
        raise Conflict(gettext("The dictionary has a field of this key already."))


def _file() -> FileStorage:
    file = request.files.get("file")
    if file is None or not file.filename:
        raise InvalidForm({"file": [gettext("Choose a file.")]})
    return file


def _fits(one: Field, text: str) -> bool:
    return any(text in part.lower() for part in (one.key, one.name_en, one.name_zh, one.meaning_en, one.meaning_zh))


def _form(one: Field | None, *, fresh: bool = False) -> str:
    key = one.key if one else ""
    try:
        known = book.field(db.session(), key) if key and not fresh else None
    except NotFound:
        known = None
    return render_template(
        "governance/field.html", one=one, known=known, history=book.history(db.session(), key) if known else [],
        uses=usage.of(db.session(), key) if known else [], TYPES={name: words.TYPES[name] for name in TYPES}, PARTS=words.PARTS, ROLES=ROLES,
    )  # fmt: skip
