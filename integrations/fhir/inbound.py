"""A partner hospital at our FHIR endpoint: who it is, and how it says how a referral goes on."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.db import write_lock
from engine.errors import Forbidden
from integrations import runtime
from integrations.connections.tables import Connection
from integrations.fhir.refusal import FhirRefused, refuse
from integrations.fhir.server import write
from integrations.fhir.server.caller import Caller
from integrations.fhir.server.write import Desk

Answer = tuple[int, dict[str, Any]]


def partner_of(session: Session, authorization: str | None) -> str | None:
    """The connection's name of the partner that has this bearer token; None when nobody has."""
    given = (authorization or "").removeprefix("Bearer ").strip()
    for row in session.scalars(select(Connection).where(Connection.kind == "fhir")):
        wanted = str((row.secrets or {}).get("inbound_token", ""))
        if wanted and hmac.compare_digest(wanted.encode(), given.encode()):
            return row.name
    return None


def sender(session: Session, authorization: str | None) -> str:
    """The partner's connection name for a bearer token; Forbidden when no partner has it."""
    write_lock(session)  # before the first read: what follows in this transaction writes
    found = partner_of(session, authorization)
    if found is None:
        raise Forbidden("No partner has this token.")
    return found


def update_task(session: Session, resource: Mapping[str, Any], *, connection: str = "partner") -> Answer:
    """Takes a partner's Task outside the web: status and the Task, or an OperationOutcome. The caller commits."""
    write_lock(session)
    desk = Desk(session, runtime.settings(), Caller(connection, connection), "")
    try:
        if not isinstance(resource.get("id"), str):
            raise refuse(400, "required", "A Task needs an id here.", "Task.id")
        with session.begin_nested():
            written = write.update(desk, "Task", resource["id"], dict(resource))
            written.after()
    except FhirRefused as error:
        return error.status, error.outcome
    return written.status, written.resource
