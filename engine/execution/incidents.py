"""Incidents: what waits for a person, and how it goes on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import Conflict, NotFound, Refused
from engine.execution import jobs
from engine.execution.run import Run
from engine.execution.steps import advance
from engine.execution.tables import Incident


def open_incidents(session: Session, *, instance_id: str | None = None, limit: int = 200) -> list[Incident]:
    """The open incidents, newest first."""
    query = select(Incident).where(Incident.state == "open")
    if instance_id is not None:
        query = query.where(Incident.instance_id == instance_id)
    return list(session.scalars(query.order_by(Incident.created.desc(), Incident.id.desc()).limit(limit)))


def get(session: Session, incident_id: str) -> Incident:
    """An incident, or NotFound."""
    found = session.get(Incident, incident_id)
    if found is None:
        raise NotFound("There is no such incident.")
    return found


def retry(session: Session, incident_id: str, *, actor: str, input: dict[str, Any] | None = None, reason: str = "") -> None:
    """Tries again what failed: the job, or the token's own step. It may fail again, as a new incident."""
    incident = get(session, incident_id)
    if incident.state != "open":
        raise Conflict("The incident is resolved already.")
    if incident.job_id is not None:
        jobs.retry(session, incident.job_id, actor=actor, input=input, reason=reason)
        return
    if input is not None:
        raise Refused("Nothing was called here that could be given other input: change the variables, then try again.")
    incident.state, incident.resolved, incident.resolved_by, incident.resolution = "resolved", clock.now(), actor, "tried again"
    session.flush()
    token = incident.token

    def act(run: Run) -> None:
        run.record("resolved", run.find(token), detail={"incident": incident_id} | ({"reason": reason} if reason else {}))
        run.retry(token)

    advance(session, incident.instance_id, act, actor=actor)


def skip(session: Session, incident_id: str, *, reason: str, output: dict[str, Any], actor: str) -> None:
    """Goes on without the call that failed, with `output` in its place."""
    incident = get(session, incident_id)
    if incident.state != "open":
        raise Conflict("The incident is resolved already.")
    if incident.job_id is None:
        raise Refused("Only a call can be skipped: correct what is wrong and try again, or move the token.")
    jobs.skip(session, incident.job_id, reason=reason, output=output, actor=actor)
