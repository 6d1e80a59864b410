"""Live refresh: a stream that says only "changed"; the page then asks for what it shows."""

from __future__ import annotations

from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from web.access import allowed
from web.db import db
from web.live.watch import Watch

bp = Blueprint("live", __name__)

SPARE_THREADS = 16  # never taken by streams, so that pages and forms are always served
PLACE = "carelane_watch"


@bp.record_once
def _watch(state: BlueprintSetupState) -> None:
    state.app.extensions[PLACE] = Watch()


@bp.get("/live")
@allowed("self")
def stream() -> ResponseReturnValue:
    """Server-sent events: `changed` when something happened, `beat` otherwise. 204 sends a browser to polling."""
    watch: Watch = current_app.extensions[PLACE]
    if watch.listeners >= max(current_app.config["CARELANE"].threads - SPARE_THREADS, 4):
        return "", 204
    events = watch.events(db.engine)
    return Response(events, mimetype="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
