"""The table by which elements of one version find their place in another: by id, or as a person says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from engine.execution.tables import Incident, Instance, Job, Subscription, Task
from engine.models.elements import Element, ProcessModel
from engine.models.tables import Definition
from web.db import db
from web.operations.panel import label

FIELD = "map:"


@dataclass(frozen=True, slots=True)
class Pair:
    """An element of the old version, and where its tokens would go on."""

    element: Element
    words: str
    here: int  # tokens that wait here now, of all instances of the old version
    to: str  # id in the new version; empty when there is none
    options: tuple[Element, ...]  # of the same type

    @property
    def field(self) -> str:
        """Its name in the form."""
        return FIELD + self.element.id


def given(form: Mapping[str, str]) -> dict[str, str]:
    """What the person said: old → new id, without what would happen anyway."""
    said = {name.removeprefix(FIELD): to for name, to in form.items() if name.startswith(FIELD)}
    return {old: new for old, new in said.items() if new and new != old}


def pairs(old: ProcessModel, new: ProcessModel, definition: Definition, mapping: Mapping[str, str]) -> list[Pair]:
    """Every element that a token may wait on; those without a place first, then those where somebody waits."""
    here = waiting(definition)
    found = []
    for element in old.elements.values():
        to = mapping.get(element.id, element.id)
        options = tuple(sorted((e for e in new.elements.values() if e.type == element.type), key=label))
        place = new.elements.get(to)
        fits = place is not None and place.type == element.type
        found.append(Pair(element, label(element), here.get(element.id, 0), to if fits else "", options))
    return sorted(found, key=lambda pair: (bool(pair.to), -pair.here, pair.words))


def waiting(definition: Definition) -> Counter[str]:
    """How many tokens wait on each element, as far as rows beside the state show it."""
    mine = select(Instance.id).where(Instance.definition_id == definition.id, Instance.state == "running")
    found: Counter[str] = Counter()
    queries = (
        select(Task.element_id).where(Task.instance_id.in_(mine), Task.state == "open", Task.process_id == definition.key),
        select(Job.element_id).where(
            Job.instance_id.in_(mine), Job.state.in_(("ready", "running", "failed")), Job.process_id == definition.key
        ),
        select(Subscription.element_id).where(Subscription.instance_id.in_(mine), Subscription.definition_id == definition.id),
        select(Incident.element_id).where(
            Incident.instance_id.in_(mine), Incident.state == "open", Incident.job_id.is_(None), Incident.process_id == definition.key
        ),
    )
    for query in queries:
        found.update(str(id) for id in db.session.scalars(query))
    return found
