"""Asks a FHIR R4 server and sorts its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.fhir import codes
from integrations.fhir.refusal import words

MEDIA = "application/fhir+json"


def ask(
    link: Link, method: str, path: str, resource: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One interaction; returns the resource that comes back.

    A resource with a wrong code is not sent (permanent). 409, 412 and 422 are the server's business refusal: BpmnError
    FAR_END_REFUSED; other 4xx are permanent. Calls are made conditional, so they may be repeated.
    """
    if resource is not None and (wrong := codes.problems(resource)):
        raise ConnectorFailed("; ".join(wrong), kind="permanent")
    base = str(link.address.get("path", "")).rstrip("/")
    token = link.secrets.get("token")
    sent = {"Accept": MEDIA, "Content-Type": MEDIA, **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
    content = None if resource is None else json.dumps(resource, ensure_ascii=False).encode()
    answer = http.request(link, method, f"{base}/{path}".rstrip("/") or "/", headers=sent, content=content, repeatable=True)
    try:
        body: dict[str, Any] = answer.json() if answer.content else {}
    except ValueError:
        body = {}
    if answer.status_code in (409, 412, 422):
        raise BpmnError("FAR_END_REFUSED", f"{link.name} refused: {words(body)}", {"refusal": words(body)})
    if answer.status_code >= 400:
        raise ConnectorFailed(f"{link.name} answered {answer.status_code}: {words(body)}", kind="permanent")
    return body


def created(answer: Mapping[str, Any], kind: str) -> str:
    """The id of the first resource of that kind in a transaction's answer."""
    for entry in answer.get("entry") or ():
        parts = str((entry.get("response") or {}).get("location", "")).split("/")
        if kind in parts:
            return parts[parts.index(kind) + 1]
    raise ConnectorFailed(f"The answer names no {kind}.", kind="permanent")
