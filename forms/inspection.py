"""Looking through form-js JSON for everything that we would not run right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from forms.numbers import as_decimal
from forms.problem import Problem
from forms.widget import COMMON, OPTIONS, Widget, widgets
from forms.widgets.dynamiclist import DynamicList

NEWEST_SCHEMA: Final = 19
MOST_COMPONENTS: Final = 500
DEEPEST: Final = 8
COLUMNS: Final = 16

_KEY: Final = re.compile(r"\w+(\.\w+)*")
_INSTEAD: Final = {
    "filepicker": "Let staff attach files to the task in the page, outside the form.",
    "documentPreview": "Link to the document from a text component.",
    "iframe": "Link to the page from a text component.",
    "html": "Use a text component; it takes Markdown.",
    "expression": "Compute the value in the process, with an output mapping or a script task.",
    "multipage": "Use groups, or one user task a page.",
    "page": "Use a group.",
    "date": "Use type datetime with subtype date.",
    "time": "Use type datetime with subtype time.",
}
_SHAPES: Final[dict[str, tuple[type, ...]]] = {
    "label": (str,), "description": (str,), "text": (str,), "path": (str,), "source": (str,), "alt": (str,),
    "dataSource": (str,), "columnsExpression": (str,), "valuesKey": (str,), "valuesExpression": (str,),
    "subtype": (str,), "dateLabel": (str,), "timeLabel": (str,), "timeSerializingFormat": (str,), "id": (str,),
    "readonly": (bool, str), "disabled": (bool, str), "disallowPassedDates": (bool,), "serializeToString": (bool,),
    "allowAddRemove": (bool,), "isRepeating": (bool,), "showOutline": (bool,), "height": (int, float), "rowCount": (int,),
    "conditional": (Mapping,), "layout": (Mapping,), "validate": (Mapping,), "properties": (Mapping,),
    "appearance": (Mapping,), "components": (list,), "values": (list,), "columns": (list,),
}  # fmt: skip


def inspect_form(schema: object) -> list[Problem]:
    """List the problems of a parsed form, in document order."""
    inspection = _Inspection()
    inspection.form(schema)
    return inspection.problems


class _Inspection:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.seen = 0
        self.ids: set[str] = set()

    def add(self, path: str, component: str, rule: str, message: str, fix: str) -> None:
        self.problems.append(Problem(path, component, rule, message, fix))

    def form(self, schema: object) -> None:
        if not isinstance(schema, Mapping) or not isinstance(schema.get("components"), list):
            self.add("", "form", "not-a-form", "This is no form-js form: it has no list of components.", "Export it from the form editor.")
            return
        if schema.get("type", "default") != "default":
            self.add("type", "form", "not-a-form", f"The form's type is {schema['type']!r}, not default.", "Export it from the form editor.")
        version = schema.get("schemaVersion", NEWEST_SCHEMA)
        if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= NEWEST_SCHEMA:
            self.add("schemaVersion", "form", "schema-version", f"Schema version {version!r} is not known.", f"Use 1 to {NEWEST_SCHEMA}.")
        self.children(schema["components"], "components", (), {}, 1)
        if self.seen > MOST_COMPONENTS:
            self.add("components", "form", "too-large", f"The form has more than {MOST_COMPONENTS} components.", "Split it.")

    def children(self, children: object, place: str, prefix: tuple[str, ...], taken: dict[str, str], depth: int) -> None:
        """Look at siblings; ``taken`` maps the value paths of the enclosing row (or form) to who owns them."""
        if depth > DEEPEST:
            self.add(place, "form", "too-deep", f"Components are nested deeper than {DEEPEST}.", "Flatten the groups.")
            return
        rows: dict[str, int] = {}
        for index, raw in enumerate(children if isinstance(children, list) else []):
            where = f"{place}[{index}]"
            if isinstance(raw, Mapping):
                self.component(raw, where, prefix, taken, depth)
                self.columns(raw, where, rows)
            else:
                self.add(where, where, "property-type", "A component must be an object.", "Remove it.")

    def component(self, raw: Mapping[str, object], place: str, prefix: tuple[str, ...], taken: dict[str, str], depth: int) -> None:
        self.seen += 1
        name = str(raw.get("key") or raw.get("id") or place)
        kind = raw.get("type")
        widget = widgets().get(kind) if isinstance(kind, str) else None
        if widget is None:
            known = isinstance(kind, str) and kind in _INSTEAD
            rule, fix = (
                ("component-unsupported", _INSTEAD[str(kind)]) if known else ("component-unknown", f"Use one of {', '.join(widgets())}.")
            )
            self.add(f"{place}.type", name, rule, f"A component of type {kind!r} is not supported.", fix)
            return
        before = len(self.problems)
        self.properties(raw, place, name, widget)
        self.identity(raw, place, name)
        if len(self.problems) == before:
            # Deeper checks may assume the right shapes, so they wait until the shapes are right.
            widget.inspect(raw, lambda path, rule, message, fix: self.add(f"{place}.{path}", name, rule, message, fix))
            self.rules(raw, place, name)
            self.options(raw, place, name, widget)
            if widget.type == "dynamiclist":
                self.cells(raw, place, name)
        path = self.binding(raw, place, name, prefix, taken, widget)
        fresh: dict[str, str] = {}
        inner = ((), fresh) if widget.holds == "rows" else (path, taken)
        self.children(raw.get("components"), f"{place}.components", inner[0], inner[1], depth + 1)

    def properties(self, raw: Mapping[str, object], place: str, name: str, widget: Widget) -> None:
        for prop, value in raw.items():
            shapes = _SHAPES.get(prop)
            if prop not in COMMON | widget.properties:
                fix = "Remove it, or change the component's type."
                self.add(f"{place}.{prop}", name, "property-unknown", f"A {widget.type} has no property {prop!r}.", fix)
            elif shapes and (not isinstance(value, shapes) or (isinstance(value, bool) and bool not in shapes)):
                self.add(f"{place}.{prop}", name, "property-type", f"{prop} has the wrong type: {value!r}.", "Correct it.")
        for outer, allowed in (("validate", widget.validations), ("conditional", {"hide"}), ("appearance", {"prefixAdorner", "suffixAdorner"})):
            inner = raw.get(outer)
            for prop in inner if isinstance(inner, Mapping) else ():
                if prop not in allowed:
                    self.add(f"{place}.{outer}.{prop}", name, "property-unknown", f"A {widget.type} has no {outer}.{prop}.", "Remove it.")
        hide = raw.get("conditional")
        hide = hide.get("hide") if isinstance(hide, Mapping) else None
        if hide is not None and not (isinstance(hide, str) and (hide == "" or hide.startswith("="))):
            self.add(f"{place}.conditional.hide", name, "condition", "conditional.hide must be FEEL that begins with =.", "Write =expression.")
        for prop in ("readonly", "disabled"):
            value = raw.get(prop)
            if isinstance(value, str) and not value.startswith("="):
                self.add(f"{place}.{prop}", name, "property-type", f"{prop} must be true, false or =FEEL.", "Correct it.")

    def identity(self, raw: Mapping[str, object], place: str, name: str) -> None:
        own = raw.get("id")
        if isinstance(own, str) and own:
            if own in self.ids:
                self.add(f"{place}.id", name, "id-duplicate", f"The id {own!r} is used twice.", "Give each component its own id.")
            self.ids.add(own)

    def binding(
        self, raw: Mapping[str, object], place: str, name: str, prefix: tuple[str, ...], taken: dict[str, str], widget: Widget
    ) -> tuple[str, ...]:
        """Check the key or path and give the full path of the component's value."""
        if widget.holds == "nothing":
            return prefix
        prop = "key" if widget.holds == "value" else "path"
        own = raw.get(prop) or ""
        if not own and widget.holds == "components":
            return prefix
        if not own:
            self.add(f"{place}.{prop}", name, "key-missing", f"A {widget.type} needs a {prop}.", f"Give it a {prop} for its value.")
            return prefix
        if not isinstance(own, str) or not _KEY.fullmatch(own) or own.startswith("_"):
            self.add(f"{place}.{prop}", name, "key-form", f"{own!r} is no {prop}.", "Use letters, digits and dots, beginning with a letter.")
            return prefix
        path = prefix + tuple(own.split("."))
        if widget.holds != "components":
            self.take(".".join(path), f"{place}.{prop}", name, taken)
        return path

    def take(self, full: str, where: str, name: str, taken: dict[str, str]) -> None:
        if full in taken:
            self.add(where, name, "key-duplicate", f"{full!r} is already the value of {taken[full]}.", "Give each field its own key.")
        clash = next((other for other in taken if other.startswith(full + ".") or full.startswith(other + ".")), None)
        if clash:
            self.add(where, name, "key-conflict", f"{full!r} and {clash!r} cannot both hold a value.", "Rename one of them.")
        taken.setdefault(full, where)

    def rules(self, raw: Mapping[str, object], place: str, name: str) -> None:
        rules = raw.get("validate")
        if not isinstance(rules, Mapping):
            return
        for prop in ("min", "max", "minLength", "maxLength"):
            value = rules.get(prop)
            if value is not None and as_decimal(value) is None and not (isinstance(value, str) and value.startswith("=")):
                self.add(f"{place}.validate.{prop}", name, "bounds", f"{value!r} is no number.", "Write a number or =FEEL.")
        for low, high in (("min", "max"), ("minLength", "maxLength")):
            least, most = as_decimal(rules.get(low)), as_decimal(rules.get(high))
            if least is not None and most is not None and least > most:
                self.add(f"{place}.validate.{low}", name, "bounds-reversed", f"{low} is above {high}.", "Swap or correct them.")
        if "required" in rules and not isinstance(rules["required"], bool):
            self.add(f"{place}.validate.required", name, "property-type", "required must be true or false.", "Correct it.")

    def options(self, raw: Mapping[str, object], place: str, name: str, widget: Widget) -> None:
        if not widget.properties >= OPTIONS:
            return
        sources = [source for source in sorted(OPTIONS) if raw.get(source) not in (None, "", [])]
        if len(sources) != 1:
            rule = "options-both" if sources else "options-missing"
            self.add(place, name, rule, f"The options come from {len(sources)} places.", "Give one of values, valuesKey, valuesExpression.")
        values = raw.get("values")
        seen: set[str] = set()
        for index, option in enumerate(values if isinstance(values, list) else []):
            value = option.get("value") if isinstance(option, Mapping) else None
            where = f"{place}.values[{index}]"
            if value is None or value == "":
                self.add(where, name, "option-form", "An option needs a value and a label.", 'Write {"value": …, "label": …}.')
            elif str(value) in seen:
                self.add(where, name, "option-duplicate", f"The option {value!r} is listed twice.", "Remove one.")
            seen.add(str(value))
        self.default(raw, place, name, seen)

    def default(self, raw: Mapping[str, object], place: str, name: str, known: set[str]) -> None:
        default = raw.get("defaultValue")
        chosen = default if isinstance(default, list) else [default]
        for value in chosen if raw.get("values") else []:
            if value not in (None, "") and str(value) not in known:
                self.add(f"{place}.defaultValue", name, "default-not-an-option", f"{value!r} is not an option.", "Choose one of the values.")

    def cells(self, raw: Mapping[str, object], place: str, name: str) -> None:
        """A read-only cell needs rows that stay in place, or a person could move another row's value under it."""
        children = raw.get("components")
        if not children:
            self.add(place, name, "list-empty", "The list has no components, so its rows hold nothing.", "Add a field to it.")
        if raw.get("allowAddRemove") is not False and isinstance(children, list) and _locked(children):
            fix = "Set allowAddRemove to false, or show the value with a text or table component."
            self.add(place, name, "locked-cell", "A list whose rows can be added and removed has a read-only cell or a fixed list.", fix)

    def columns(self, raw: Mapping[str, object], place: str, rows: dict[str, int]) -> None:
        layout = raw.get("layout")
        if not isinstance(layout, Mapping):
            return
        name, width = str(raw.get("key") or raw.get("id") or place), layout.get("columns")
        if width is not None and (isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= COLUMNS):
            self.add(f"{place}.layout.columns", name, "columns", f"columns must be 1 to {COLUMNS}, or null.", "Correct it.")
            return
        row = layout.get("row")
        if isinstance(row, str):
            rows[row] = rows.get(row, 0) + (width or 1)
            if rows[row] > COLUMNS:
                self.add(
                    f"{place}.layout.columns", name, "row-too-wide", f"The row {row!r} is wider than {COLUMNS} columns.", "Make it narrower."
                )


def _locked(children: list[object]) -> bool:
    for child in children:
        if isinstance(child, Mapping):
            if any(child.get(prop) not in (None, False) for prop in ("readonly", "disabled")):
                return True
            # Rows of a fixed list inside are matched to what the variable holds, which an open list cannot promise.
            if child.get("type") == DynamicList.type and child.get("allowAddRemove") is False:
                return True
            inner = child.get("components")
            if isinstance(inner, list) and _locked(inner):
                return True
    return False
