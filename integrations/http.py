"""HTTP for connectors: one client a connection, and failures sorted by what may follow them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import httpx

from engine.errors import ConnectorFailed
from integrations.connections.book import Link

_clients: dict[tuple[str, str, float], httpx.Client] = {}
_lock = threading.Lock()
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_SAFE = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")


def request(
    link: Link,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    repeatable: bool | None = None,
) -> httpx.Response:
    """Sends a request and returns the answer unless the far end is down or overloaded.

    `repeatable` says that the far end recognises a repeated request; None asks the method and the connection. Raises ConnectorFailed:
    transient when nothing was sent, for 429 and 503, and for lost answers of repeatable requests; unknown for the rest.
    """
    again = (method in _SAFE or link.idempotent) if repeatable is None else repeatable
    after = "transient" if again else "unknown"
    try:
        answer = _client(link).request(method, path, headers=dict(headers or {}), content=content, params=dict(params or {}) or None)
    except _NOT_SENT as error:
        raise ConnectorFailed(f"{link.name} cannot be reached: {type(error).__name__}", kind="transient") from error
    except httpx.HTTPError as error:
        raise ConnectorFailed(f"{link.name} gave no answer: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    if answer.status_code in (408, 425, 429, 503):
        raise ConnectorFailed(f"{link.name} is busy: {answer.status_code}", kind="transient", retry_after=answer.headers.get("retry-after"))
    if answer.status_code >= 500:
        raise ConnectorFailed(f"{link.name} failed: {answer.status_code}", kind=after)  # type: ignore[arg-type]
    return answer


def close_clients() -> None:
    """Closes every kept connection of this process."""
    with _lock:
        for client in _clients.values():
            client.close()
        _clients.clear()


def _client(link: Link) -> httpx.Client:
    base = str(link.address.get("url", ""))
    key = (link.name, base, link.timeout)
    with _lock:
        if key not in _clients:
            limit = httpx.Timeout(link.timeout, connect=min(5.0, link.timeout))
            # The environment's proxy is not asked: a connection says for itself how it is reached.
            _clients[key] = httpx.Client(base_url=base, timeout=limit, trust_env=False, proxy=link.address.get("proxy"))
        return _clients[key]
