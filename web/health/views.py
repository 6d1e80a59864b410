"""Liveness, readiness and figures for the machines that watch us. None of them names a patient."""

from __future__ import annotations

import time

from flask import Blueprint, Flask, Response, current_app, g, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from engine.models.tables import Definition
from web.access import public
from web.db import db
from web.health.gauges import Gauges

bp = Blueprint("health", __name__)

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)


@bp.record_once
def _measure(state: BlueprintSetupState) -> None:
    app: Flask = state.app
    registry = CollectorRegistry()
    registry.register(Gauges(app))
    requests = Counter("carelane_http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
    seconds = Histogram("carelane_http_seconds", "Time to answer", ["method", "route"], buckets=BUCKETS, registry=registry)
    app.extensions["carelane_metrics"] = registry

    @app.after_request
    def _count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "-"
        requests.labels(request.method, route, response.status_code).inc()
        if (started := g.get("started")) is not None and response.mimetype != "text/event-stream":
            seconds.labels(request.method, route).observe(time.perf_counter() - started)
        return response


@bp.get("/health/live")
@public
def live() -> ResponseReturnValue:
    """The process answers."""
    return {"live": True}


@bp.get("/health/ready")
@public
def ready() -> ResponseReturnValue:
    """The database answers and has our schema."""
    try:
        db.session.execute(text("SELECT 1"))
        db.session.execute(select(Definition.id).limit(1))
    except SQLAlchemyError:
        return {"ready": False, "reason": "database"}, 503
    return {"ready": True}


@bp.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """Figures in Prometheus' text format: counts only."""
    return Response(generate_latest(current_app.extensions["carelane_metrics"]), content_type=CONTENT_TYPE_LATEST)
