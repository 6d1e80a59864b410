"""Where the simulated far ends listen, and the keys that they share with the demo's connections."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, fields

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.settings import Settings

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports; 0 takes a free one."""

    control: int = 0
    his: int = 0
    lis: int = 0
    ris: int = 0
    partner: int = 0
    payment: int = 0
    pharmacy: int = 0
    sms: int = 0


def ports(settings: Settings) -> Ports:
    """Ports in a row, a thousand above the web's own, so that two installations on one machine do not meet."""
    base = settings.port + 1000 if settings.port < 64000 else settings.port - 1000
    return Ports(*range(base, base + len(fields(Ports))))


@dataclass(frozen=True)
class Keys:
    """The demo's keys: the merchant's and the platform's RSA keys, the sealing key, shared keys and tokens."""

    merchant_private: str
    merchant_public: str
    platform_private: str
    platform_public: str
    api_v3_key: str
    shared_key: str
    partner_token: str  # what we show to the partner
    inbound_token: str  # what the partner shows to us


ALIPAY_APP = "2021000000000001"
MERCHANT, MERCHANT_SERIAL, PLATFORM_SERIAL, APP = (
    "1900000001",
    "3775B6A45ACD588826D15E583A95F5DD",
    "PUB_KEY_ID_0119000000012026",
    "wx0000000000000001",
)


def keys(settings: Settings) -> Keys:
    """The keys of this installation's demo, made on first use and kept under its `var_dir`."""
    path = settings.var_dir / "simulators" / "keys.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Keys(**json.loads(path.read_text()))
    made = _make()
    with os.fdopen(handle, "w") as file:
        json.dump(made.__dict__, file)
    return made


def _make() -> Keys:
    (merchant, merchant_public), (platform, platform_public) = _pair(), _pair()
    return Keys(
        merchant, merchant_public, platform, platform_public, secrets.token_hex(16), secrets.token_urlsafe(24),
        secrets.token_urlsafe(24), secrets.token_urlsafe(24),
    )  # fmt: skip


def _pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
