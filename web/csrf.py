"""Cross-site requests: every writing request must come from our own page and carry this session's token."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, request, session
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.exceptions import BadRequest

View = TypeVar("View", bound=Callable[..., Any])

_exempt: set[str] = set()
FIELD, HEADER = "_csrf", "X-CSRF-Token"


def exempt(view: View) -> View:
    """Marks a view that proves its caller another way: a signature, a bearer token."""
    _exempt.add(f"{view.__module__}.{view.__qualname__}")
    return view


def token() -> str:
    """This browser session's token."""
    return str(session.setdefault("csrf", secrets.token_urlsafe(24)))


def renew() -> None:
    """A fresh token, for the moment somebody signs in."""
    session["csrf"] = secrets.token_urlsafe(24)


def field() -> Markup:
    """The hidden field that every form carries."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token())


def init(app: Flask) -> None:
    """Checks each writing request before its view runs."""
    app.add_template_global(field, "csrf_field")
    app.add_template_global(token, "csrf_token")
    app.before_request(_check)


def _check() -> None:
    if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    if f"{view.__module__}.{view.__qualname__}" in _exempt:
        return
    origin = request.headers.get("Origin")
    given = request.headers.get(HEADER) or request.form.get(FIELD) or ""
    if (origin and urlsplit(origin).netloc != request.host) or not hmac.compare_digest(given.encode(), token().encode()):
        raise BadRequest(gettext("This page was open too long, or the request did not come from it. Reload the page and try again."))
