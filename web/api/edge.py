"""What every operation shares: reading input, writing output, answering the same key the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, g, jsonify, request
from marshmallow import Schema, ValidationError
from sqlalchemy import select

from engine.clock import now
from engine.errors import Conflict, InvalidForm
from web.api.tables import ApiAnswer
from web.db import db

View = TypeVar("View", bound=Callable[..., Any])


def body(schema: Schema) -> dict[str, Any]:
    """The request's JSON, checked; InvalidForm names each field that is wrong."""
    given = request.get_json(force=True, silent=True)
    return _load(schema, given if isinstance(given, dict) else {})


def query(schema: Schema) -> dict[str, Any]:
    """The query string, checked."""
    return _load(schema, request.args.to_dict())


def page(rows: list[Any], limit: int, schema: Schema) -> dict[str, Any]:
    """A list with the cursor of its next page; `rows` has one more than `limit` when there is one."""
    return {"items": schema.dump(rows[:limit], many=True), "next": rows[limit - 1].id if len(rows) > limit else None}


def idempotent(view: View) -> View:
    """A POST with an Idempotency-Key that was answered before gives that answer again; for another request it is a Conflict."""

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "")[:200]
        if not key:
            return jsonify(view(*args, **kwargs))
        digest = hashlib.sha256(b"\0".join((request.method.encode(), request.path.encode(), request.get_data()))).hexdigest()
        known = db.session.scalars(select(ApiAnswer).where(ApiAnswer.token_id == g.api_token.id, ApiAnswer.key == key)).first()
        if known is not None:
            return _again(known, digest)
        answer = jsonify(view(*args, **kwargs))
        db.session.add(ApiAnswer(token_id=g.api_token.id, key=key, request=digest, status=200, body=answer.get_json(), at=now()))
        return answer

    return once  # type: ignore[return-value]


def _again(known: ApiAnswer, digest: str) -> Response:
    if known.request != digest:
        raise Conflict("This Idempotency-Key was used for another request.")
    answer = jsonify(known.body)
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _load(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        messages = error.messages_dict
        raise InvalidForm({str(k): v if isinstance(v, list) else [str(v)] for k, v in messages.items()}) from None
    return loaded
