"""The fields of a form, for people who pick variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forms.component import Component, Form
from forms.widget import widgets
from forms.widgets.datetime import subtype
from forms.wording import label_of

_MOMENTS = {"date": "date", "time": "time", "datetime": "date and time"}


class Field(NamedTuple):
    """A field by the name FEEL knows it, its FEEL type, and its label."""

    key: str
    type: str
    label: str


def fields(form: Form, lang: str = "en") -> list[Field]:
    """List the fields in document order; the cells of a list follow it as ``drugs.dose``, typed ``list of number``."""
    return list(_fields(form.inputs, lang, "", ""))


def _fields(inputs: tuple[Component, ...], lang: str, prefix: str, outer: str) -> Iterator[Field]:
    for component in inputs:
        kind = _MOMENTS[subtype(component)] if component.type == "datetime" else widgets()[component.type].feel
        if component.raw.get("serializeToString") is True:
            kind = "string"
        yield Field(prefix + component.name, outer + kind, label_of(component, lang))
        yield from _fields(component.inputs, lang, f"{prefix}{component.name}.", "list of ")
