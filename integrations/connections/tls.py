"""TLS as a connection's address and secrets say it, the same for every wire."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any


def client(address: Mapping[str, Any], secrets: Mapping[str, str]) -> ssl.SSLContext:
    """Our side as a client: the peer's certificate is always checked.

    Against the machine's authorities, or `ca_file` of the address or `ca_certificate` of the secrets; our own certificate is
    `client_certificate_file` with `client_key_file`.
    """
    context = ssl.create_default_context(cafile=address.get("ca_file") or None, cadata=secrets.get("ca_certificate") or None)
    if address.get("client_certificate_file"):
        context.load_cert_chain(str(address["client_certificate_file"]), str(address["client_key_file"]))
    return context


def server(address: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Our side as a server, None without `tls`; peers need a certificate of `client_ca_file` where there is one."""
    if not address.get("tls"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(address["certificate_file"]), str(address["key_file"]))
    if address.get("client_ca_file"):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(address["client_ca_file"]))
    return context
