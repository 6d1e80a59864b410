"""HTTP for connectors: one client a connection, its credentials, and failures sorted by what may follow them."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from engine import clock
from engine.errors import ConnectorFailed
from integrations.connections import tls
from integrations.connections.book import Link

MOST_BYTES = 10 * 1024 * 1024
MOST_REDIRECTS = 5
TOKEN_MARGIN_SECONDS = 30
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_SAFE = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
_clients: dict[str, tuple[int, httpx.Client]] = {}
_tokens: dict[str, tuple[int, float, str]] = {}
_lock = threading.Lock()


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
    answer = exchange(link, method, path, headers=headers, content=content, params=params, repeatable=repeatable)
    sort(link, method, answer, repeatable)
    return answer


def sort(link: Link, method: str, answer: httpx.Response, repeatable: bool | None = None) -> None:
    """Raises ConnectorFailed for an answer that says that the far end is down or overloaded."""
    if answer.status_code in (408, 425, 429, 503):
        wait = seconds_to_wait(answer.headers.get("retry-after"))
        raise ConnectorFailed(f"{link.name} is busy: {answer.status_code}", kind="transient", status=answer.status_code, retry_after=wait)
    if answer.status_code >= 500:
        after = _after(link, method, repeatable)
        raise ConnectorFailed(f"{link.name} failed: {answer.status_code}", kind=after, status=answer.status_code)  # type: ignore[arg-type]


def exchange(
    link: Link,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    repeatable: bool | None = None,
) -> httpx.Response:
    """Sends a request and returns whatever the far end answers. A lost answer is sorted as `request` sorts it.

    A redirect is followed only on the same host (ConnectorFailed, permanent, elsewhere): credentials never travel further than the
    connection says. An answer longer than the connection's `most_bytes` (10 MB) is not read (permanent).
    """
    client, after = _client(link), _after(link, method, repeatable)
    asked = client.build_request(method, path, headers=dict(headers or {}), content=content, params=dict(params or {}) or None)
    for _ in range(MOST_REDIRECTS):
        answer = _once(link, client, asked, after)
        if answer.next_request is None:
            return answer
        if not _same_origin(asked.url, answer.next_request.url) or answer.next_request.method != asked.method:
            raise ConnectorFailed(f"{link.name} sends us to another place; only redirects on the same host are followed.", kind="permanent")
        asked = answer.next_request
    raise ConnectorFailed(f"{link.name} redirects without end.", kind="permanent")


def credentials(link: Link) -> dict[str, str]:
    """The headers that the connection's credentials make.

    Its secrets decide: `client_secret` (OAuth 2.0 client credentials, RFC 6749 section 4.4), `token` (bearer), `api_key` (in the
    header that the address names), or `user` and `password` (basic).
    """
    secrets = link.secrets
    if secrets.get("client_secret"):
        return {"Authorization": f"Bearer {_access_token(link)}"}
    if token := secrets.get("token"):
        return {"Authorization": f"Bearer {token}"}
    if key := secrets.get("api_key"):
        return {str(link.address.get("api_key_header", "X-API-Key")): key}
    if user := secrets.get("user"):
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secrets.get('password', '')}".encode()).decode()}
    return {}


def forget_token(link: Link) -> bool:
    """Drops the access token of an OAuth connection, because the far end no longer takes it; whether there was one."""
    with _lock:
        return _tokens.pop(link.name, None) is not None


def seconds_to_wait(text: str | None) -> float | None:
    """A Retry-After header (RFC 9110 section 10.2.3: seconds or a date) as seconds from now; None when there is none to read."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - clock.now()).total_seconds())


