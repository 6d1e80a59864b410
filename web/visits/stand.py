"""Where a visit stands: one tab a diagram it went through, tokens and finished steps on each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.execution import instances
from engine.execution.tables import Event, Incident, Instance
from web.i18n import language
from web.visits import models
from web.visits.timeline import touched


@dataclass(slots=True)
class Tab:
    """One diagram."""

    definition_id: str
    process_id: str
    title: str
    active: dict[str, int] = field(default_factory=dict)  # element id → tokens waiting there
    failed: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    flows: list[str] = field(default_factory=list)  # sequence flows that were taken
    calls: dict[str, str] = field(default_factory=dict)  # call activity → definition id of what it runs now


@dataclass(frozen=True, slots=True)
class Stand:
    """A visit's diagrams in the order it reached them."""

    state: str
    tabs: list[Tab]

    def as_json(self) -> dict[str, Any]:
        """What the browser draws."""
        names = ("active", "failed", "done", "flows", "calls")
        return {"state": self.state, "tabs": {tab.definition_id: {n: getattr(tab, n) for n in names} for tab in self.tabs}}


def stand(session: Session, visit: Instance) -> Stand:
    """Reads tokens from the instance and finished steps from the record."""
    rows = models.definitions(session, touched(session, [visit.id]))
    tabs: dict[str, Tab] = {}
    for pair in touched(session, [visit.id]):
        if (row := rows.get(pair)) is not None:
            model = models.model_of(session, row)
            tabs[row.id] = Tab(row.id, row.key, model.label(language()) if model else row.key)
    _finished(session, visit, {pair: row.id for pair, row in rows.items()}, tabs)
    if visit.ended is None and visit.state != "cancelled":
        _present(session, visit, tabs)
    return Stand(visit.state, list(tabs.values()))


def _finished(session: Session, visit: Instance, ids: dict[tuple[str, int], str], tabs: dict[str, Tab]) -> None:
    query = select(Event.process_id, Event.version, Event.element_id, Event.via, Event.kind).where(
        Event.instance_id == visit.id, Event.kind.in_(("entered", "completed")), Event.element_id.is_not(None)
    )
    for process, version, element, via, kind in session.execute(query):
        tab = tabs.get(ids.get((process, version), ""))
        if tab is None:
            continue
        if kind == "completed" and element not in tab.done:
            tab.done.append(element)
        if via and via not in tab.flows:
            tab.flows.append(via)


def _present(session: Session, visit: Instance, tabs: dict[str, Tab]) -> None:
    stuck = set(session.scalars(select(Incident.element_id).where(Incident.instance_id == visit.id, Incident.state == "open")))
    for token in instances.tokens(session, visit.id):
        if (tab := tabs.get(token.definition_id)) is None:
            continue
        if token.state == "failed" or token.element_id in stuck:
            tab.failed.append(token.element_id)
        else:
            tab.active[token.element_id] = tab.active.get(token.element_id, 0) + 1
    scopes = {scope.scope: scope for scope in instances.scopes(session, visit.id)}
    for scope in scopes.values():
        outer = scopes.get(scope.parent or "")
        if outer and scope.owner_element and outer.definition_id in tabs:
            tabs[outer.definition_id].calls[scope.owner_element] = scope.definition_id
