"""WeChat Pay API v3: signatures (SHA256 with RSA) and sealed notifications (AES-256-GCM).

https://pay.weixin.qq.com/doc/v3/merchant/4012365342 (signatures), …/4012071382 (sealed resources)
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from engine.errors import Forbidden

SCHEME = "WECHATPAY2-SHA256-RSA2048"


def sign(key: RSAPrivateKey, *lines: str) -> str:
    """Base64 signature of the lines, each ended by a line feed."""
    message = "".join(f"{line}\n" for line in lines)
    return base64.b64encode(key.sign(message.encode(), PKCS1v15(), SHA256())).decode()


def verified(key: RSAPublicKey, signature: str, *lines: str) -> bool:
    """Whether the signature belongs to these lines."""
    message = "".join(f"{line}\n" for line in lines)
    try:
        key.verify(base64.b64decode(signature), message.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def authorization(key: RSAPrivateKey, *, merchant: str, serial: str, method: str, path: str, body: str, timestamp: int) -> str:
    """The Authorization header of a merchant's request."""
    nonce = secrets.token_hex(16).upper()
    signature = sign(key, method, path, str(timestamp), nonce, body)
    return f'{SCHEME} mchid="{merchant}",nonce_str="{nonce}",signature="{signature}",timestamp="{timestamp}",serial_no="{serial}"'


def signed_headers(key: RSAPrivateKey, serial: str, body: str, timestamp: int) -> dict[str, str]:
    """The platform's headers on its answers and notifications."""
    nonce = secrets.token_hex(16)
    return {
        "Wechatpay-Signature": sign(key, str(timestamp), nonce, body),
        "Wechatpay-Timestamp": str(timestamp),
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature-Type": SCHEME,
    }


def check_platform(key: RSAPublicKey, serial: str, headers: Mapping[str, str], body: str, now: int, *, window: int = 300) -> None:
    """Forbidden unless the platform signed this body with the key of that serial, within `window` seconds of `now`."""
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get("wechatpay-timestamp", "")
    if given.get("wechatpay-serial") != serial:
        raise Forbidden("The signature's key serial is not the platform's.")
    if not timestamp.isdigit() or abs(now - int(timestamp)) > window:
        raise Forbidden("The signature is too old or from the future.")
    if not verified(key, given.get("wechatpay-signature", ""), timestamp, given.get("wechatpay-nonce", ""), body):
        raise Forbidden("The signature does not belong to this body.")


def seal(api_v3_key: str, value: Mapping[str, Any], kind: str) -> dict[str, str]:
    """A sealed `resource` as notifications carry it."""
    nonce = secrets.token_hex(6)
    sealed = AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), json.dumps(value).encode(), kind.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.b64encode(sealed).decode(), "nonce": nonce,
        "associated_data": kind, "original_type": kind,
    }  # fmt: skip


def unseal(api_v3_key: str, resource: Mapping[str, str]) -> dict[str, Any]:
    """What a sealed resource holds; Forbidden when it was changed or sealed with another key."""
    try:
        plain = AESGCM(api_v3_key.encode()).decrypt(
            resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource.get("associated_data", "").encode()
        )
    except (InvalidTag, KeyError, ValueError) as error:
        raise Forbidden("The notification cannot be opened with this merchant's key.") from error
    opened: dict[str, Any] = json.loads(plain)
    return opened


@lru_cache(8)
def private_key(pem: str) -> RSAPrivateKey:
    """An RSA private key from PEM."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


@lru_cache(8)
def public_key(pem: str) -> RSAPublicKey:
    """An RSA public key from PEM."""
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, RSAPublicKey)
    return key
