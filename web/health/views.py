"""Liveness, readiness and figures for the machines that watch us. None of them names a patient."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from flask import Blueprint, Flask, Response, current_app, g, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from engine.models.tables import Definition
from web.access import public
from web.db import db
from web.health.gauges import Gauges

bp = Blueprint("health", __name__)

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)


LOOK_SECONDS = 1.0  # a database that takes longer is not there


class Look:
    """A look at the database from a thread of its own: one that hangs is noticed, and never looked at twice at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ready")
        self._lock = Lock()
        self._last: Future[None] | None = None

    def answers(self, engine: Engine) -> bool:
        """Whether the database answers in time and has our schema."""
        with self._lock:
            if self._last is None or self._last.done():
                self._last = self._pool.submit(self._ask, engine)
            last = self._last
        try:
            last.result(LOOK_SECONDS)
        except (TimeoutError, SQLAlchemyError):
            return False
        return True

    def _ask(self, engine: Engine) -> None:
        with engine.connect() as connection:
            connection.execute(select(Definition.id).limit(1))


@bp.record_once
def _measure(state: BlueprintSetupState) -> None:
    app: Flask = state.app
    registry = CollectorRegistry()
    registry.register(Gauges(app))
    requests = Counter("carelane_http_requests", "Requests answered", ["method", "route", "status"], registry=registry)
    seconds = Histogram("carelane_http_seconds", "Time to answer", ["method", "route"], buckets=BUCKETS, registry=registry)
    app.extensions["carelane_metrics"] = registry
    app.extensions["carelane_look"] = Look()

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
    look: Look = current_app.extensions["carelane_look"]
    return {"ready": True} if look.answers(db.engine) else ({"ready": False, "reason": "database"}, 503)


@bp.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """Figures in Prometheus' text format: counts only."""
    return Response(generate_latest(current_app.extensions["carelane_metrics"]), content_type=CONTENT_TYPE_LATEST)
