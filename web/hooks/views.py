"""Thin routes to `integrations`: each caller proves itself with a signature or a bearer token."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from engine.errors import Forbidden
from integrations.connections import book
from integrations.fhir import inbound
from integrations.payments import hooks
from web import csrf
from web.access import public
from web.db import db

bp = Blueprint("hooks", __name__)

FHIR_JSON = "application/fhir+json"


@bp.post("/hooks/<connection>")
@public
@csrf.exempt
def receive(connection: str) -> ResponseReturnValue:
    """A payment provider's notification: verified, recorded once, handed to the visit that waits."""
    if not book.accepts(db.session(), connection):
        return {"code": "FAIL", "message": "This connection is stopped; send it again later."}, 503, {"Retry-After": "60"}
    status, body = hooks.receive(db.session(), connection, dict(request.headers), request.get_data())
    return (body, status, {"Content-Type": "text/plain"}) if isinstance(body, str) else (jsonify(body), status)


@bp.get("/fhir/metadata")
@public
def metadata() -> ResponseReturnValue:
    """What this FHIR endpoint can do."""
    interaction = [{"code": "update"}]
    rest = [{"mode": "server", "resource": [{"type": "Task", "interaction": interaction}]}]
    body = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "date": "2026-11-01",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": rest,
    }
    return _fhir(200, body)


@bp.route("/fhir/Task", methods=["POST"])
@bp.route("/fhir/Task/<task_id>", methods=["PUT"])
@public
@csrf.exempt
def update_task(task_id: str = "") -> ResponseReturnValue:
    """A partner hospital says how a referral goes on."""
    try:
        connection = inbound.sender(db.session(), request.headers.get("Authorization"))
    except Forbidden as error:
        return _fhir(403, inbound.outcome("forbidden", error.message))
    resource = request.get_json(force=True, silent=True)
    if not isinstance(resource, dict):
        return _fhir(400, inbound.outcome("structure", "The body is no JSON object."))
    return _fhir(*inbound.update_task(db.session(), resource, connection=connection))


def _fhir(status: int, body: dict[str, object]) -> Response:
    response = jsonify(body)
    response.status_code, response.content_type = status, FHIR_JSON
    return response
