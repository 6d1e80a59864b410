"""Logs for machines: JSON lines holding only fields on a list, so that no patient's name can slip in."""

from __future__ import annotations

import logging
import sys
import time
import uuid
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog
from flask import Flask, Response, g, request

ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "logger",
        "request",
        "method",
        "route",
        "status",
        "ms",
        "actor",
        "instance",
        "task",
        "job",
        "connector",
        "error",
        "where",
        "attempt",
        "kind",
        "count",
        "state",
        "port",
        "version",
    ]
)

log = structlog.get_logger("carelane.web")


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard library's loggers alike, to standard error by default."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Foreign())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=stream is not None)


def _only_allowed(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if key in ALLOWED and isinstance(value, str | int | float | bool | None)}


class _Foreign(logging.Formatter):
    """Libraries' records: the message's template without its arguments, and an exception's type and places without its text."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        return orjson.dumps(
            {
                "event": str(record.msg)[:200] if record.args else "message",
                "level": record.levelname.lower(),
                "logger": record.name,
                **({"error": type(error).__name__, "where": _places(error)} if error else {}),
            }
        ).decode()


def _places(error: BaseException) -> str:
    places, trace = [], error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " > ".join(places[-6:])


def init(app: Flask, level: str) -> None:
    """Sets up this process's logs where nobody has, and writes one line a request.

    It holds the route, never the path or the query, which may hold a name.
    """
    if not structlog.is_configured():
        configure(level)

    @app.before_request
    def _start() -> None:
        g.started, g.request_id = time.perf_counter(), uuid.uuid4().hex[:12]

    @app.after_request
    def _done(response: Response) -> Response:
        if request.endpoint not in ("static", "health.live"):
            user = g.get("user")
            ms = round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1)
            route = request.url_rule.rule if request.url_rule else "-"
            log.info(
                "request",
                request=g.get("request_id"),
                method=request.method,
                route=route,
                status=response.status_code,
                ms=ms,
                actor=user.login if user else None,
            )
        response.headers["X-Request-Id"] = g.get("request_id", "")
        return response