def peer_certificate_end(link: Link) -> datetime | None:
    """When the certificate of an https far end runs out; None for http."""
    url = httpx.URL(str(link.address.get("url", "")))
    if url.scheme != "https":
        return None
    import socket

    with (
        socket.create_connection((url.host, url.port or 443), timeout=5) as plain,
        tls.client(link.address, link.secrets).wrap_socket(plain, server_hostname=url.host) as secured,
    ):
        text = (secured.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if isinstance(text, str) else None


def close_clients() -> None:
    """Closes every kept connection of this process."""
    with _lock:
        for _, client in _clients.values():
            client.close()
        _clients.clear()
        _tokens.clear()


def _after(link: Link, method: str, repeatable: bool | None) -> str:
    again = (method in _SAFE or link.idempotent) if repeatable is None else repeatable
    return "transient" if again else "unknown"


def _once(link: Link, client: httpx.Client, asked: httpx.Request, after: str) -> httpx.Response:
    most = int(link.address.get("most_bytes", MOST_BYTES))
    try:
        answer = client.send(asked, stream=True)
        try:
            body = _read(answer.iter_bytes(), most)
        finally:
            answer.close()
    except _NOT_SENT as error:
        raise ConnectorFailed(f"{link.name} cannot be reached: {type(error).__name__}", kind="transient") from error
    except httpx.HTTPError as error:
        raise ConnectorFailed(f"{link.name} gave no answer: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    if body is None:
        raise ConnectorFailed(f"{link.name} answered with more than {most} bytes.", kind="permanent")
    whole = httpx.Response(answer.status_code, headers=_plain(answer.headers), content=body, request=asked)
    whole.next_request = answer.next_request
    return whole


def _read(pieces: Iterator[bytes], most: int) -> bytes | None:
    """The whole body, or None as soon as it is longer than `most` bytes."""
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """The headers of a body that was unpacked already."""
    return [(name, value) for name, value in headers.multi_items() if name.lower() not in ("content-encoding", "content-length")]


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _client(link: Link) -> httpx.Client:
    mark = _mark(link)
    with _lock:
        kept = _clients.get(link.name)
        if kept is None or kept[0] != mark:
            limit = httpx.Timeout(link.timeout, connect=float(link.address.get("connect_timeout", min(5.0, link.timeout))))
            # The environment's proxy is not asked: a connection says for itself how it is reached.
            made = httpx.Client(
                base_url=str(link.address.get("url", "")),
                timeout=limit,
                trust_env=False,
                proxy=link.address.get("proxy"),
                verify=tls.client(link.address, link.secrets),
            )
            kept = _clients[link.name] = (mark, made)
        return kept[1]


def _mark(link: Link) -> int:
    """Changes when the connection does."""
    return hash((repr(sorted(link.address.items())), repr(sorted(link.secrets.items()))))


def _access_token(link: Link) -> str:
    mark = _mark(link)
    with _lock:
        kept = _tokens.get(link.name)
    if kept is not None and kept[0] == mark and kept[1] > time.monotonic():
        return kept[2]
    given = {"grant_type": "client_credentials", "scope": link.address.get("scope"), "audience": link.address.get("audience")}
    who = (str(link.address["client_id"]), link.secrets["client_secret"])
    try:
        # Not through the connection's client: the token's address is another one
        with httpx.Client(
            timeout=link.timeout, trust_env=False, proxy=link.address.get("proxy"), verify=tls.client(link.address, link.secrets)
        ) as client:
            answer = client.post(str(link.address["token_url"]), data={k: v for k, v in given.items() if v}, auth=who)
    except httpx.HTTPError as error:
        raise ConnectorFailed(f"{link.name}: no access token: {type(error).__name__}", kind="transient") from error
    if answer.status_code != 200:
        kind = "transient" if answer.status_code >= 500 or answer.status_code == 429 else "permanent"
        raise ConnectorFailed(f"{link.name}: no access token: {answer.status_code}", kind=kind)  # type: ignore[arg-type]
    try:
        told = answer.json()
        token, lasts = str(told["access_token"]), float(told.get("expires_in", 300))
    except (ValueError, KeyError, TypeError) as error:
        raise ConnectorFailed(f"{link.name}: the token's answer cannot be read.", kind="permanent") from error
    with _lock:
        _tokens[link.name] = (mark, time.monotonic() + lasts - TOKEN_MARGIN_SECONDS, token)
    return token
