"""Updates a resource on a FHIR server, and only the version that was meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import REFUSED, Work, connector
from integrations.fhir import client
from integrations.fhir.client import Answer
from integrations.fhir.refusal import words
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """The resource as it shall be."""

    resource: dict[str, Any] = about("Resource", "资源", personal=True)  # noqa: RUF009  about() makes a field
    version: str = about("Version it was made from", "所依据的版本", default="", help=("Another version is refused.", "版本不符则拒绝。"))
    condition: str = about("Instead of an id: a search", "以查询条件代替资源号", default="")


@dataclass(frozen=True)
class Output:
    """What the server has now."""

    id: str = about("Id", "资源号")
    version: str = about("Version", "版本", default="")
    resource: Any = about("Resource", "资源", default=None, personal=True)  # noqa: RUF009  about() makes a field


@connector(
    "fhir.update", title=("Update on a FHIR server", "在 FHIR 服务器更新"), group=("FHIR", "FHIR"), connection="fhir",
    standard="FHIR R4 update with If-Match, conditional update", icon="globe", errors=REFUSED,
)  # fmt: skip
def update(given: Input, work: Work) -> Output:
    """Updates the resource of its id, or the one that fits a search. With a version, only that one: else FAR_END_REFUSED.

    按资源号或查询条件更新资源。给出版本时，仅当服务器上仍为该版本才更新，否则抛出 FAR_END_REFUSED。
    """
    link = work.link()
    kind, id_ = given.resource.get("resourceType"), given.resource.get("id")
    if not isinstance(kind, str) or not kind.isalpha():
        raise ConnectorFailed("resource.resourceType: is required", kind="permanent")
    if not given.condition and (not isinstance(id_, str) or not re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", id_)):
        raise ConnectorFailed("resource.id: is required, or a condition", kind="permanent")
    path = f"{kind}?{given.condition.lstrip('?')}" if given.condition else f"{kind}/{id_}"
    message = Outbound(f"fhir.{kind}"[:60], work.call.key[:120], given.resource, None, work.call.subject)
    kept: dict[str, Any] = log.exchange(work.call, link, message, lambda: _put(link, path, given))
    body = kept["payload"] or given.resource
    return Output(str(body.get("id") or id_ or ""), str((body.get("meta") or {}).get("versionId") or ""), body)


def _put(link: Link, path: str, given: Input) -> dict[str, Any]:
    headers = {"If-Match": f'W/"{given.version}"'} if given.version else {}
    answer = client.exchange(link, "PUT", path, given.resource, headers=headers, allowed=(412,))
    if answer.status == 412:
        answer = _done_before(link, path, given, answer)
    return {"status": answer.status, "payload": answer.body}


def _done_before(link: Link, path: str, given: Input, refused: Answer) -> Answer:
    """The version moved on. When what is there now is what we wanted, it was we: the answer to an earlier try was lost."""
    if not given.condition:
        present = client.exchange(link, "GET", path, allowed=(404, 410))
        if present.status == 200 and _content(present.body) == _content(given.resource):
            return present
    text = words(refused.body)
    raise BpmnError("FAR_END_REFUSED", f"{link.name} has another version: {text}", {"refusal": text})


def _content(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key not in ("meta", "text")}
