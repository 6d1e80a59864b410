"""Calls operations of a WSDL with `zeep`, over this package's own HTTP: the connection decides where to and with which credentials.

Nothing is loaded but the WSDL, and what it imports from its own place; DTDs and entities are refused.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import Error, Fault, ValidationError, XMLParseError
from zeep.exceptions import LookupError as NotOffered
from zeep.helpers import serialize_object
from zeep.proxy import ServiceProxy
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken

from engine.errors import ConnectorFailed
from integrations import http
from integrations.connections.book import Link

KEPT_CLIENTS = 16
_NAMESPACE = uuid.UUID("9c3f7d0e-5a1b-4c35-9d0c-6f2a4f1c8e10")  # ours, for message ids made from keys
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_clients: dict[str, tuple[str, Client]] = {}
_lock = threading.Lock()


class Refused(Exception):
    """The service answered with a SOAP fault."""

    def __init__(self, code: str, names: list[str], message: str) -> None:
        self.code, self.names, self.message = code, names, message  # names: local names of the detail, outermost first
        super().__init__(message)


def call(link: Link, operation: str, arguments: Mapping[str, Any], key: str) -> Any:
    """Calls an operation and returns its result as plain values.

    Raises Refused for a fault, ConnectorFailed for the rest: permanent when the operation or an argument does not fit the WSDL.
    """
    client = _client(link)
    proxy = _proxy(link, client)
    headers = [_message_id(key)] if link.address.get("addressing") else None
    try:
        with client.settings(extra_http_headers={"Idempotency-Key": key}):
            answer = proxy[operation](**dict(arguments), **({"_soapheaders": headers} if headers else {}))
    except Fault as fault:
        raise Refused(_local(str(fault.code or "")), _names(fault.detail), str(fault.message or "")) from fault
    except (AttributeError, NotOffered) as error:
        raise ConnectorFailed(f"operation: {link.name} does not offer {operation!r}", kind="permanent") from error
    except (ValidationError, TypeError, ValueError) as error:
        raise ConnectorFailed(f"arguments: {error}", kind="permanent") from error
    except (XMLParseError, Error) as error:
        after = "transient" if link.idempotent else "unknown"
        raise ConnectorFailed(f"{link.name}: the answer cannot be read: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    return _plain(serialize_object(answer, dict))


def operations(link: Link) -> list[str]:
    """The names of the operations that the connection's port offers."""
    return sorted(_proxy(link, _client(link))._operations)


class _Wire(Transport):
    """zeep's transport over our HTTP."""

    def __init__(self, link: Link) -> None:
        super().__init__(timeout=link.timeout)
        self._link = link

    def load(self, url: str) -> bytes:
        """The WSDL or what it imports; nothing from any other place."""
        home = str(self._link.address["wsdl"])
        if urlsplit(home).scheme not in ("http", "https"):
            return _local_file(self._link, home, url)
        if (urlsplit(url).scheme, urlsplit(url).netloc) != (urlsplit(home).scheme, urlsplit(home).netloc):
            raise ConnectorFailed(
                f"{self._link.name}: its WSDL imports from another place ({urlsplit(url).netloc or 'a file'})", kind="permanent"
            )
        link = Link(self._link.name, self._link.kind, {**self._link.address, "url": ""}, secrets=self._link.secrets)
        answer = http.request(_renamed(link), "GET", url, headers=http.credentials(link), repeatable=True)
        if answer.status_code != 200:
            raise ConnectorFailed(f"{self._link.name}: its WSDL cannot be had: {answer.status_code}", kind="permanent")
        return answer.content

    def post(self, address: str, message: Any, headers: Mapping[str, str]) -> httpx.Response:
        """Posts to the connection's own address, whatever the WSDL says."""
        content = message if isinstance(message, bytes) else str(message).encode()
        answer = http.exchange(
            self._link, "POST", str(self._link.address["url"]), headers={**headers, **http.credentials(self._link)}, content=content
        )
        media = answer.headers.get("content-type", "")
        if answer.status_code not in (200, 202, 500) or (answer.status_code == 500 and "xml" not in media):
            http.sort(self._link, "POST", answer)
            raise ConnectorFailed(f"{self._link.name} answered {answer.status_code}", kind="permanent", status=answer.status_code)
        return answer


def _client(link: Link) -> Client:
    mark = repr((sorted(link.address.items()), sorted(link.secrets.items())))
    with _lock:
        kept = _clients.get(link.name)
    if kept is not None and kept[0] == mark:
        return kept[1]
    settings = Settings(strict=True, xml_huge_tree=False, forbid_dtd=True, forbid_entities=True, forbid_external=False)
    try:
        made = Client(str(link.address["wsdl"]), transport=_Wire(link), settings=settings, wsse=_security(link))
    except (Error, etree.XMLSyntaxError, OSError, ValueError) as error:
        raise ConnectorFailed(f"{link.name}: its WSDL cannot be read: {error}", kind="permanent") from error
    with _lock:
        if len(_clients) >= KEPT_CLIENTS:
            _clients.clear()
        _clients[link.name] = (mark, made)
    return made


def _proxy(link: Link, client: Client) -> ServiceProxy:
    service, port = link.address.get("service"), link.address.get("port_name")
    try:
        return client.bind(service, port)
    except ValueError as error:
        raise ConnectorFailed(f"{link.name}: its WSDL has no such service or port", kind="permanent") from error


def _security(link: Link) -> UsernameToken | None:
    """A WS-Security username token where the address says `security`: `text` or `digest` (OASIS UsernameToken Profile 1.1)."""
    kind = link.address.get("security")
    if not kind:
        return None
    if kind not in ("text", "digest"):
        raise ConnectorFailed(f"{link.name}: security is text or digest, not {kind}", kind="permanent")
    return UsernameToken(link.secrets["ws_user"], link.secrets["ws_password"], use_digest=kind == "digest", timestamp_token=_timestamp(link))


def _timestamp(link: Link) -> Any:
    if not link.address.get("security_timestamp"):
        return None
    from zeep.wsse.utils import WSU

    from engine import clock

    now = clock.now().replace(microsecond=0)
    return WSU.Timestamp(WSU.Created(now.isoformat()), WSU.Expires((now + timedelta(minutes=5)).isoformat()))


def _message_id(key: str) -> Any:
    element = etree.Element(f"{{{_ADDRESSING}}}MessageID", nsmap={"wsa": _ADDRESSING})
    element.text = f"urn:uuid:{uuid.uuid5(_NAMESPACE, key)}"
    return element


def _local_file(link: Link, home: str, url: str) -> bytes:
    folder, path = Path(home).resolve().parent, Path(url.removeprefix("file://")).resolve()
    if urlsplit(url).scheme in ("http", "https") or not path.is_relative_to(folder):
        raise ConnectorFailed(f"{link.name}: its WSDL imports from another place", kind="permanent")
    return path.read_bytes()


def _renamed(link: Link) -> Link:
    """The same connection for the WSDL's address, with a client of its own."""
    return Link(f"{link.name}#wsdl", link.kind, link.address, link.state, link.secrets)


def _names(detail: Any) -> list[str]:
    """Local names of the fault's detail elements, outermost first: what a typed fault is recognised by."""
    return [] if detail is None else [etree.QName(item).localname for item in detail.iter() if isinstance(item.tag, str)][1:]


def _local(code: str) -> str:
    return code.rpartition(":")[2].rpartition("}")[2]


def _plain(value: Any) -> Any:
    from datetime import date, datetime, time
    from decimal import Decimal

    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return etree.tostring(value).decode() if isinstance(value, etree._Element) else value
