"""What differs between two versions, as plain rows in the reader's words for the page and the deploy dialog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from flask_babel import gettext

import forms
from engine.errors import InvalidModel
from engine.models import diff
from engine.models.read import read
from web.i18n import language
from web.studio.table import Table, tables
from web.studio.words import kind_word, property_word, type_word


class Row(TypedDict):
    """One change: `kind` is added, removed, changed or moved."""

    kind: str
    word: str
    element: str
    type: str
    name: str
    property: str
    before: str
    after: str


def changes(kind: str, old: bytes, new: bytes) -> list[Row]:
    """The changes from one file to another of the same kind."""
    found = {"process": _process, "form": _form, "decision": _decision}[kind](old, new)
    return list(found)


def _process(old: bytes, new: bytes) -> Iterator[Row]:
    names = {key: label for content in (old, new) for key, label in _labels(content)}
    drawn = 0
    for c in diff.diff(old, new):
        if c.kind == "moved" and c.property == "place":
            drawn += 1
            continue
        word = property_word(c.property) if c.property else ""
        yield _row(c.kind, c.element, type_word(c.element_type), names.get(c.element) or c.name, word, c.old, c.new)
    if drawn:
        yield _row("moved", "", "", gettext("%(n)s shapes", n=drawn), gettext("place in the drawing"), None, None)


def _labels(content: bytes) -> Iterator[tuple[str, str]]:
    """The names of a diagram's elements in the reader's language, where they have one."""
    for model in read(content):
        yield model.id, model.label(language())
        yield from ((e.id, e.label(language())) for e in model.elements.values() if e.name)


def _form(old: bytes, new: bytes) -> Iterator[Row]:
    try:
        found = forms.diff(forms.load(old), forms.load(new))
    except forms.FormInvalid as error:
        raise InvalidModel([], str(error)) from error
    for c in found:
        yield _row(c.kind, c.component, c.type, c.component, c.property, c.before, c.after)


def _decision(old: bytes, new: bytes) -> Iterator[Row]:
    before, after = ({t.decision: t for t in tables(content)} for content in (old, new))
    for key in [*before, *(k for k in after if k not in before)]:
        one, other = before.get(key), after.get(key)
        if one is None or other is None:
            yield _row("added" if one is None else "removed", key, gettext("decision table"), (one or other or _EMPTY).name)
        else:
            yield from _table(one, other)
    if old != new and before == after:
        yield _row("changed", "", "", gettext("parts outside the tables"))


def _table(one: Table, other: Table) -> Iterator[Row]:
    if one.hit_policy != other.hit_policy:
        yield _row("changed", one.decision, gettext("decision table"), other.name, gettext("hit policy"), one.hit_policy, other.hit_policy)
    olds, news = {r.id: r for r in one.rules}, {r.id: r for r in other.rules}
    for number, rule in enumerate(other.rules, 1):
        was = olds.get(rule.id)
        label = gettext("rule %(n)s", n=number)
        if was is None:
            yield _row("added", other.decision, label, other.name, "", None, " | ".join((*rule.cells, *rule.results)))
            continue
        columns = zip((*other.inputs, *other.outputs), (*was.cells, *was.results), (*rule.cells, *rule.results), strict=False)
        for column, cell, now in columns:
            if cell != now:
                yield _row("changed", other.decision, label, other.name, column, cell, now)
    for number, rule in enumerate(one.rules, 1):
        if rule.id not in news:
            label = gettext("rule %(n)s", n=number)
            yield _row("removed", one.decision, label, one.name, "", " | ".join((*rule.cells, *rule.results)), None)


_EMPTY = Table("", "", "", (), (), ())


def _row(kind: str, element: str, type_: str, name: str | None, property_: str = "", before: Any = None, after: Any = None) -> Row:
    texts = ["" if value is None else str(value) for value in (name, property_, before, after)]
    return Row(
        kind=kind,
        word=kind_word(kind),
        element=element,
        type=type_,
        name=texts[0],
        property=texts[1],
        before=texts[2],
        after=texts[3],
    )
