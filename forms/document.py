"""Loading form-js JSON into frozen data, once it is known to hold no problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, cast

from forms.component import Component, Form
from forms.inspection import inspect_form
from forms.problem import FormInvalid, Problem
from forms.widget import widgets

MOST_BYTES: Final = 1_000_000
Data = bytes | str | Mapping[str, object]


def problems(data: Data) -> list[Problem]:
    """List everything in a form that we would not run right; an empty list means that it loads. Never raises."""
    schema, trouble = _read(data)
    return [trouble] if trouble else inspect_form(schema)


def load(data: Data) -> Form:
    """Load a form-js schema. Raises FormInvalid with every problem; the same text gives the same (cached) form."""
    if isinstance(data, bytes | str):
        return _load_text(data)
    return _load(data)


@lru_cache(maxsize=256)
def _load_text(data: bytes | str) -> Form:
    return _load(data)


def _load(data: Data) -> Form:
    found = problems(data)
    if found:
        raise FormInvalid(found)
    schema = cast("Mapping[str, object]", _read(data)[0])
    components = _components(schema, "components", ())
    version = schema.get("schemaVersion")
    return Form(
        id=str(schema.get("id", "")),
        schema_version=version if isinstance(version, int) else 0,
        components=components,
        inputs=_inputs(components),
        raw=MappingProxyType(dict(schema)),
    )


def _read(data: Data) -> tuple[object, Problem | None]:
    if isinstance(data, Mapping):
        return data, None
    if len(data) > MOST_BYTES:
        return None, Problem("", "form", "json", f"The form is larger than {MOST_BYTES:,} bytes.", "Split it.")
    try:
        return json.loads(data), None
    except (ValueError, RecursionError) as error:
        return None, Problem("", "form", "json", f"This is not JSON: {error}.", "Export the form again.")


def _components(parent: Mapping[str, object], place: str, prefix: tuple[str, ...]) -> tuple[Component, ...]:
    children = cast("list[Mapping[str, object]]", parent.get("components") or [])
    return tuple(_component(child, f"{place}[{index}]", prefix) for index, child in enumerate(children))


def _component(raw: Mapping[str, object], place: str, prefix: tuple[str, ...]) -> Component:
    kind, key = str(raw["type"]), str(raw.get("key") or "")
    holds = widgets()[kind].holds
    own = str(raw.get("path") or "") if holds in {"rows", "components"} else key
    path = prefix + tuple(own.split(".") if own else ())
    # The cells of a row are named from the row on; a group passes its own path down.
    children = _components(raw, f"{place}.components", () if holds == "rows" else path)
    properties = cast("Mapping[str, object]", raw.get("properties") or {})
    return Component(
        place=place,
        type=kind,
        id=str(raw.get("id") or key or place),
        key=key,
        path=path,
        label=str(raw.get("label") or ""),
        description=str(raw.get("description") or ""),
        properties=MappingProxyType({name: _as_text(value) for name, value in properties.items()}),
        rules=MappingProxyType(dict(cast("Mapping[str, object]", raw.get("validate") or {}))),
        raw=MappingProxyType(dict(raw)),
        components=children,
        inputs=_inputs(children) if holds == "rows" else (),
    )


def _inputs(components: tuple[Component, ...]) -> tuple[Component, ...]:
    found: list[Component] = []
    for component in components:
        holds = widgets()[component.type].holds
        if holds in {"value", "rows"}:
            found.append(component)
        elif holds == "components":
            found.extend(_inputs(component.components))
    return tuple(found)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
