"""One visit's page: where it stands, what happened, what is wrong, and what may be done by hand."""

from __future__ import annotations

from collections.abc import Mapping

from flask import render_template, session, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.routing import BuildError

from engine.execution import incidents as stuck
from engine.execution import instances
from engine.execution.tables import Task
from engine.models.tables import Definition
from web.access import may
from web.db import db
from web.operations.panel import panel
from web.patients import banner, note_read
from web.visits import listing, models
from web.visits.stand import stand
from web.visits.timeline import timeline


def page_of(instance_id: str, given: Mapping[str, str] | None = None) -> str:
    """The page; `given` is what the person typed into the values of a scope, to be corrected."""
    visit = instances.get(db.session(), instance_id)
    note_read("visit.view", visit.subject)
    open_tasks = select(Task).where(Task.instance_id == visit.id, Task.state == "open").order_by(Task.created)
    knows = may("visit.variables", visit.department)
    return render_template(
        "visits/show.html",
        visit=visit,
        title=models.model_of(db.session(), db.session.get(Definition, visit.definition_id)),
        patient=banner(visit.subject),
        tabs=stand(db.session(), visit).tabs,
        timeline=timeline(db.session(), visit.id),
        open_tasks=list(db.session.scalars(open_tasks)),
        incidents=listing.described(stuck.open_incidents(db.session(), instance_id=visit.id)),
        variables=sorted(instances.variables(db.session(), visit.id).items()) if knows else None,
        panel=panel(visit),
        given=given or {},
        back=_back(),
        may_resume=visit.state == "suspended" and may("instance.operate", visit.department),
        may_cancel=visit.ended is None and visit.state != "cancelled" and may("visit.cancel", visit.department),
    )


def _back() -> tuple[str, str] | None:
    """The list that the person came from, as it was: its address and what it is called."""
    names = {"operations.show": gettext("Operations"), "visits.search": gettext("Visits")}
    endpoint, asked = session.get("listing") or ("visits.search", {})
    try:
        return (url_for(endpoint, **asked), names[endpoint]) if endpoint in names else None
    except BuildError:
        return None
