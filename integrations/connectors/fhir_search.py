"""Searches a FHIR server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from engine.errors import ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import Work, connector
from integrations.fhir import client
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

MOST_PAGES = 20


@dataclass(frozen=True)
class Input:
    """What to look for."""

    resource_type: str = about("Resource type", "资源类型")
    query: dict[str, Any] = about("Search parameters", "查询参数", default={}, personal=True)  # noqa: RUF009  about() makes a field
    limit: int = about("At most", "最多条数", default=50)


@dataclass(frozen=True)
class Output:
    """What was found."""

    resources: list[dict[str, Any]] = about("Resources", "资源", personal=True)  # noqa: RUF009  about() makes a field
    total: int | None = about("How many there are", "总数", default=None)


@connector(
    "fhir.search",
    title=("Search a FHIR server", "查询 FHIR 服务器"),
    group=("FHIR", "FHIR"),
    connection="fhir",
    standard="FHIR R4 search",
    icon="globe",
)
def search(given: Input, work: Work) -> Output:
    """Finds resources by search parameters; further pages are fetched until there are `limit`.

    按查询参数查找资源；自动翻页，直到取得所需条数。
    """
    link = work.link()
    if not re.fullmatch(r"[A-Z][A-Za-z]{2,40}", given.resource_type):
        raise ConnectorFailed(f"resourceType: {given.resource_type!r} is no type of FHIR", kind="permanent")
    sent = {"method": "GET", "path": given.resource_type, "payload": given.query}
    message = Outbound("fhir.search", work.call.key[:120], sent, None, work.call.subject)
    kept: dict[str, Any] = log.exchange(work.call, link, message, lambda: _pages(link, given))
    return Output(kept["payload"], kept["total"])


def _pages(link: Link, given: Input) -> dict[str, Any]:
    params = [(name, str(item)) for name, value in given.query.items() for item in (value if isinstance(value, list) else [value])]
    if not any(name == "_count" for name, _ in params):
        params.append(("_count", str(min(given.limit, 100))))
    found: list[dict[str, Any]] = []
    total = None
    for _ in range(MOST_PAGES):
        page = client.exchange(link, "GET", given.resource_type, params=params).body
        total = page.get("total") if total is None else total
        found += [e["resource"] for e in page.get("entry") or () if isinstance(e.get("resource"), dict)]
        following = next((str(item.get("url")) for item in page.get("link") or () if item.get("relation") == "next"), "")
        if not following or len(found) >= given.limit:
            break
        # Only the query of the next page is taken: where the server is, the connection says.
        params = parse_qsl(urlsplit(following).query)
    return {"payload": found[: given.limit], "total": total if isinstance(total, int) else None}
