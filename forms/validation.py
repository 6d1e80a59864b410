"""Checking what was submitted, with marshmallow schemas built of the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing
from marshmallow.experimental.context import Context

from forms.component import Component, Form
from forms.paths import MISSING, dig, is_empty, leaves, merge, put
from forms.scope import Evaluate, Scope, make_scope
from forms.visibility import Rows, State, settle
from forms.widget import widgets
from forms.widgets.dynamiclist import first_rows, is_open, known_rows, row_limits

Errors = dict[str, list[str]]


@dataclass(frozen=True)
class Note:
    """A submitted value that was dropped, and why: ``unknown``, ``readonly`` or ``hidden``."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True)
class Validated:
    """What came of a submission. ``values`` are typed and nested; ``errors`` map dotted paths (``drugs.0.dose``)."""

    values: dict[str, object]
    errors: Errors
    notes: tuple[Note, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything was right."""
        return not self.errors


class ComponentField(fields.Field[Any]):
    """The marshmallow field of one component; its widget parses, the scope of the call gives context and language."""

    def __init__(self, component: Component) -> None:
        self.component = component
        super().__init__(data_key=component.name, attribute=component.name, allow_none=True)

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **_: Any) -> Any:
        """Parse the value; a field left out of the submission takes its default. Raises ValidationError."""
        scope = cast("Scope", Context[Scope].get())
        component, widget = self.component, widgets()[self.component.type]
        given = component.raw.get("defaultValue") if value is missing else value
        typed = widget.parse(component, given, scope)
        if component.required and widget.is_missing(typed):
            raise ValidationError(scope.say(widget.required_message))
        return typed


@lru_cache(maxsize=1024)
def schema_of(owner: Form | Component) -> type[Schema]:
    """Build the marshmallow schema of a form, or of one row of a dynamic list."""
    values = [component for component in owner.inputs if widgets()[component.type].holds == "value"]
    # Attribute names are the JSON places: dots in them would mean nesting to marshmallow's ``exclude``.
    return Schema.from_dict({_attribute(component): ComponentField(component) for component in values}, name="FormSchema")


def _attribute(component: Component) -> str:
    return component.place.replace(".", "/")


def validate(
    form: Form,
    submitted: Mapping[str, object],
    context: Mapping[str, object] | None = None,
    lang: str = "zh",
    evaluate: Evaluate | None = None,
    *,
    zone: str | None = None,
    now: datetime | None = None,
) -> Validated:
    """Check a submission and give typed values, errors in the person's language, and what was dropped.

    ``submitted`` is nested data (JSON, or ``from_html``), ``context`` the process variables, ``evaluate`` FEEL. Fields
    that are hidden, read only or disabled are never taken. Raises ExpressionNeeded for FEEL without ``evaluate``.
    """
    scope = make_scope(lang, context, evaluate, zone, now)
    state = settle(form, submitted, scope)
    check = _Check(state)
    values = check.owner(form, submitted, scope.variables, scope.over({}), (), "")
    check.unknown(form, submitted, scope)
    # A variable is replaced as a whole, so an object must keep what it holds beside the fields of this form.
    values = {name: merge(scope.variables.get(name), value) if isinstance(value, dict) else value for name, value in values.items()}
    return Validated(values, check.errors, tuple(check.notes))


class _Check:
    """One pass over a submission, collecting errors and notes."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.errors: Errors = {}
        self.notes: list[Note] = []

    def owner(
        self, owner: Form | Component, raw: Mapping[str, object], known: object, scope: Scope, rows: Rows, prefix: str
    ) -> dict[str, object]:
        """Check one scope: the whole form, or one row."""
        shut = {component.place: self.shut(component, rows) for component in owner.inputs}
        values = self.load(owner, raw, scope, shut, prefix)
        for component in owner.inputs:
            given = dig(raw, component.path)
            if shut[component.place]:
                self.drop(component, given, known, values, rows, prefix, scope)
            elif widgets()[component.type].holds == "rows":
                put(values, component.path, self.rows(component, given, known, scope, rows, prefix + component.name))
        return values

    def shut(self, component: Component, rows: Rows) -> str:
        place = (component.place, rows)
        return "hidden" if place in self.state.hidden else "readonly" if place in self.state.locked else ""

    def load(self, owner: Form | Component, raw: Mapping[str, object], scope: Scope, shut: Mapping[str, str], prefix: str) -> dict[str, object]:
        wanted = [component for component in owner.inputs if widgets()[component.type].holds == "value"]
        skipped = {_attribute(component) for component in wanted if shut[component.place]}
        found = {component.name: dig(raw, component.path) for component in wanted}
        flat = {name: value for name, value in found.items() if value is not MISSING}
        values = dict[str, object]()
        with Context(scope):
            try:
                values.update(schema_of(owner)(exclude=skipped, unknown=EXCLUDE).load(flat))
            except ValidationError as error:
                values.update(cast("dict[str, object]", error.valid_data))
                messages = cast("dict[str, list[str]]", error.messages)
                self.errors.update({prefix + name: words for name, words in messages.items()})
        return values

    def drop(
        self, component: Component, given: object, known: object, values: dict[str, object], rows: Rows, prefix: str, scope: Scope
    ) -> None:
        """Leave a field out; a read-only one that no variable holds yet contributes its default, as in form-js."""
        place, held, path = (component.place, rows), dig(known, component.path), prefix + component.name
        reason = self.shut(component, rows)
        if given is not MISSING and not is_empty(given) and given != held:
            self.notes.append(Note(path, reason, scope.say(f"note_{reason}", path=path)))
        default = component.raw.get("defaultValue")
        if reason == "readonly" and place not in self.state.disabled and held is MISSING and default is not None:
            put(values, component.path, default)

    def rows(self, component: Component, given: object, known: object, scope: Scope, rows: Rows, path: str) -> list[object]:
        if given is MISSING or given is None:
            given = [] if is_open(component) else first_rows(component, known)
        if not isinstance(given, list | tuple) or not all(isinstance(row, Mapping) for row in given):
            self.errors[path] = [scope.say("rows")]
            return []
        if not self.counts(component, given, known, scope, path):
            return []
        below = known_rows(component, known)
        result: list[object] = []
        for index, row in enumerate(given):
            if is_open(component) and is_empty(row):
                continue  # A row that was added and left blank is no row.
            held = below[index] if index < len(below) else {}
            values = self.owner(component, row, held, scope.within(row, index), (*rows, index), f"{path}.{index}.")
            # A fixed list replaces its variable as a whole, so what its rows held beside the form must survive.
            result.append(values if is_open(component) else merge(held, values))
        return result

    def counts(self, component: Component, given: list[object] | tuple[object, ...], known: object, scope: Scope, path: str) -> bool:
        """Check the number of rows; False when the rows themselves are not worth checking."""
        fewest, most = row_limits(component)
        if not is_open(component):
            fixed = len(first_rows(component, known))
            if len(given) != fixed:
                self.errors[path] = [scope.say("rows_fixed", limit=fixed)]
                return False
        elif len(given) > most:
            self.errors[path] = [scope.say("rows_many", limit=most)]
            return False
        elif sum(1 for row in given if not is_empty(row)) < fewest:
            self.errors[path] = [scope.say("rows_few", limit=fewest)]
        return True

    def unknown(self, owner: Form | Component, raw: Mapping[str, object], scope: Scope, prefix: str = "") -> None:
        """Note what the form does not have, in rows too."""
        names = frozenset(component.name for component in owner.inputs)
        for path, value in leaves(raw, names):
            if path not in names and not (isinstance(value, Mapping) and not value):
                full = prefix + path
                self.notes.append(Note(full, "unknown", scope.say("note_unknown", path=full)))
        for component in owner.inputs:
            given = dig(raw, component.path) if component.inputs else MISSING
            for index, row in enumerate(given if isinstance(given, list) else []):
                if isinstance(row, Mapping):
                    self.unknown(component, row, scope, f"{prefix}{component.name}.{index}.")
