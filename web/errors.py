"""The one place that maps errors to HTTP: a page in words for people, RFC 9457 problem JSON for programs."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from werkzeug.exceptions import HTTPException

from engine import errors
from web.i18n import language
from web.problems import told

log = structlog.get_logger("carelane.web")

STATUS: dict[type[errors.CarelaneError], int] = {
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Forbidden: 403,
    errors.Refused: 409,
    errors.ExpressionFailed: 422,
    errors.InvalidModel: 422,
    errors.InvalidForm: 422,
    errors.BpmnError: 409,
    errors.ConnectorFailed: 502,
}

WORDS = {
    400: (lazy_gettext("That request was not complete"), lazy_gettext("Go back, reload the page and try again.")),
    403: (lazy_gettext("Your role does not allow this"), lazy_gettext("If you need it for your work, ask an administrator for the role.")),
    404: (lazy_gettext("There is no such page, or you may not see it"), lazy_gettext("It may belong to another department, or it has ended.")),
    405: (lazy_gettext("That cannot be done here"), lazy_gettext("Go back and use the buttons on the page.")),
    409: (lazy_gettext("Somebody else was faster"), lazy_gettext("Look at the present state and decide again.")),
    413: (lazy_gettext("That file is too large"), lazy_gettext("Send a smaller one.")),
    422: (lazy_gettext("Some of this cannot be used as it is"), lazy_gettext("Correct what is named and send it again.")),
    429: (lazy_gettext("Too many tries"), lazy_gettext("Wait a little and try again.")),
    500: (
        lazy_gettext("Something went wrong on our side"),
        lazy_gettext("Nothing was changed. Try again; if it stays, tell an administrator the number below."),
    ),
    502: (lazy_gettext("Another system did not answer"), lazy_gettext("Nothing is lost. Try again in a moment.")),
    503: (lazy_gettext("Not ready"), lazy_gettext("Try again in a moment.")),
}


def init(app: Flask) -> None:
    """Registers the handlers."""
    app.register_error_handler(errors.CarelaneError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(500, _unexpected)


def status_of(error: errors.CarelaneError) -> int:
    """The HTTP status of one of our errors; 500 for the bare base class."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def _ours(error: errors.CarelaneError) -> ResponseReturnValue:
    extra: dict[str, Any] = {}
    message = error.message
    if isinstance(error, errors.InvalidModel) and error.problems:
        found = told(error.problems, "en" if request.path.startswith("/api/") else language())
        extra["problems"] = [problem.as_dict() for problem in found]
        message = errors.InvalidModel(found).message
    if isinstance(error, errors.InvalidForm):
        extra["errors"] = error.errors
    default = error.message == (type(error).__doc__ or "").strip().splitlines()[0]
    return _answer(status_of(error), "" if default else message, type(error).__name__, extra)


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:  # a redirect, or an answer made elsewhere
        return error.get_response()
    own = error.description if error.description != type(error).description else ""
    return _answer(error.code or 500, own or "", type(error).__name__, {})


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("unexpected", error=type(getattr(error, "original_exception", error)).__name__)
    return _answer(500, "", "InternalServerError", {})


def wants_json() -> bool:
    """Whether this request comes from a program."""
    return (
        request.path.startswith(("/api/", "/hooks/", "/fhir"))
        or request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"], default="text/html")
        != "text/html"
    )


def _answer(status: int, detail: str, kind: str, extra: dict[str, Any]) -> ResponseReturnValue:
    title, advice = WORDS.get(status, WORDS[500 if status >= 500 else 400])
    if wants_json():
        body = {"type": f"urn:carelane:problem:{kind}", "title": str(title), "status": status, "detail": detail or str(advice), **extra}
        response = jsonify(body)
        response.content_type = "application/problem+json"
        return response, status
    # An engine's message is English; a catalogue entry translates those that staff can meet.
    page = render_template(
        "error.html",
        status=status,
        title=title,
        advice=advice,
        detail=gettext(detail) if detail and not extra.get("problems") else "",
        extra=extra,
    )
    return page, status
