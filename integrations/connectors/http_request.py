"""Any REST interface."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlencode

import httpx

from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

METHODS = {name: (name, name) for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
BODY_HELP = ("JSON; a form or text where the header Content-Type says so.", "默认 JSON；Content-Type 为表单或文本时按其发送。")
_OURS = frozenset(("authorization", "idempotency-key", "host", "content-length", "transfer-encoding"))


@dataclass(frozen=True)
class Input:
    """The request. Address and credentials come from the connection."""

    path: str = about("Path", "路径", help=("Below the connection's address.", "相对于连接地址。"))
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = about("Method", "方法", default="GET", choices=METHODS)
    query: dict[str, Any] = about("Query parameters", "查询参数", default={}, personal=True)  # noqa: RUF009  about() makes a field
    headers: dict[str, str] = about("Headers", "请求头", default={})  # noqa: RUF009  about() makes a field
    body: Any = about("Body", "请求体", default=None, personal=True, help=BODY_HELP)  # noqa: RUF009  about() makes a field
    refused_statuses: list[int] = about("Statuses that are a refusal", "视为拒绝的状态码", default=[])  # noqa: RUF009  about() makes a field


@dataclass(frozen=True)
class Output:
    """The answer."""

    status: int = about("Status", "状态码")
    body: Any = about("Body", "响应体", default=None, personal=True)  # noqa: RUF009  about() makes a field
    headers: dict[str, str] = about("Headers", "响应头", default={})  # noqa: RUF009  about() makes a field


@connector(
    "http.request", title=("Call a REST interface", "调用 REST 接口"), group=("General", "通用"), connection="http",
    standard="HTTP with Idempotency-Key", icon="globe", errors=REFUSED,
)  # fmt: skip
def call(given: Input, work: Work) -> Output:
    """Calls an interface below the connection's address. A status named as a refusal is the error FAR_END_REFUSED.

    调用连接地址下的接口。指定的拒绝状态码作为错误 FAR_END_REFUSED 抛出。
    """
    link = work.link()
    _check_path(given.path)
    headers = {
        "Accept": "application/json",
        **{k: v for k, v in given.headers.items() if k.lower() not in _OURS},
        "Idempotency-Key": work.call.key,
    }
    content = _content(given.body, headers)

    def go() -> dict[str, Any]:
        answer = _authorised(link, given, headers, content)
        told = {"status": answer.status_code, "body": _body(answer), "headers": dict(answer.headers)}
        if answer.status_code in given.refused_statuses:
            raise BpmnError(
                "FAR_END_REFUSED", f"{link.name} answered {answer.status_code}", {"status": answer.status_code, "body": told["body"]}
            )
        if answer.status_code >= 400:
            raise ConnectorFailed(f"{link.name} answered {answer.status_code}", kind="permanent", status=answer.status_code, response=told)
        return {"status": told["status"], "headers": told["headers"], "payload": told["body"]}

    sent = {"method": given.method, "path": given.path, "payload": {"query": given.query, "body": given.body}}
    kept = log.exchange(work.call, link, Outbound("http", work.call.key[:120], sent, None, work.call.subject), go)
    return Output(kept["status"], kept["payload"], kept["headers"])


def _check_path(path: str) -> None:
    plain = unquote(path)
    if "://" in plain or plain.startswith(("//", "\\")) or ".." in plain.replace("\\", "/").split("/"):
        raise ConnectorFailed("path: must be below the connection's address, not an address of its own", kind="permanent")


def _authorised(link: Link, given: Input, headers: dict[str, str], content: bytes | None) -> httpx.Response:
    """The answer; a token that the far end no longer takes is renewed once, since a refused call had no effect."""
    for _ in range(2):
        sent = {**headers, **http.credentials(link)}
        answer = http.request(link, given.method, given.path, headers=sent, content=content, params=given.query)
        if answer.status_code != 401 or not http.forget_token(link):
            break
    return answer


def _content(body: Any, headers: dict[str, str]) -> bytes | None:
    if body is None:
        return None
    media = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if not media:
        headers["Content-Type"] = "application/json"
    if media.startswith("application/x-www-form-urlencoded") and isinstance(body, dict):
        return urlencode(body, doseq=True).encode()
    if isinstance(body, str) and media and "json" not in media:
        return body.encode()
    return json.dumps(body, ensure_ascii=False).encode()


def _body(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return answer.text
