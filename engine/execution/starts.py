"""Start events that something triggers: each newest version listens, older ones listen no more."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.execution.environment import Deployed
from engine.execution.specs.base import feel_or_text
from engine.execution.tables import Subscription
from engine.models.tables import Definition


def refresh(session: Session, definition: Definition) -> None:
    """Lets the start events of a newly deployed process listen in place of its older versions'."""
    if definition.kind != "process":
        return
    versions = select(Definition.id).where(Definition.kind == "process", Definition.key == definition.key)
    older = (Subscription.instance_id.is_(None), Subscription.definition_id.in_(versions))
    session.execute(delete(Subscription).where(*older))
    model = Deployed(session).compiled(definition.id).model
    for element in model.inside(None):
        if element.type != "startEvent" and not element.instantiate:
            continue
        for event in element.events:
            if event.kind in ("message", "signal"):
                session.add(
                    Subscription(
                        id=new_id(), kind=event.kind, name=str(feel_or_text(event.name or "", {})), key="", instance_id=None,
                        token=None, definition_id=definition.id, element_id=element.id, created=clock.now(),
                    )
                )  # fmt: skip
