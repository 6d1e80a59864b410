"""Alipay's signatures (RSA2: SHA256 with RSA, PKCS#1 v1.5) over sorted parameters, and over the very text of an answer.

https://opendocs.alipay.com/common/02kf5q (requests), …/02mse7 (answers and notifications)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256


def content(parameters: Mapping[str, str], *, without: tuple[str, ...] = ("sign",)) -> str:
    """What is signed: the filled-in parameters in the order of their names, `name=value` joined by `&`."""
    return "&".join(f"{name}={parameters[name]}" for name in sorted(parameters) if name not in without and parameters[name] != "")


def sign(key: RSAPrivateKey, text: str) -> str:
    """Base64 signature of a text."""
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


def verified(key: RSAPublicKey, signature: str, text: str) -> bool:
    """Whether the signature belongs to this text."""
    try:
        key.verify(base64.b64decode(signature), text.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_part(text: str, name: str) -> str:
    """The JSON object under `name` exactly as it stands in the answer: the signature is over these very characters.

    Empty when there is none. Braces inside strings are no braces.
    """
    start = text.find("{", text.find(f'"{name}"') + 1) if f'"{name}"' in text else -1
    depth, quoted, escaped = 0, False, False
    for place in range(max(start, 0), len(text) if start >= 0 else 0):
        sign_ = text[place]
        if quoted:
            quoted, escaped = escaped or sign_ != '"', sign_ == "\\" and not escaped
        elif sign_ == '"':
            quoted = True
        elif sign_ in "{}":
            depth += 1 if sign_ == "{" else -1
            if depth == 0:
                return text[start : place + 1]
    return ""
