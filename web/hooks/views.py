"""Thin routes to `integrations`: each caller proves itself with a signature."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from integrations.connections import book
from integrations.payments import hooks
from web import csrf
from web.access import public
from web.db import db

bp = Blueprint("hooks", __name__)


@bp.post("/hooks/<connection>")
@public
@csrf.exempt
def receive(connection: str) -> ResponseReturnValue:
    """A payment provider's notification: verified, recorded once, handed to the visit that waits."""
    if not book.accepts(db.session(), connection):
        return {"code": "FAIL", "message": "This connection is stopped; send it again later."}, 503, {"Retry-After": "60"}
    status, body = hooks.receive(db.session(), connection, dict(request.headers), request.get_data())
    return (body, status, {"Content-Type": "text/plain"}) if isinstance(body, str) else (jsonify(body), status)
