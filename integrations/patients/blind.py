"""Blind indexes: keyed hashes that find an exact value without storing it."""

from __future__ import annotations

import hmac
from hashlib import sha256

from engine.settings import Settings


def key(settings: Settings) -> bytes:
    """The index's own key, derived from the data key so that neither reveals the other."""
    return hmac.digest(settings.data_key_bytes, b"carelane blind index 1", sha256)


def digest(index_key: bytes, system: str, value: str) -> str:
    """The keyed hash of a tidied value; the system is part of it, so equal values of two systems differ."""
    return hmac.new(index_key, f"{system}\0{value}".encode(), sha256).hexdigest()
