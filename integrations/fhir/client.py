"""Asks a FHIR R4 server and sorts its answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.fhir import codes
from integrations.fhir.identifiers import CALL
from integrations.fhir.refusal import words

MEDIA = "application/fhir+json"
REFUSALS = (409, 412, 422)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with the resource that came with it."""

    status: int
    body: dict[str, Any]

    @property
    def version(self) -> str:
        """The version of the resource."""
        return str((self.body.get("meta") or {}).get("versionId") or "")


def ask(
    link: Link, method: str, path: str, resource: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One interaction; returns the resource that comes back. Raises as `exchange`, and for a refusal too."""
    return exchange(link, method, path, resource, headers=headers).body


def exchange(
    link: Link, method: str, path: str, resource: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None,
    params: Iterable[tuple[str, str]] = (), allowed: tuple[int, ...] = (),
) -> Answer:  # fmt: skip
    """One interaction.

    A resource with a wrong code is not sent (permanent). 409, 412 and 422 are the server's business refusal: BpmnError
    FAR_END_REFUSED; other 4xx are permanent; statuses in `allowed` are answers. Calls are made conditional, so they may be repeated.
    """
    if resource is not None and (wrong := codes.problems(resource)):
        raise ConnectorFailed("; ".join(wrong), kind="permanent")
    base = str(link.address.get("path", "")).rstrip("/")
    sent = {"Accept": MEDIA, "Content-Type": MEDIA, **http.credentials(link), **(headers or {})}
    content = None if resource is None else json.dumps(resource, ensure_ascii=False).encode()
    whole = f"{base}/{path}".rstrip("/") or "/"
    answer = http.request(link, method, whole, headers=sent, content=content, params=dict(params), repeatable=True)
    body = _body(answer.content)
    if answer.status_code in allowed:
        return Answer(answer.status_code, body)
    if answer.status_code in REFUSALS:
        raise BpmnError("FAR_END_REFUSED", f"{link.name} refused: {words(body)}", {"refusal": words(body)})
    if answer.status_code >= 300:
        raise ConnectorFailed(f"{link.name} answered {answer.status_code}: {words(body)}", kind="permanent")
    return Answer(answer.status_code, body)


def created(answer: Mapping[str, Any], kind: str) -> str:
    """The id of the first resource of that kind in a transaction's answer."""
    for found, id_, _ in entries(answer):
        if found == kind:
            return id_
    raise ConnectorFailed(f"The answer names no {kind}.", kind="permanent")


def entries(answer: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Type, id and status of each entry of a transaction's answer, in order; type and id are empty where it names none."""
    for entry in answer.get("entry") or ():
        response = entry.get("response") or {}
        parts = str(response.get("location") or "").partition("/_history")[0].rstrip("/").split("/")
        resource = entry.get("resource") or {}
        kind, id_ = (parts[-2], parts[-1]) if len(parts) > 1 else (resource.get("resourceType", ""), resource.get("id", ""))
        yield str(kind), str(id_), str(response.get("status") or "")[:3]


def once(resource: Mapping[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The resource with the call's key among its identifiers, and the condition under which it is there already.

    So the server itself recognises a call that it has seen, whatever became of the answer.
    """
    known = resource.get("identifier") or []
    if not isinstance(known, list):
        raise ConnectorFailed("resource.identifier: a list is expected", kind="permanent")
    return {**resource, "identifier": [*known, {"system": CALL, "value": key}]}, f"identifier={CALL}|{key}"


def _body(content: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(content) if content else {}
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
