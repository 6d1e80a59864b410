"""Pages of data quality: the scorecard, what is behind a figure, and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from engine.errors import InvalidForm, NotFound
from integrations.dictionary import book as dictionary
from integrations.mappings import book as mapping_book
from integrations.quality import rules, scorecard
from integrations.quality.rules import Rule
from integrations.quality.tables import QualityScore
from web.access import allowed, signed_in
from web.db import db
from web.governance import words
from web.governance.blueprint import bp

DAYS = 14
WIDTH, HEIGHT = 8, 28  # of one day's bar


@dataclass(frozen=True, slots=True)
class Source:
    """One source's card: its newest day, and a bar a day."""

    name: str
    newest: QualityScore
    bars: list[dict[str, Any]]


@bp.get("/quality")
@allowed("governance.view")
def quality() -> ResponseReturnValue:
    """The scorecard of the last two weeks, a row a source."""
    last = _asked_day()
    rows = scorecard.days(db.session(), last, DAYS)
    names = sorted({row.source for row in rows})
    cards = [_card(name, [row for row in rows if row.source == name], last) for name in names]
    return render_template("governance/quality.html", cards=cards, last=last, KINDS=words.FOUND, DAYS=DAYS)


@bp.get("/quality/findings")
@allowed("governance.view")
def findings() -> ResponseReturnValue:
    """What broke a rule on a day, each linked to its message."""
    source, kind = request.args.get("source", ""), request.args.get("kind", "")
    day = _asked_day()
    rows = scorecard.found(db.session(), source, day, kind)
    demands = {one.id: one for one in rules.rules(db.session())}
    return render_template(
        "governance/findings.html", rows=rows, source=source, day=day, kind=kind, demands=demands, KINDS=words.FOUND,
        SEVERITIES=words.SEVERITIES, said=_said,
    )  # fmt: skip


@bp.get("/quality/rules")
@allowed("governance.view")
def quality_rules() -> ResponseReturnValue:
    """All rules."""
    return render_template("governance/rules.html", rows=rules.rules(db.session()), KINDS=words.KINDS, SEVERITIES=words.SEVERITIES)


@bp.get("/quality/rule")
@allowed("governance.view")
def quality_rule() -> ResponseReturnValue:
    """One rule's form; an empty one without an id."""
    rule_id = request.args.get("id", "")
    return _form(rules.rule(db.session(), rule_id) if rule_id else None)


@bp.post("/quality/rule")
@allowed("quality.change")
def save_rule() -> ResponseReturnValue:
    """Adds or changes a rule."""
    rule_id = request.form.get("id", "")
    if rule_id:
        rules.rule(db.session(), rule_id)
    given = _rule(rule_id)
    try:
        rules.save(db.session(), given, by=signed_in().login)
    except InvalidForm as error:
        for text in words.refusal(error):
            flash(text, "bad")
        return _form(given), 422
    flash(gettext("Saved. It holds for what comes from now on."), "good")
    return redirect(url_for("governance.quality_rules"))


def _card(name: str, rows: list[QualityScore], last: str) -> Source:
    by_day = {row.day: row for row in rows}
    bars = []
    for index in range(DAYS):
        day = (date.fromisoformat(last) - timedelta(days=DAYS - 1 - index)).isoformat()
        row = by_day.get(day)
        height = max(2, round(HEIGHT * row.share)) if row else 0
        bars.append({"day": day, "x": index * (WIDTH + 3), "y": HEIGHT - height, "height": height, "row": row})
    return Source(name, rows[-1], bars)


def _asked_day() -> str:
    given = request.args.get("day", "")
    try:
        return date.fromisoformat(given).isoformat() if given else scorecard.today(current_app.config["CARELANE"])
    except ValueError as error:
        raise NotFound from error


def _form(one: Rule | None) -> str:
    return render_template(
        "governance/rule.html", one=one, KINDS=words.KINDS, SEVERITIES=words.SEVERITIES, FORMATS=rules.FORMATS,
        fields=dictionary.fields(db.session()).values(), tables=mapping_book.listed(db.session(), "codes"),
    )  # fmt: skip


def _rule(rule_id: str) -> Rule:
    form = request.form
    kind = form.get("kind", "")
    parameters: dict[str, Any] = {
        name: value for name in _PARAMETERS.get(kind, ()) if (value := form.get(name, "").strip()) != ""
    }  # fmt: skip
    for name in {"low", "high", "days"} & set(parameters):
        parameters[name] = _number(parameters[name])
    return Rule(
        id=rule_id, field=form.get("field", "").strip(), kind=kind, severity=form.get("severity", ""), source=form.get("source", "").strip(),
        about=form.get("about", "").strip(), active="active" in form, parameters=parameters, why=form.get("why", "").strip()[:300],
    )  # fmt: skip


def _number(text: str) -> float | int | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _said(detail: str) -> str:
    head, colon, tail = detail.partition(": ")
    return f"{head}: {words.said(tail)}" if colon else words.said(detail)


_PARAMETERS = {
    "range": ("low", "high"), "format": ("as",), "code": ("table",), "duplicate": ("days",), "order": ("after",), "condition": ("feel",),
}  # fmt: skip
