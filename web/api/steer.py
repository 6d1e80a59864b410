"""An instance's course changed by another program: the operations of the page and the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from marshmallow import fields, validate

from engine.errors import InvalidForm
from engine.execution import incidents, instances, operations
from engine.execution.tables import Instance
from engine.execution.values import decode
from web.api.describe import operation
from web.api.edge import body, idempotent
from web.api.schemas import Given, InstanceOut
from web.api.tokens import actor, needs
from web.db import db

Steps = Callable[[str, dict[str, Any]], Instance]


class ReasonIn(Given):
    """Why it is done; it is recorded."""

    reason = fields.String(required=True, validate=validate.Length(3, 500))


class MoveIn(ReasonIn):
    """A token, and the element that it is put on."""

    token = fields.String(required=True, validate=validate.Length(1, 40))
    element = fields.String(required=True, validate=validate.Length(1, 200))


class AddIn(ReasonIn):
    """An element that a further token is put on."""

    element = fields.String(required=True, validate=validate.Length(1, 200))
    scope = fields.String(validate=validate.Length(1, 40))


class TakeIn(ReasonIn):
    """A token that is taken away."""

    token = fields.String(required=True, validate=validate.Length(1, 40))


class VariablesIn(ReasonIn):
    """Variables to set; dates and the like as {"$date": "2026-01-31"}."""

    variables = fields.Dict(keys=fields.String(), required=True)
    scope = fields.String(validate=validate.Length(1, 40))


class SkipIn(ReasonIn):
    """The result that a failed call is given by hand."""

    output = fields.Dict(keys=fields.String(), load_default=dict)


def _suspend(id: str, asked: dict[str, Any]) -> Instance:
    return instances.suspend(db.session(), id, asked["reason"], actor=actor())


def _resume(id: str, asked: dict[str, Any]) -> Instance:
    return instances.resume(db.session(), id, asked["reason"], actor=actor())


def _move(id: str, asked: dict[str, Any]) -> Instance:
    return operations.move(db.session(), id, asked["token"], asked["element"], actor=actor(), reason=asked["reason"])


def _back(id: str, asked: dict[str, Any]) -> Instance:
    return operations.go_back(db.session(), id, asked["token"], asked["element"], actor=actor(), reason=asked["reason"])


def _add(id: str, asked: dict[str, Any]) -> Instance:
    return operations.add(db.session(), id, asked["element"], scope_id=asked.get("scope"), actor=actor(), reason=asked["reason"])


def _take(id: str, asked: dict[str, Any]) -> Instance:
    return operations.cancel(db.session(), id, asked["token"], actor=actor(), reason=asked["reason"])


def _variables(id: str, asked: dict[str, Any]) -> Instance:
    values = _typed(asked, "variables")
    return operations.change_variables(db.session(), id, values, scope_id=asked.get("scope"), actor=actor(), reason=asked["reason"])


def _typed(asked: dict[str, Any], field: str) -> dict[str, Any]:
    """Values with their types; InvalidForm names the one that cannot be read."""
    found = {}
    for name, value in asked[field].items():
        try:
            found[name] = decode(value)
        except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
            raise InvalidForm({f"{field}.{name}": ["This is no value of that type."]}) from error
    return found


def _retry(id: str, asked: dict[str, Any]) -> Instance:
    found = incidents.get(db.session(), id)
    incidents.retry(db.session(), id, actor=actor(), reason=asked["reason"])
    return instances.get(db.session(), found.instance_id)


def _skip(id: str, asked: dict[str, Any]) -> Instance:
    found = incidents.get(db.session(), id)
    incidents.skip(db.session(), id, reason=asked["reason"], output=_typed(asked, "output"), actor=actor())
    return instances.get(db.session(), found.instance_id)


ACTS: tuple[tuple[str, str, str, type[Given], Steps], ...] = (
    ("instances", "suspend", "Hold an instance", ReasonIn, _suspend),
    ("instances", "resume", "Let a suspended instance go on", ReasonIn, _resume),
    ("instances", "move", "Move a token to another element of its scope", MoveIn, _move),
    ("instances", "back", "Return a token to an earlier step", MoveIn, _back),
    ("instances", "add", "Put a further token on an element", AddIn, _add),
    ("instances", "take", "Take a token away", TakeIn, _take),
    ("instances", "variables", "Set variables", VariablesIn, _variables),
    ("incidents", "retry", "Try again what failed", ReasonIn, _retry),
    ("incidents", "skip", "Go on without a call that failed", SkipIn, _skip),
)


def register(bp: Blueprint) -> None:
    """Adds a route for each of them."""
    for kind, name, summary, given, act in ACTS:
        view = needs("instances:write")(operation(summary, given=given, out=InstanceOut)(idempotent(_view(given, act))))
        bp.add_url_rule(f"/{kind}/<id>/{name}", f"{kind}_{name}", view, methods=["POST"])


def _view(given: type[Given], act: Steps) -> Callable[[str], Any]:
    def view(id: str) -> Any:
        return InstanceOut().dump(act(id, body(given())))

    return view
