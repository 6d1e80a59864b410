"""Signed webhooks of systems that speak JSON of their own: proved, stored raw, mapped, handed to the visit that waits.

The sender signs `timestamp\\nbody` with the connection's shared key (HMAC-SHA256, hexadecimal, X-Signature and X-Timestamp). Of the
connection's address, `message` is the name under which processes hear of it, `key` the record's field that says which one is meant.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.errors import CarelaneError
from integrations import outcomes
from integrations.connections import book
from integrations.connections.book import Link
from integrations.messages import log, routes, worklist
from integrations.messages.tables import MessageLog
from integrations.patients import index
from integrations.patients.tables import Patient

WINDOW_SECONDS = 300
KEY = "orderId"


def signature(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the time and the body."""
    return hmac.new(key.encode(), timestamp.encode() + b"\n" + body, sha256).hexdigest()


def receive(session: Session, link: Link, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Takes a webhook: status and body of the answer. A forged or stale one gives 401; whatever is proved is kept, once. The caller commits."""
    given = {name.lower(): value for name, value in headers.items()}
    timestamp, key = given.get("x-timestamp", ""), str(link.secrets.get("shared_key") or "")
    proved = bool(key) and hmac.compare_digest(signature(key, timestamp, body).encode(), given.get("x-signature", "").encode())
    if not proved or not timestamp.isdecimal() or abs(clock.now().timestamp() - int(timestamp)) > WINDOW_SECONDS:
        return 401, {"code": "FAIL", "message": "The signature does not belong to this body, or is too old."}
    content, digest = _json(body), log.digest(body)
    control = str((content or {}).get("id") or digest[:40])[:80]
    for name in (control, f"{control}#{digest[:12]}"):  # an id that is used again for something else is another message
        known = session.scalar(select(MessageLog).filter_by(connection=link.name, direction="in", control=name))
        if known is None:
            break
        if known.digest == digest:
            known.attempts += 1
            return 200, {"code": "SUCCESS", "message": ""}
    kind = str((content or {}).get("event") or (content or {}).get("type") or "")[:60]
    row = MessageLog(
        direction="in", connection=link.name, control=name, kind=kind, digest=digest, state="matched", attempts=1, at=clock.now(),
        raw={"base64": base64.b64encode(body).decode()} if content is None else {"text": content},
    )  # fmt: skip
    session.add(row)
    session.flush()
    faults.point("hook.recorded")
    place(session, row)
    return 200, {"code": "SUCCESS", "message": ""}


def place(session: Session, row: MessageLog) -> MessageLog:
    """Maps a stored webhook and hands it on; what finds no place goes to the work list."""
    content = (row.raw or {}).get("text")
    if not isinstance(content, Mapping):
        return _unplaced(session, row, "unreadable", "It is no JSON object.")
    row.state, row.error = "matched", None
    routed = routes.run(session, row.connection, row.kind, dict(content))
    record = routes.keep(session, row, routed) if routed else dict(content)
    if record is None:
        return row
    link = book.known(row.connection)
    address = link.address if link else {}
    try:
        with session.begin_nested():
            _hand_on(session, row, record, str(address.get("message") or f"hook_{row.connection}"), str(address.get("key") or KEY))
    except CarelaneError as error:
        return _unplaced(session, row, "failed", f"It could not be handed on: {error.message}")
    row.ended = clock.now()
    return row


def _hand_on(session: Session, row: MessageLog, record: dict[str, Any], name: str, field: str) -> None:
    key = str(record.get(field) or "")[:120]
    row.reference = key or None
    ordered = log.by_reference(session, key) if key else None
    person = session.get(Patient, str(record["patientId"])) if record.get("patientId") else None
    row.patient_id = index.present(session, person.id).id if person else None
    if ordered is not None:
        if person and ordered.patient_id and index.present(session, ordered.patient_id).id != row.patient_id:
            _unplaced(session, row, "other_patient", f"Its patient is not the one that the order was made for ({key})")
            return
        row.instance_id, row.element_id, row.patient_id = ordered.instance_id, ordered.element_id, ordered.patient_id
        outcomes.hand_on(session, row, name, key, record, actor=row.connection)
    elif not key:
        _unplaced(session, row, "no_order", f"It has no {field}, so nobody waits for it")
    elif not outcomes.begin(session, row, name, key, record, actor=row.connection):
        _unplaced(session, row, "no_receiver", f"No process begins with {name} or waits for it ({key})")


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _unplaced(session: Session, row: MessageLog, reason: str, detail: str) -> MessageLog:
    worklist.add(session, row, reason, detail)
    row.state, row.error, row.ended = "unmatched", detail, clock.now()
    session.flush()
    return row
