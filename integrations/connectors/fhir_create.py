"""Creates a resource on a FHIR server, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations.connector import REFUSED, Work, connector
from integrations.fhir import client
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

CONDITION = ("A search; by default the call's own key as identifier.", "查询条件；默认以本次调用的幂等键为标识。")


@dataclass(frozen=True)
class Input:
    """The resource."""

    resource: dict[str, Any] = about("Resource", "资源", personal=True)  # noqa: RUF009  about() makes a field
    if_none_exist: str = about("Only if none exists", "仅当不存在时", default="", help=CONDITION)


@dataclass(frozen=True)
class Output:
    """What the server has now."""

    id: str = about("Id", "资源号")
    version: str = about("Version", "版本", default="")
    created: bool = about("Created now", "本次新建", default=True)
    resource: Any = about("Resource", "资源", default=None, personal=True)  # noqa: RUF009  about() makes a field


@connector(
    "fhir.create", title=("Create on a FHIR server", "在 FHIR 服务器创建"), group=("FHIR", "FHIR"), connection="fhir",
    standard="FHIR R4 conditional create", icon="globe", errors=REFUSED,
)  # fmt: skip
def create(given: Input, work: Work) -> Output:
    """Creates the resource unless one fits the condition. The call's key goes with it as an identifier, so that a repeat finds it.

    若无符合条件的资源则创建。本次调用的幂等键作为标识随资源发送，重复调用不会重复创建。
    """
    link = work.link()
    kind = given.resource.get("resourceType")
    if not isinstance(kind, str) or not kind.isalpha():
        raise ConnectorFailed("resource.resourceType: is required", kind="permanent")
    resource, condition = client.once(given.resource, work.call.key)
    headers = {"If-None-Exist": given.if_none_exist.lstrip("?") or condition}

    def go() -> dict[str, Any]:
        answer = client.exchange(link, "POST", kind, resource, headers=headers)
        return {"status": answer.status, "payload": answer.body}

    message = Outbound(f"fhir.{kind}"[:60], work.call.key[:120], resource, None, work.call.subject)
    kept: dict[str, Any] = log.exchange(work.call, link, message, go)
    body = kept["payload"]
    if not body.get("id"):
        raise ConnectorFailed(f"{link.name} does not say which id the resource has.", kind="permanent")
    return Output(str(body["id"]), str((body.get("meta") or {}).get("versionId") or ""), kept["status"] == 201, body)
