"""Tests a connection: reaches the far end without doing anything there."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, CarelaneError, ConnectorFailed
from integrations.connections import book, certificates, probes
from integrations.connections.book import Link
from integrations.payments import probes as payment_probes


@dataclass(frozen=True, slots=True)
class Tested:
    """How a test went. `expires` is the end of the far end's TLS certificate where there is one."""

    good: bool
    message: str
    seconds: float
    expires: datetime | None = None


def test(session: Session, name: str) -> Tested:
    """Tries the connection and notes the outcome on its row. The caller commits."""
    tested = ask(book.copy(book.get(session, name)))
    note(session, name, tested)
    return tested


def ask(link: Link) -> Tested:
    """Tries the connection; writes nothing, so that no lock is held while the far end takes its time."""
    started = time.monotonic()
    probe = _PROBES.get(link.kind)
    if probe is None:
        return Tested(False, f"There is no test for a connection of kind {link.kind}.", 0.0)
    try:
        message, expires = probe(link)
    except (CarelaneError, OSError, KeyError) as error:
        text = error.message if isinstance(error, CarelaneError) else f"{type(error).__name__}: {error}"
        return Tested(False, text, round(time.monotonic() - started, 3))
    return Tested(True, message, round(time.monotonic() - started, 3), expires)


def note(session: Session, name: str, tested: Tested) -> None:
    """Writes how a test went to the connection's row."""
    row = book.get(session, name)
    if tested.good:
        row.last_good = clock.now()
        row.expires = tested.expires or (row.expires if certificates.secured(row.address) else None)
    else:
        row.last_bad, row.last_error = clock.now(), tested.message[:500]
    session.flush()


Probe = Callable[[Link], tuple[str, datetime | None]]


def _mllp(link: Link) -> tuple[str, datetime | None]:
    from integrations.hl7 import mllp

    with mllp.connect(link.address, link.secrets) as connection:
        expires = _expiry(connection) if isinstance(connection, ssl.SSLSocket) else None
    return "The port answers.", expires


def _listener(link: Link) -> tuple[str, datetime | None]:
    with socket.create_connection((str(link.address["host"]), int(link.address["port"])), timeout=3):
        expires = None
    if link.address.get("tls"):
        pem = Path(str(link.address["certificate_file"])).read_bytes()
        expires = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    return "We listen.", expires


def _wechat(link: Link) -> tuple[str, datetime | None]:
    from integrations.payments.providers import WeChat

    try:
        WeChat(link).query("carelane-connection-test")
    except ConnectorFailed as error:
        if "ORDER_NOT_EXIST" not in error.message:
            raise
    return "It knows the merchant and its signature.", _https_end(link)


def _gateway(link: Link) -> tuple[str, datetime | None]:
    from integrations.payments.providers import Gateway

    try:
        Gateway(link).query("carelane-connection-test")
    except (ConnectorFailed, BpmnError) as error:
        if "404" not in error.message:
            raise
    return "It answers.", _https_end(link)


def _fhir(link: Link) -> tuple[str, datetime | None]:
    from integrations.fhir import client

    statement = client.ask(link, "GET", "metadata")
    return f"FHIR {statement.get('fhirVersion', '')} {(statement.get('software') or {}).get('name', '')}".strip(), _https_end(link)


def _sql(link: Link) -> tuple[str, datetime | None]:
    from sqlalchemy import create_engine, text

    engine = create_engine(str(link.secrets["url"]))
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as error:
        raise ConnectorFailed(type(error).__name__) from error
    finally:
        engine.dispose()
    return "It answers.", None


def _https_end(link: Link) -> datetime | None:
    from integrations import http

    return http.peer_certificate_end(link)


def _expiry(connection: ssl.SSLSocket) -> datetime | None:
    certificate = connection.getpeercert() or {}
    text = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if isinstance(text, str) else None


_PROBES: Mapping[str, Probe] = {
    "mllp": _mllp,
    "mllp_listener": _listener,
    "wechat": _wechat,
    "gateway": _gateway,
    "fhir": _fhir,
    "sql": _sql,
    **probes.PROBES,
    **payment_probes.PROBES,
}
