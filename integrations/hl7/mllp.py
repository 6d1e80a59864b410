"""MLLP, the wire of HL7 v2: a frame is VT … FS CR. Plain or TLS, one connection a message."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from engine.errors import ConnectorFailed

START, END = b"\x0b", b"\x1c\r"
MOST_BYTES = 16 * 1024 * 1024


def frame(payload: bytes) -> bytes:
    """The payload as it goes over the wire."""
    return START + payload + END


def send(address: Mapping[str, Any], payload: bytes, *, idempotent: bool, secrets: Mapping[str, str] | None = None) -> bytes:
    """Sends one message and returns the answer's bytes.

    `address`: host, port, timeout in seconds, tls (bool), ca_file. ConnectorFailed is transient while nothing was sent; once
    the message is out and no answer comes, it is transient only when the far end recognises a message it has seen.
    """
    host, port = str(address["host"]), int(address["port"])
    after = "transient" if idempotent else "unknown"
    try:
        connection = connect(address, secrets or {})
    except OSError as error:
        raise ConnectorFailed(f"{host}:{port} cannot be reached: {error}", kind="transient") from error
    with connection:
        try:
            connection.sendall(frame(payload))
            answer = read_frame(connection)
        except OSError as error:
            raise ConnectorFailed(f"{host}:{port} took the message and gave no answer: {error}", kind=after) from error  # type: ignore[arg-type]
    if answer is None:
        raise ConnectorFailed(f"{host}:{port} closed the connection without an answer.", kind=after)  # type: ignore[arg-type]
    return answer


def read_frame(connection: socket.socket, kept: bytearray | None = None) -> bytes | None:
    """The next frame's payload, or None when the peer closed. `kept` carries bytes over to the next call."""
    buffer = bytearray() if kept is None else kept
    while True:
        start, end = buffer.find(START), buffer.find(END)
        if 0 <= start < end:
            payload = bytes(buffer[start + 1 : end])
            del buffer[: end + len(END)]
            return payload
        if len(buffer) > MOST_BYTES:
            raise OSError("the message is longer than 16 MB")
        piece = connection.recv(65536)
        if not piece:
            return None
        buffer += piece


def connect(address: Mapping[str, Any], secrets: Mapping[str, str]) -> socket.socket:
    """A connection to the peer, secured where the address says so; OSError when it cannot be had."""
    host, port, timeout = str(address["host"]), int(address["port"]), float(address.get("timeout", 10))
    plain = socket.create_connection((host, port), timeout=min(timeout, float(address.get("connect_timeout", 5))))
    plain.settimeout(timeout)
    if not address.get("tls"):
        return plain
    context = ssl.create_default_context(cafile=address.get("ca_file") or None, cadata=secrets.get("ca_certificate") or None)
    if address.get("client_certificate_file"):
        context.load_cert_chain(str(address["client_certificate_file"]), str(address["client_key_file"]))
    try:
        return context.wrap_socket(plain, server_hostname=str(address.get("server_name", host)))
    except OSError:
        plain.close()
        raise
