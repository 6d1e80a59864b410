"""Any REST interface."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

METHODS = {name: (name, name) for name in ("GET", "POST", "PUT", "PATCH", "DELETE")}


@dataclass(frozen=True)
class Input:
    """The request. Address and credentials come from the connection."""

    path: str = about("Path", "路径", help=("Below the connection's address.", "相对于连接地址。"))
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = about("Method", "方法", default="GET", choices=METHODS)
    query: dict[str, Any] = about("Query parameters", "查询参数", default={})  # noqa: RUF009  about() makes a field
    headers: dict[str, str] = about("Headers", "请求头", default={})  # noqa: RUF009  about() makes a field
    body: Any = about("Body", "请求体", default=None, personal=True)  # noqa: RUF009  about() makes a field
    refused_statuses: list[int] = about("Statuses that are a refusal", "视为拒绝的状态码", default=[])  # noqa: RUF009  about() makes a field


@dataclass(frozen=True)
class Output:
    """The answer."""

    status: int = about("Status", "状态码")
    body: Any = about("Body", "响应体", default=None, personal=True)  # noqa: RUF009  about() makes a field


@connector(
    "http.request", title=("Call a REST interface", "调用 REST 接口"), group=("General", "通用"), connection="http",
    standard="HTTP with Idempotency-Key", icon="globe", errors=REFUSED,
)  # fmt: skip
def call(given: Input, work: Work) -> Output:
    """Calls an interface below the connection's address. A status named as a refusal is the error FAR_END_REFUSED.

    调用连接地址下的接口。指定的拒绝状态码作为错误 FAR_END_REFUSED 抛出。
    """
    link = work.link()
    if "://" in given.path or given.path.startswith("//"):
        raise ConnectorFailed("path: must be below the connection's address, not an address of its own", kind="permanent")
    headers = {"Accept": "application/json", **given.headers, "Idempotency-Key": work.call.key, **_credentials(link)}
    content = None if given.body is None else json.dumps(given.body, ensure_ascii=False).encode()
    if content is not None:
        headers.setdefault("Content-Type", "application/json")

    def go() -> dict[str, Any]:
        answer = http.request(link, given.method, given.path, headers=headers, content=content, params=given.query)
        if answer.status_code in given.refused_statuses:
            raise BpmnError(
                "FAR_END_REFUSED", f"{link.name} answered {answer.status_code}", {"status": answer.status_code, "body": _body(answer)}
            )
        if answer.status_code >= 400:
            raise ConnectorFailed(f"{link.name} answered {answer.status_code}", kind="permanent")
        return {"status": answer.status_code, "body": _body(answer)}

    sent = {"method": given.method, "path": given.path, "query": given.query, "body": given.body}
    kept = log.exchange(work.call, link, Outbound("http", work.call.key[:120], sent, None, work.call.subject), go)
    return Output(kept["status"], kept["body"])


def _credentials(link: Link) -> dict[str, str]:
    """The connection's credentials: a bearer token, a key in a header, or a user with a password."""
    if token := link.secrets.get("token"):
        return {"Authorization": f"Bearer {token}"}
    if key := link.secrets.get("api_key"):
        return {str(link.address.get("api_key_header", "X-API-Key")): key}
    if user := link.secrets.get("user"):
        import base64

        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{link.secrets.get('password', '')}".encode()).decode()}
    return {}


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return answer.text
