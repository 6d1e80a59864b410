"""Pages of field mappings and code tables: edit, dry run, publish, compare, bring back."""

from __future__ import annotations

import re
from typing import Any

import orjson
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import Conflict, InvalidForm, NotFound
from integrations.mappings import book
from integrations.mappings.apply import Mapped, try_out
from integrations.mappings.tables import MappingHead
from web.access import allowed, signed_in
from web.db import db
from web.edge import outside
from web.governance import words
from web.governance.blueprint import bp

_ROW = re.compile(r"\s*(?P<code>.*?)\s*(?:=|→|\t)\s*(?P<value>.*?)\s*(?:#\s*(?P<note>.*))?$")


@bp.get("/mappings")
@allowed("governance.view")
def mappings() -> ResponseReturnValue:
    """All mappings and code tables."""
    rows = book.listed(db.session())
    return render_template("governance/mappings.html", rows=rows, FORMATS=words.FORMATS)


@bp.post("/mappings")
@allowed("mappings.change")
def create_mapping() -> ResponseReturnValue:
    """Begins a mapping or a code table."""
    form = request.form
    kind: book.Kind = "codes" if form.get("kind") == "codes" else "fields"
    try:
        row = book.create(
            db.session(), form.get("key", "").strip(), kind, name_en=form.get("name_en", "").strip()[:120],
            name_zh=form.get("name_zh", "").strip()[:120], by=signed_in().login,
        )  # fmt: skip
    except (InvalidForm, Conflict) as error:
        _refuse(error)
        return redirect(url_for("governance.mappings"))
    return redirect(url_for("governance.mapping", key=row.key))


@bp.get("/mappings/<key>")
@allowed("governance.view")
def mapping(key: str) -> ResponseReturnValue:
    """The editor of one mapping or code table, with its versions."""
    row = book.head(db.session(), key)
    return _editor(row, row.draft)


@bp.post("/mappings/<key>")
@allowed("mappings.change")
def save_mapping(key: str) -> ResponseReturnValue:
    """Keeps the draft; publishes it when asked."""
    row = book.head(db.session(), key)
    try:
        body = _given(row)
        book.save_draft(db.session(), key, body, by=signed_in().login)
        if "publish" not in request.form:
            flash(gettext("The draft is kept. It is not in use until it is published."), "good")
            return redirect(url_for("governance.mapping", key=key))
        made = book.publish(db.session(), key, comment=_comment(), by=signed_in().login)
    except (InvalidForm, Conflict) as error:
        _refuse(error)
        return _editor(row, _lenient(row)), 422
    flash(gettext("Version %(n)s is published and in use where the newest version is asked for.", n=made.number), "good")
    return redirect(url_for("governance.mapping", key=key))


@bp.post("/mappings/<key>/try")
@allowed("governance.view")
@outside
def try_mapping(key: str) -> ResponseReturnValue:
    """Maps a pasted message by what stands in the editor; keeps nothing."""
    row = book.head(db.session(), key)
    body, sample = _lenient(row), request.form.get("sample", "")
    result = try_out(db.session(), body, sample)
    if "HX-Request" in request.headers:
        return render_template("governance/_tried.html", **_shown(result))
    return _editor(row, body, sample=sample, result=result)


@bp.get("/mappings/<key>/compare")
@allowed("governance.view")
def compare_mapping(key: str) -> ResponseReturnValue:
    """Two versions of a mapping, or the newest and the draft."""
    row = book.head(db.session(), key)
    second = request.args.get("to", type=int)
    first = request.args.get("from", type=int) or (row.latest if second is None else max(second - 1, 1))
    old = book.version(db.session(), key, first)
    new = row.draft if second is None else book.version(db.session(), key, second).body
    lines = book.compare(old.body, new)
    return render_template(
        "governance/compare.html", row=row, first=first, second=second, lines=lines, versions=book.versions(db.session(), key)
    )


@bp.post("/mappings/<key>/restore")
@allowed("mappings.change")
def restore_mapping(key: str) -> ResponseReturnValue:
    """Publishes an older version's content again."""
    number = request.form.get("number", type=int)
    if number is None:
        raise NotFound
    try:
        made = book.restore(db.session(), key, number, comment=gettext("Back to version %(n)s", n=number), by=signed_in().login)
    except (InvalidForm, Conflict) as error:
        _refuse(error)
        return redirect(url_for("governance.mapping", key=key))
    flash(gettext("Version %(n)s is published and in use where the newest version is asked for.", n=made.number), "good")
    return redirect(url_for("governance.mapping", key=key))


def _editor(row: MappingHead, body: dict[str, Any], *, sample: str = "", result: Mapped | None = None) -> str:
    tables = [one for one in book.listed(db.session(), "codes") if one.latest] if row.kind == "fields" else []
    return render_template(
        "governance/mapping.html", row=row, body=body, lines=_lines(body), versions=book.versions(db.session(), row.key), tables=tables,
        sample=sample, FORMATS=words.FORMATS, **(_shown(result) if result else {"tried": None}),
    )  # fmt: skip


def _given(row: MappingHead) -> dict[str, Any]:
    """What the form says; InvalidForm names the line of a code table that cannot be read."""
    if row.kind == "fields":
        return _lenient(row)
    rows, wrong = [], []
    for number, line in enumerate(request.form.get("rows", "").splitlines(), start=1):
        if not line.strip():
            continue
        found = _ROW.match(line)
        if found is None or not found["code"]:
            wrong.append(gettext("line %(n)s: write it as code = value", n=number))
        else:
            rows.append({"code": found["code"], "value": found["value"], "note": found["note"] or ""})
    if wrong:
        raise InvalidForm({"rows": wrong[:10]})
    return {"rows": rows, "otherwise": request.form.get("otherwise", "").strip() or None}


def _comment() -> str:
    given = request.form.get("comment", "").strip()[:500]
    if not given:
        raise InvalidForm({"comment": [gettext("Say what you changed and why: the comment stays with the version.")]})
    return given


def _lenient(row: MappingHead) -> dict[str, Any]:
    """What the form says, even where it is wrong, so that nothing typed is lost."""
    if row.kind == "fields":
        expression = request.form.get("expression", "").replace("\r\n", "\n")
        return {"format": request.form.get("format", "json"), "expression": expression}
    return {"typed": request.form.get("rows", ""), "rows": [], "otherwise": request.form.get("otherwise", "").strip() or None}


def _lines(body: dict[str, Any]) -> str:
    if "typed" in body:
        return str(body["typed"])
    return "\n".join(f"{row['code']} = {row['value']}{'  # ' + row['note'] if row.get('note') else ''}" for row in body.get("rows", ()))


def _shown(result: Mapped) -> dict[str, Any]:
    value = None if result.value is None else orjson.dumps(result.value, option=orjson.OPT_INDENT_2).decode()
    return {"tried": result, "value": value, "problems": words.worded(result.problems)}


def _refuse(error: InvalidForm | Conflict) -> None:
    for text in words.refusal(error) if isinstance(error, InvalidForm) else [words.said(error.message)]:
        flash(text, "bad")
