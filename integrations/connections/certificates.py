"""When the certificates of a connection end: the peer's as it shows it, and ours in our files. Looked at daily by the worker."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from cryptography import x509

from engine.errors import CarelaneError
from integrations import runtime
from integrations.connections import book
from integrations.connections.book import Link

SECONDS = 5.0
_FILES = ("certificate_file", "client_certificate_file")

logger = structlog.get_logger(__name__)


def secured(address: Mapping[str, Any]) -> bool:
    """Whether there is a certificate to look at."""
    return bool(address.get("tls") or address.get("tls_at_once") or str(address.get("url", "")).startswith("https:") or _ours(address))


def ends(link: Link) -> datetime | None:
    """When the first of the connection's certificates ends; None when there is none. OSError or ValueError when it cannot be seen."""
    found = [x509.load_pem_x509_certificate(Path(path).read_bytes()).not_valid_after_utc for path in _ours(link.address)]
    if not link.kind.endswith("_listener") and (shown := _shown(link)) is not None:
        found.append(x509.load_der_x509_certificate(shown).not_valid_after_utc)
    return min(found, default=None)


def look() -> int:
    """Notes when each started connection's certificates end; returns how many were seen. What cannot be reached keeps what was known."""
    with runtime.reading() as session:
        links = [book.copy(row) for row in book.listed(session) if row.state == "started" and secured(row.address)]
    seen = 0
    for link in links:
        try:
            end = ends(link)
        except (OSError, ValueError, KeyError, smtplib.SMTPException, CarelaneError) as error:
            logger.info("certificate_not_seen", connection=link.name, reason=type(error).__name__)
            continue
        if end is not None:
            with runtime.transaction() as session:
                book.get(session, link.name).expires = end
            seen += 1
    return seen


def _ours(address: Mapping[str, Any]) -> list[str]:
    return [str(address[name]) for name in _FILES if address.get(name)]


def _shown(link: Link) -> bytes | None:
    """The peer's certificate, not verified: one that has ended or is not trusted is to be seen, too."""
    address, context = link.address, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if address.get("client_certificate_file"):
        context.load_cert_chain(str(address["client_certificate_file"]), str(address["client_key_file"]))
    if link.kind == "smtp" and address.get("tls") and not address.get("tls_at_once"):
        with smtplib.SMTP(str(address["host"]), int(address["port"]), timeout=SECONDS) as server:
            server.starttls(context=context)
            return server.sock.getpeercert(binary_form=True) if isinstance(server.sock, ssl.SSLSocket) else None
    url = urlsplit(str(address.get("url", "")))
    if url.scheme == "https" and url.hostname:
        host, port = url.hostname, url.port or 443
    elif address.get("tls") or address.get("tls_at_once"):
        host, port = str(address["host"]), int(address["port"])
    else:
        return None
    plain = socket.create_connection((host, port), timeout=SECONDS)
    with plain, context.wrap_socket(plain, server_hostname=str(address.get("server_name", host))) as peer:
        return peer.getpeercert(binary_form=True)
