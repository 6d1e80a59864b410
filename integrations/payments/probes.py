"""Tests of payment connections: each reaches its far end without doing anything there."""

from __future__ import annotations

from datetime import datetime

from engine.errors import ConnectorFailed
from integrations import http
from integrations.connections.book import Link
from integrations.payments.alipay import Alipay
from integrations.payments.intents import Intents

Found = tuple[str, datetime | None]


def alipay(link: Link) -> Found:
    """Asks for a trade that nobody made: it must know our application and our signature."""
    Alipay(link).query("carelane-connection-test")
    return "It knows the application and its signature.", http.peer_certificate_end(link)


def intents(link: Link) -> Found:
    """Asks for a payment that nobody made: it must know our key."""
    try:
        Intents(link).query("carelane-connection-test")
    except ConnectorFailed as error:
        if "404" not in error.message:
            raise
    return "It knows the key.", http.peer_certificate_end(link)


def insurance(link: Link) -> Found:
    """Reaches the address; what its interface makes of it is its own business."""
    answer = http.request(link, "GET", str(link.address.get("test_path", "/")))
    return f"It answers {answer.status_code}.", http.peer_certificate_end(link)


PROBES = {"alipay": alipay, "intents": intents, "insurance_claim": insurance}
