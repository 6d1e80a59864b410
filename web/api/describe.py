"""The OpenAPI 3.1 document, made of the views' own declarations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import current_app
from marshmallow import Schema

from web.api import schemas

View = TypeVar("View", bound=Callable[..., Any])

PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "There is no live token.",
    "403": "The token lacks the scope.",
    "404": "There is no such thing.",
    "409": "The state does not allow it, or the idempotency key was used for something else.",
    "422": "Some values are missing or wrong; each is named.",
}


def operation(summary: str, *, out: type[Schema], given: type[Schema] | None = None, paged: bool = False) -> Callable[[View], View]:
    """Says what a view takes and gives."""

    def declare(view: View) -> View:
        view.operation = {"summary": summary, "out": out, "given": given, "paged": paged}  # type: ignore[attr-defined]
        return view

    return declare


def document() -> dict[str, Any]:
    """The whole document."""
    spec = APISpec(
        "Carelane", "1", "3.1.0", plugins=[MarshmallowPlugin(schema_name_resolver=_name)], info={"description": "Processes of a clinic."}
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    spec.components.schema("Problem", schema=schemas.Problem)
    for rule in current_app.url_map.iter_rules():
        view = current_app.view_functions[rule.endpoint]
        if not hasattr(view, "operation"):
            continue
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"})).lower()
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        spec.path(path, operations={method: _operation(rule.endpoint, view, sorted(rule.arguments), method)})
    made: dict[str, Any] = spec.to_dict()
    return made


def _operation(endpoint: str, view: Any, arguments: list[str], method: str) -> dict[str, Any]:
    about = view.operation
    shape: Any = about["out"]
    if about["paged"]:
        shape = {
            "type": "object",
            "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": about["out"]}, "next": {"type": ["string", "null"]}},
        }
    parameters: list[Any] = [{"name": a, "in": "path", "required": True, "schema": {"type": "string"}} for a in arguments]
    if about["paged"]:
        parameters.append({"in": "query", "schema": schemas.PageIn})
    if method == "post":
        parameters.append({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 200}})
    problem = {"content": {"application/problem+json": {"schema": schemas.Problem}}}
    made: dict[str, Any] = {
        "operationId": endpoint.rsplit(".", maxsplit=1)[-1],
        "summary": about["summary"],
        "description": f"Scope: {view.scope}",
        "security": [{"token": []}],
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": shape}}},
            **{status: {"description": words, **problem} for status, words in PROBLEMS.items()},
        },
    }
    if about["given"]:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": about["given"]}}}
    return made


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__
