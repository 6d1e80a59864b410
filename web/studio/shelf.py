"""What is deployed, as the studio shows it: one row a thing, its versions, and who runs on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.errors import NotFound
from engine.execution.tables import Instance
from engine.models import deploy
from engine.models.tables import Definition, Deployment

KINDS = ("process", "decision", "form")
SUFFIX = {"process": ".bpmn", "decision": ".dmn", "form": ".form"}


@dataclass(slots=True)
class Item:
    """A process, decision or form with all its versions, the newest first."""

    kind: str
    key: str
    versions: list[Definition] = field(default_factory=list)
    running: int = 0

    @property
    def newest(self) -> Definition:
        """The newest version of all."""
        return self.versions[0]

    @property
    def heads(self) -> list[Definition]:
        """The newest version of each tag: what new visits can take."""
        seen: dict[str | None, Definition] = {}
        for version in self.versions:
            seen.setdefault(version.version_tag, version)
        return list(seen.values())


def shelf(session: Session) -> dict[str, list[Item]]:
    """Everything deployed, by kind."""
    items: dict[tuple[str, str], Item] = {}
    for row in session.scalars(select(Definition).order_by(Definition.key, Definition.version.desc())):
        items.setdefault((row.kind, row.key), Item(row.kind, row.key)).versions.append(row)
    by_definition = running(session)
    found: dict[str, list[Item]] = {kind: [] for kind in KINDS}
    for item in items.values():
        item.running = sum(by_definition.get(v.id, 0) for v in item.versions)
        found[item.kind].append(item)
    return found


def form_titles(session: Session, found: dict[str, list[Item]], language: str) -> dict[str, str]:
    """What to call a form, which has no name of its own: the step that shows it, with its process."""
    titles: dict[str, str] = {}
    for process in found["process"]:
        for version in process.heads:
            model = deploy.model(session, version)
            for element in model.elements.values():
                if element.form_id:
                    titles.setdefault(element.form_id, f"{element.label(language)} · {model.label(language)}")
    return titles


def item(session: Session, kind: str, key: str) -> Item:
    """One thing with its versions; NotFound when nothing of that name is deployed."""
    rows = list(session.scalars(select(Definition).where(Definition.kind == kind, Definition.key == key).order_by(Definition.version.desc())))
    if not rows:
        raise NotFound
    return Item(kind, key, rows)


def running(session: Session) -> dict[str, int]:
    """How many visits run on each definition."""
    query = select(Instance.definition_id, func.count()).where(Instance.ended.is_(None), Instance.state != "cancelled")
    return {row[0]: row[1] for row in session.execute(query.group_by(Instance.definition_id))}


def deployments(session: Session, versions: Iterable[Definition]) -> dict[str, Deployment]:
    """The acts of deploying behind these versions, by id."""
    wanted = {v.deployment_id for v in versions}
    return {d.id: d for d in session.scalars(select(Deployment).where(Deployment.id.in_(wanted)))}


def together(session: Session, definition: Definition) -> list[Definition]:
    """What was deployed with a version and is in the same file: the other decisions of a DMN file."""
    rows = session.scalars(select(Definition).where(Definition.deployment_id == definition.deployment_id, Definition.hash == definition.hash))
    return sorted(rows, key=lambda d: d.key)
