"""Sends several resources to a FHIR server, all or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations.connector import REFUSED, Work, connector
from integrations.fhir import client
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Entry:
    """One resource. Another entry refers to it by its `name`."""

    resource: dict[str, Any] = about("Resource", "资源", personal=True)  # noqa: RUF009  about() makes a field
    name: str = about("Name, such as urn:uuid:…", "名称，如 urn:uuid:…", default="")
    method: str = about("POST or PUT", "POST 或 PUT", default="POST")
    if_none_exist: str = about("Only if none exists", "仅当不存在时", default="")
    if_match: str = about("Only this version", "仅该版本", default="")


@dataclass(frozen=True)
class Input:
    """What goes together."""

    entries: list[Entry] = about("Entries: resource, name, method, ifNoneExist, ifMatch", "条目：资源、名称、方法、条件")  # noqa: RUF009  about() makes a field


@dataclass(frozen=True)
class Output:
    """What became of each, in order: resourceType, id, status."""

    entries: list[dict[str, Any]] = about("Entries", "条目")  # noqa: RUF009  about() makes a field


@connector(
    "fhir.transaction", title=("FHIR transaction", "FHIR 事务"), group=("FHIR", "FHIR"), connection="fhir",
    standard="FHIR R4 transaction", icon="globe", errors=REFUSED,
)  # fmt: skip
def transact(given: Input, work: Work) -> Output:
    """Creates and updates resources together. What is created carries the call's key, so that a repeat creates nothing twice.

    一并创建和更新多个资源，要么全部成功，要么全部不执行。新建的资源带有本次调用的幂等键，重复调用不会重复创建。
    """
    link = work.link()
    bundle = {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [_entry(number, item, work.call.key) for number, item in enumerate(given.entries)],
    }  # fmt: skip
    message = Outbound("fhir.Bundle", work.call.key[:120], bundle, None, work.call.subject)
    answer: dict[str, Any] = log.exchange(work.call, link, message, lambda: client.ask(link, "POST", "", bundle))
    done = [{"resourceType": kind, "id": id_, "status": status} for kind, id_, status in client.entries(answer)]
    wrong = [str(number) for number, item in enumerate(done) if not item["status"].startswith("2")]
    if wrong or len(done) != len(given.entries):
        raise ConnectorFailed(f"{link.name} did not carry out every entry: {', '.join(wrong) or len(done)}", kind="permanent")
    return Output(done)


def _entry(number: int, item: Entry, key: str) -> dict[str, Any]:
    kind = item.resource.get("resourceType")
    if not isinstance(kind, str) or not kind.isalpha():
        raise ConnectorFailed(f"entries[{number}].resource.resourceType: is required", kind="permanent")
    named = {"fullUrl": item.name} if item.name else {}
    if item.method == "PUT":
        request = {"method": "PUT", "url": f"{kind}/{item.resource.get('id', '')}", **({"ifMatch": item.if_match} if item.if_match else {})}
        return {**named, "resource": item.resource, "request": request}
    if item.method != "POST":
        raise ConnectorFailed(f"entries[{number}].method: must be POST or PUT", kind="permanent")
    resource, condition = client.once(item.resource, f"{key}-{number}")
    return {**named, "resource": resource, "request": {"method": "POST", "url": kind, "ifNoneExist": item.if_none_exist or condition}}
