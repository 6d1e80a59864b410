"""Bearer tokens: scoped, revocable, checked with each request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from flask import g, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Unauthorized

from engine.clock import now
from engine.errors import Forbidden
from web import csrf
from web.access import TOKEN
from web.api.tables import ApiToken
from web.db import db

SCOPES = ("instances:read", "instances:write", "tasks:read", "tasks:write", "messages:write", "fhir:read", "fhir:write")
PREFIX = "cl_"  # lets secret scanners recognise a leaked token
View = TypeVar("View", bound=Callable[..., Any])


def create(session: Session, name: str, scopes: Iterable[str], *, by: str) -> tuple[ApiToken, str]:
    """A new token; its text is given once and not kept."""
    text = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(name=name[:100], token_hash=_hash(text), scopes=sorted(set(scopes) & set(SCOPES)), created=now(), created_by=by)
    session.add(row)
    session.flush()
    return row, text


def needs(scope: str) -> Callable[[View], View]:
    """Guards a view: the request must carry a live token with this scope."""
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no scope")

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            row = bearer()
            if row is None:
                raise Unauthorized("Send a token: Authorization: Bearer …", www_authenticate=None)
            if scope not in row.scopes:
                raise Forbidden(f"This token lacks the scope {scope}.")
            g.api_token = row
            return view(*args, **kwargs)

        guarded.access, guarded.scope = TOKEN, scope  # type: ignore[attr-defined]
        return csrf.exempt(guarded)  # type: ignore[return-value]

    return guard


def actor() -> str:
    """What the record says who did it."""
    return f"api:{g.api_token.name}"


def bearer() -> ApiToken | None:
    """The live token of this request, if it carries one."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text:
        return None
    return db.session.scalars(select(ApiToken).where(ApiToken.token_hash == _hash(text.strip()), ApiToken.revoked.is_(None))).first()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
