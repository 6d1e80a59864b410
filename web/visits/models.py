"""The diagrams behind a visit: which versions it ran on, their models, and their XML in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from engine.models import deploy
from engine.models.elements import Element, ProcessModel
from engine.models.tables import Definition

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE = "http://camunda.org/schema/zeebe/1.0"


def definitions(session: Session, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Definition]:
    """The process definitions of (process id, version) pairs."""
    pairs = sorted(set(versions))
    if not pairs:
        return {}
    wanted = or_(*[and_(Definition.key == key, Definition.version == version) for key, version in pairs])
    rows = session.scalars(select(Definition).where(Definition.kind == "process", wanted))
    return {(row.key, row.version): row for row in rows}


def model_of(session: Session, definition: Definition | None) -> ProcessModel | None:
    """The model of a definition; None when it is no longer there."""
    return deploy.model(session, definition) if definition else None


def element_of(model: ProcessModel | None, element_id: str | None) -> Element | None:
    """An element of a model, if both are there."""
    return model.elements.get(element_id) if model and element_id else None


def diagram(session: Session, definition: Definition, language: str) -> bytes:
    """The diagram's XML, its names in `language` where the author gave them."""
    content = deploy.content(session, definition)
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    wanted = f"carelane:name:{language}"
    for found in root.iter(f"{{{ZEEBE}}}property"):
        extensions = next(found.iterancestors(f"{{{BPMN}}}extensionElements"), None)
        if found.get("name") == wanted and extensions is not None and (owner := extensions.getparent()) is not None:
            owner.set("name", found.get("value") or "")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
