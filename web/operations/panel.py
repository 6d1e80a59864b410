"""What may be done by hand to one instance: the choices of the operations panel on its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from engine.execution import operations
from engine.execution.operations import Place
from engine.execution.tables import Instance
from engine.execution.tokens import Token
from engine.models.elements import Element
from web.access import may
from web.db import db
from web.i18n import language
from web.operations import typed


@dataclass(frozen=True, slots=True)
class Option:
    """An entry of a list; `element` and `definition` let the diagram choose it."""

    value: str
    words: str
    element: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under a heading."""

    words: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """The variables of one scope, as text."""

    scope: str
    words: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Panel:
    """All that the panel offers."""

    tokens: tuple[Option, ...]
    targets: tuple[Group, ...]
    earlier: tuple[Group, ...]
    values: tuple[Values, ...]


def panel(visit: Instance) -> Panel | None:
    """The panel of an instance that is under way; None when the person may not operate, or nothing can be moved."""
    if visit.state != "running" or not may("instance.operate", visit.department):
        return None
    places = operations.places(db.session(), visit.id)
    return Panel(
        tokens=tuple(_token(place, token) for place in places for token in place.tokens),
        targets=tuple(_targets(place) for place in places if place.targets),
        earlier=tuple(group for place in places for token in place.tokens if (group := _earlier(visit, place, token)).options),
        values=tuple(_values(place) for place in places) if may("visit.variables", visit.department) else (),
    )


def label(element: Element) -> str:
    """An element's name and id; the id alone when it has no name."""
    name = element.label(language())
    return element.id if name == element.id else f"{name} ({element.id})"


def title(place: Place) -> str:
    """What a scope is called: its process, or the subprocess within it."""
    name = place.model.label(language())
    if place.kind in ("sub", "event"):
        return gettext("inside %(process)s, part %(scope)s", process=name, scope=place.scope)
    return name


def _token(place: Place, token: Token) -> Option:
    return Option(token.id, f"{label(token.element)} · {title(place)}", token.element.id, place.definition)


def _targets(place: Place) -> Group:
    order = sorted(place.targets, key=lambda e: (not e.type.endswith("Task"), label(e)))
    return Group(title(place), tuple(Option(f"{place.scope}:{e.id}", label(e), e.id, place.definition) for e in order))


def _earlier(visit: Instance, place: Place, token: Token) -> Group:
    done = operations.earlier(db.session(), visit.id, token.id)
    known = place.model.elements
    options = tuple(Option(f"{token.id}:{id}", label(known[id]), id, place.definition) for id in done)
    return Group(gettext("from %(step)s", step=label(token.element)), options)


def _values(place: Place) -> Values:
    text = typed.written(place.variables)
    return Values(place.scope, title(place), text if len(text) <= typed.LARGEST else "", len(place.variables))


def variables_of(instance_id: str, scope_id: str) -> dict[str, Any]:
    """The variables of a scope as they are now; empty when it is over."""
    return next((place.variables for place in operations.places(db.session(), instance_id) if place.scope == scope_id), {})
