"""Who calls: a program with a token of the API and a FHIR scope, or a partner hospital with its connection's token."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import g, request

from integrations.connections import book
from integrations.fhir import inbound
from integrations.fhir.refusal import refuse
from integrations.fhir.server.caller import Caller
from web import csrf
from web.access import TOKEN
from web.api.tokens import bearer
from web.db import db

READ, WRITE = "fhir:read", "fhir:write"
View = TypeVar("View", bound=Callable[..., Any])


def needs(scope: str) -> Callable[[View], View]:
    """Guards a view; what it needs to know of its caller is in `g.caller`."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            g.caller = _caller(scope)
            g.reader = g.caller.name
            return view(*args, **kwargs)

        guarded.access, guarded.scope = TOKEN, scope  # type: ignore[attr-defined]
        return csrf.exempt(guarded)  # type: ignore[return-value]

    return guard


def may(scope: str) -> bool:
    """Whether this request's caller has that scope too."""
    return bool(g.caller.partner) or scope in g.caller_scopes


def _caller(scope: str) -> Caller:
    token = bearer()
    if token is not None:
        g.caller_scopes = token.scopes
        if scope not in token.scopes:
            raise refuse(403, "forbidden", f"This token lacks the scope {scope}.")
        return Caller(f"api:{token.name}")
    partner = inbound.partner_of(db.session(), request.headers.get("Authorization"))
    if partner is None:
        raise refuse(401, "login", "Send a token: Authorization: Bearer …")
    if not book.accepts(db.session(), partner):
        raise refuse(503, "transient", "This connection is stopped; send it again later.")
    return Caller(partner, partner)
