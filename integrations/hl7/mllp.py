"""MLLP, the wire of HL7 v2: a frame is VT … FS CR. Plain or TLS, one connection a message."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import ConnectorFailed
from integrations.connections import tls

START, END = b"\x0b", b"\x1c\r"
MOST_BYTES = 16 * 1024 * 1024
_NOISE = b"\r\n \t\x00"
_HEADER = re.compile(rb"(?:MSH|FHS|BHS)[^\w\s]")

Fault = Literal["", "unframed", "truncated", "too_large"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What came over the wire. A `fault` says what was wrong with its framing: such a payload is kept, and may be incomplete."""

    payload: bytes
    fault: Fault = ""


def frame(payload: bytes) -> bytes:
    """The payload as it goes over the wire."""
    return START + payload + END


def send(
    address: Mapping[str, Any], payload: bytes, *, idempotent: bool, secrets: Mapping[str, str] | None = None,
    accepted: Callable[[bytes], bool] | None = None,
) -> bytes:  # fmt: skip
    """Sends one message and returns the answer's bytes.

    `address`: host, port, timeout in seconds, tls (bool), ca_file. ConnectorFailed is transient while nothing was sent; once
    the message is out and no answer comes, it is transient only when the far end recognises a message it has seen. While
    `accepted` says that an answer is only the accept acknowledgement of enhanced mode, the next one is waited for.
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
            kept = bytearray()
            answer = read_frame(connection, kept)
            while answer is not None and accepted is not None and accepted(answer):
                answer = read_frame(connection, kept)
        except OSError as error:
            raise ConnectorFailed(f"{host}:{port} took the message and gave no answer: {error}", kind=after) from error  # type: ignore[arg-type]
    if answer is None:
        raise ConnectorFailed(f"{host}:{port} closed the connection without an answer.", kind=after)  # type: ignore[arg-type]
    return answer


def read_frame(connection: socket.socket, kept: bytearray | None = None) -> bytes | None:
    """The next frame's payload, or None when the peer closed. `kept` carries bytes over to the next call."""
    found = receive(connection, bytearray() if kept is None else kept)
    if found is not None and found.fault == "too_large":
        raise OSError(f"the message is longer than {MOST_BYTES // 1024 // 1024} MB")
    return None if found is None or found.fault == "truncated" else found.payload


def receive(connection: socket.socket, kept: bytearray) -> Frame | None:
    """The next thing on the wire, well framed or not; None when the peer closed and nothing is left. Nothing is thrown away."""
    looked = 0
    while True:
        found = take(kept, looked)
        if found is not None:
            return found
        if len(kept) > MOST_BYTES:
            head = bytes(kept[: 64 * 1024])
            kept.clear()
            return Frame(head, "too_large")
        looked = max(0, len(kept) - 1)
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            if kept:
                return _rest(kept)
            raise
        if not piece:
            return _rest(kept) if kept.strip(_NOISE + START) else None
        kept += piece


def ready(kept: bytearray, most: int) -> list[Frame]:
    """Further frames that have arrived whole: a peer may send the next ones before the answer."""
    found: list[Frame] = []
    while len(found) < most and (frame := take(kept)) is not None:
        found.append(frame)
    return found


def take(kept: bytearray, looked: int = 0) -> Frame | None:
    """Cuts the next frame off `kept`; None while it is not whole. Up to `looked` there is known to be no end.

    A message without its VT ends at FS like any other; one whose FS is missing ends where the next VT stands.
    """
    lead = len(kept) - len(kept.lstrip(_NOISE))
    if lead:
        del kept[:lead]
        looked = 0
    end = kept.find(b"\x1c", looked)
    start = kept.find(START)
    again = kept.find(START, start + 1) if start >= 0 else -1
    if start > 0 and (end < 0 or start < end):  # something stands before the frame
        return _cut(kept, 0, start, start, "truncated" if _HEADER.match(kept) else "unframed")
    if start == 0 and again > 0 and (end < 0 or again < end):
        return _cut(kept, 1, again, again, "truncated")
    if end < 0:
        return None
    return _cut(kept, 1 if start == 0 else 0, end, end + (2 if kept[end + 1 : end + 2] == b"\r" else 1), "" if start == 0 else "unframed")


def _cut(kept: bytearray, begin: int, end: int, rest: int, fault: Fault) -> Frame:
    payload = bytes(kept[begin:end])
    del kept[:rest]
    return Frame(payload, fault)


def _rest(kept: bytearray) -> Frame:
    """What the peer left unfinished."""
    payload = bytes(kept).lstrip(_NOISE + START)
    kept.clear()
    return Frame(payload, "truncated")


def connect(address: Mapping[str, Any], secrets: Mapping[str, str]) -> socket.socket:
    """A connection to the peer, secured where the address says so; OSError when it cannot be had."""
    host, port, timeout = str(address["host"]), int(address["port"]), float(address.get("timeout", 10))
    plain = socket.create_connection((host, port), timeout=min(timeout, float(address.get("connect_timeout", 5))))
    plain.settimeout(timeout)
    if not address.get("tls"):
        return plain
    try:
        return tls.client(address, secrets).wrap_socket(plain, server_hostname=str(address.get("server_name", host)))
    except OSError:
        plain.close()
        raise
