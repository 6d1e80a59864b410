"""Rendering a form as HTML that works without scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from forms.component import Component, Form, walk
from forms.conditions import Condition, fields_of, names_in, simple_condition
from forms.layout import rows_of
from forms.numbers import is_yuan
from forms.paths import MISSING, dig
from forms.scope import Evaluate, Scope, make_scope
from forms.submission import ADD, REMOVE, ROW_MARK
from forms.validation import Errors
from forms.widget import Widget, widgets
from forms.widgets.datetime import subtype
from forms.widgets.dynamiclist import first_rows, is_open, row_limits
from forms.wording import fill, label_of, translate

Drawn = list[list[tuple[int, Markup]]]


def render(
    form: Form,
    values: Mapping[str, object] | None = None,
    errors: Errors | None = None,
    lang: str = "zh",
    context: Mapping[str, object] | None = None,
    evaluate: Evaluate | None = None,
    *,
    widgets_url: str = "",
    zone: str | None = None,
) -> Markup:
    """Render the fields of a form, without the ``<form>`` around them, which belongs to the page.

    ``values`` are typed or as last submitted; what they lack comes from ``context``, then from the form's defaults.
    ``widgets_url`` is where ``static/`` of this package is served; with it, conditions toggle in the page.
    Without ``evaluate`` everything is shown and templates stay unfilled.
    """
    scope = make_scope(lang, context, evaluate, zone)
    drawing = _Drawing(form, errors or {})
    given: Mapping[str, object] = values if values is not None else {}
    body = drawing.rows(form.components, given, scope.variables, scope.over(given), "", "")
    template = _environment().get_template("templates/form.html")
    return Markup(  # noqa: S704 - the template escapes by itself
        template.render(
            say=partial(_say, scope),
            rows=body,
            summary=drawing.summary(scope),
            lists=any(component.type == "dynamiclist" for component in walk(form.components)),
            script=f"{widgets_url.rstrip('/')}/forms.js" if widgets_url and drawing.toggles else "",
            lang="zh-CN" if scope.lang.startswith("zh") else scope.lang,
        )
    )


@cache
def _environment() -> Environment:
    loader = PackageLoader("forms", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _say(scope: Scope, key: str, **values: object) -> str:
    return scope.say(key, **values)


class _Drawing:
    """One rendering: what is drawn so far for the error summary, and whether anything toggles."""

    def __init__(self, form: Form, errors: Errors) -> None:
        self.errors = errors
        self.form = form
        self.anchors: dict[str, tuple[str, str]] = {}
        self.trail = ""
        self.toggles = False
        self.names = {component.name for component in walk(form.components) if component.path}

    def rows(self, components: tuple[Component, ...], given: object, known: object, scope: Scope, name: str, path: str) -> Drawn:
        """Draw siblings in their grid rows. ``name`` and ``path`` prefix HTML names and error paths inside a list row."""
        drawn: Drawn = []
        for row in rows_of(components):
            cells = [(span, self.component(component, given, known, scope, name, path)) for component, span in row]
            drawn.append([(span, html) for span, html in cells if html is not None])
        return [row for row in drawn if row]

    def component(self, component: Component, given: object, known: object, scope: Scope, name: str, path: str) -> Markup | None:
        condition = self.toggle(component, scope, name)
        if condition is None and self.is_out(component, scope):
            return None
        widget = widgets()[component.type]
        own_name, own_path = name + component.name, path + component.name
        value = self.value(component, given, known)
        view: dict[str, object] = {
            "say": partial(_say, scope),
            "component": component,
            "name": own_name,
            "id": f"f-{own_name}" if component.path else "",
            "label": fill(label_of(component, scope.lang), scope) if widget.holds != "nothing" or component.label else "",
            "hint": fill(translate(component, "description", scope.lang), scope),
            "errors": self.errors.get(own_path, []),
            "required": component.required,
            "grouped": widget.grouped,
            "show_if": json.dumps(condition, ensure_ascii=False) if condition else "",
            **self.adorners(component, widget, scope),
        }
        if widget.holds in {"value", "rows"}:
            self.anchors[own_path] = (f"f-{own_name}", self.trail + str(view["label"]))
        self.inside(component, widget, value, scope, view, (given, known, name, path))
        return Markup(_environment().get_template(self.template(view, component)).render(view))  # noqa: S704 - escapes by itself

    def adorners(self, component: Component, widget: Widget, scope: Scope) -> dict[str, object]:
        """Give the words before and after the control; money says yuan by itself."""
        found = component.raw.get("appearance") if widget.adorned else None
        parts = found if isinstance(found, Mapping) else {}
        prefix, suffix = (
            component.properties.get(f"{name}:zh") if scope.lang.startswith("zh") else None for name in ("prefixAdorner", "suffixAdorner")
        )
        prefix = prefix or fill(str(parts.get("prefixAdorner") or ""), scope)
        suffix = suffix or fill(str(parts.get("suffixAdorner") or ""), scope)
        if is_yuan(component) and not prefix and not suffix:
            prefix = "¥"
        return {"prefix": prefix, "suffix": suffix}

    def summary(self, scope: Scope) -> list[tuple[str, str, str]]:
        """List (anchor, label, message) for the summary: fields in page order, then what belongs to no field here."""
        found = [(anchor, label, words) for path, (anchor, label) in self.anchors.items() for words in self.errors.get(path, [])]
        others = [("", path, words) for path, messages in self.errors.items() if path not in self.anchors for words in messages]
        return found + others

    def template(self, view: dict[str, object], component: Component) -> str:
        return "templates/locked.html" if view.get("locked") else f"widgets/{component.type}.html"

    def inside(
        self,
        component: Component,
        widget: Widget,
        value: object,
        scope: Scope,
        view: dict[str, object],
        around: tuple[object, object, str, str],
    ) -> None:
        """Fill the view with the value, or with what the container holds."""
        given, known, name, path = around
        if widget.holds == "value" and self.is_locked(component, scope):
            held = self.value(component, {}, known)
            view.update(locked=True, words=widget.words(component, held, scope), grouped=True, errors=[])
        elif widget.holds == "rows":
            view.update(widget.show(component, value, scope), **self.list_rows(component, value, known, scope, (name, path)))
        else:
            view.update(widget.show(component, value, scope))
        if widget.holds == "components":
            view["rows"] = self.rows(component.components, given, known, scope, name, path)
        described = [f"{view['id']}-{part}" for part in ("hint", "error") if view["hint" if part == "hint" else "errors"]]
        view["described"] = " ".join(described)

    def list_rows(self, component: Component, value: object, known: object, scope: Scope, prefix: tuple[str, str]) -> dict[str, object]:
        rows = value if isinstance(value, list | tuple) else first_rows(component, known)
        held = dig(known, component.path)
        drawn = []
        for index, row in enumerate(rows):
            cells: Mapping[str, object] = row if isinstance(row, Mapping) else {}
            below = held[index] if isinstance(held, list | tuple) and not is_open(component) and index < len(held) else {}
            name, path = f"{prefix[0]}{component.name}-{index}-", f"{prefix[1]}{component.name}.{index}."
            outer, self.trail = self.trail, self.trail + scope.say("row_of", list=label_of(component, scope.lang), number=index + 1) + " · "
            inner = self.rows(component.components, cells, below, scope.within(cells, index), name, path)
            self.trail = outer
            drawn.append({"rows": inner, "mark": name + ROW_MARK, "remove": f"{REMOVE}{prefix[0]}{component.name}-{index}"})
        own = prefix[0] + component.name
        return {"items": drawn, "add": ADD + own, "full": len(rows) >= row_limits(component)[1]}

    def value(self, component: Component, given: object, known: object) -> object:
        """Find the value to show: given, else held by a variable, else the default."""
        if not component.path:
            return None
        for source in (given, known):
            value = dig(source, component.path)
            if value is not MISSING:
                return value
        return component.raw.get("defaultValue")

    def is_locked(self, component: Component, scope: Scope) -> bool:
        for name in ("readonly", "disabled"):
            written = component.raw.get(name)
            if written is True or (scope.evaluate is not None and scope.value_of(written) is True):
                return True
        return False

    def is_out(self, component: Component, scope: Scope) -> bool:
        """Whether the server leaves it out: hidden by variables alone, so that nothing typed here can show it."""
        if not component.hide or scope.evaluate is None:
            return False
        if any(name.split(".")[0] in {field.split(".")[0] for field in self.names} for name in names_in(component.hide)):
            return False
        return scope.value_of(component.hide) is True

    def toggle(self, component: Component, scope: Scope, prefix: str) -> Condition | None:
        """Give the condition under which a script shows it, when that depends on fields of the same form only."""
        hidden_if = simple_condition(component.hide) if component.hide else None
        if hidden_if is None:
            return None
        owner = self.siblings(component)
        if not fields_of(hidden_if) <= set(owner):
            return None
        self.toggles = True
        return ["not", _renamed(hidden_if, prefix)]

    def siblings(self, component: Component) -> list[str]:
        """List the fields in the same row (or form) that a script can compare."""
        owners: list[Form | Component] = [self.form, *(found for found in walk(self.form.components) if found.inputs)]
        for owner in owners:
            if any(inner is component for inner in _own(owner.components)):
                return [inner.name for inner in owner.inputs if _comparable(inner)]
        return []


def _own(components: tuple[Component, ...]) -> list[Component]:
    found: list[Component] = []
    for component in components:
        found.append(component)
        if not component.inputs:
            found.extend(_own(component.components))
    return found


def _comparable(component: Component) -> bool:
    locked = any(component.raw.get(name) not in (None, False) for name in ("readonly", "disabled"))
    zoned = component.type == "datetime" and subtype(component) != "date"
    return (
        not locked
        and not zoned
        and not is_yuan(component)
        and component.type in {"textfield", "textarea", "number", "checkbox", "radio", "select", "datetime"}
    )


def _renamed(condition: Condition, prefix: str) -> Condition:
    if condition[0] in {"and", "or", "not"}:
        return [condition[0], *(_renamed(part, prefix) for part in condition[1:] if isinstance(part, list))]
    return [condition[0], prefix + str(condition[1]), condition[2]]
