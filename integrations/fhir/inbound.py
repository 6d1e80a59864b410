"""The FHIR endpoint's inbound side: a partner hospital updates the state of a referral's task."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import write_lock
from engine.errors import Forbidden
from engine.execution import messages
from integrations.connections.tables import Connection
from integrations.fhir import codes, referral
from integrations.messages import log, worklist
from integrations.messages.tables import MessageLog

Answer = tuple[int, dict[str, Any]]


def sender(session: Session, authorization: str | None) -> str:
    """The partner's connection name for a bearer token; Forbidden when no partner has it."""
    write_lock(session)  # before the first read: what follows in this transaction writes
    given = (authorization or "").removeprefix("Bearer ").strip()
    for row in session.scalars(select(Connection).where(Connection.kind == "fhir", Connection.state == "started")):
        wanted = str((row.secrets or {}).get("inbound_token", ""))
        if wanted and hmac.compare_digest(wanted.encode(), given.encode()):
            return row.name
    raise Forbidden("No partner has this token.")


def update_task(session: Session, resource: Mapping[str, Any], *, connection: str = "partner") -> Answer:
    """Takes a partner's Task: status 200 with the Task, or 400/422 with an OperationOutcome. The caller commits.

    The same state of the same task sent again changes nothing. A task that belongs to no referral of ours is kept and put on
    the work list.
    """
    if resource.get("resourceType") != "Task":
        return 400, outcome("invalid", "A Task is expected here.")
    if wrong := codes.problems(resource):
        return 422, outcome("code-invalid", "; ".join(wrong))
    write_lock(session)
    ours = referral.referral_id(resource)
    digest = log.digest(json.dumps({k: v for k, v in resource.items() if k != "meta"}, sort_keys=True))
    # The version tells a resend from a second request in the same words
    version = str((resource.get("meta") or {}).get("versionId", ""))
    control = f"Task/{resource.get('id', '')}/{version}/{resource['status']}/{digest[:16]}"[-120:]
    known = session.scalar(select(MessageLog).filter_by(connection=connection, direction="in", control=control))
    if known is not None:
        known.attempts += 1
        return 200, dict(resource)
    row = MessageLog(
        direction="in", connection=connection, kind="fhir.Task", control=control, digest=digest, reference=ours or None, state="matched",
        raw={"text": dict(resource)}, attempts=1, at=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    _deliver(session, row, resource, ours)
    return 200, dict(resource)


def outcome(code: str, text: str) -> dict[str, Any]:
    """An OperationOutcome with one error."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code, "diagnostics": text}]}


def _deliver(session: Session, row: MessageLog, resource: Mapping[str, Any], ours: str) -> None:
    sent = log.by_reference(session, ours) if ours else None
    if sent is None:
        worklist.add(session, row, "unknown_order", f"We made no such referral ({ours})")
        row.state = "unmatched"
        return
    row.instance_id, row.element_id, row.patient_id = sent.instance_id, sent.element_id, sent.patient_id
    told = referral.news(resource)
    if told is None:
        row.state = "ignored"
        return
    row.mapped = told
    message_id = f"{row.connection}|{row.control}"
    messages.publish(session, "referral_update", ours, told, message_id=message_id, actor=row.connection)
