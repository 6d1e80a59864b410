"""Which variables a process really uses: what its steps give out, its forms ask for and its loops and results are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.models.elements import Element, ProcessModel


def variables(model: ProcessModel) -> set[str]:
    """The names of a process's variables. A connector's own input fields are no variables: its declaration names them."""
    return {name for element in model.elements.values() for name in _of(element)} - {""}


def of_form(form: Mapping[str, Any]) -> set[str]:
    """The variables that a form (form-js JSON) reads or writes at its top."""
    return set(_keys(form.get("components", ())))


def _of(element: Element) -> Iterator[str]:
    yield from (mapping.target.split(".")[0] for mapping in element.outputs)
    if element.type == "userTask":
        yield from (mapping.target.split(".")[0] for mapping in element.inputs)
    yield element.result_variable or ""
    if element.loop is not None:
        yield element.loop.element or ""
        yield element.loop.output_collection or ""


def _keys(components: Any) -> Iterator[str]:
    for one in components:
        if one.get("key") and one.get("type") not in ("button", "html", "text", "separator", "image"):
            yield str(one["key"]).split(".")[0]
        elif one.get("path"):
            yield str(one["path"]).split(".")[0]
        else:
            yield from _keys(one.get("components", ()))
