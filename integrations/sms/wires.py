"""How providers take a text message. A scheme is a wire with its signature; the connection names one.

`aliyun`: Alibaba Cloud's SendSms 2017-05-25, RPC style, signed with HMAC-SHA1 (signature version 1.0).
`hmac`: a JSON gateway; X-Timestamp, and in X-Signature the HMAC-SHA256 of timestamp, newline and body. Our stand-in for a clinic's own
gateway. `plain`: the same JSON with the credentials that any HTTP connection may have, and no signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from engine import clock
from engine.errors import BpmnError, ConnectorFailed
from integrations import http
from integrations.connections.book import Link

# Aliyun's codes (Short Message Service, error codes): what may pass, and what the number's owner or the rules refuse
_ALIYUN_BUSY = frozenset(("isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "Throttling", "Throttling.User", "ServiceUnavailable", "InternalError"))
_ALIYUN_REFUSED = frozenset((
    "isv.BUSINESS_LIMIT_CONTROL", "isv.MOBILE_NUMBER_ILLEGAL", "isv.BLACK_KEY_CONTROL_LIMIT", "isv.MOBILE_COUNT_OVER_LIMIT",
    "isv.DAY_LIMIT_CONTROL", "isv.DENY_IP_RANGE",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """A message by the provider's template."""

    number: str  # E.164, +86…
    sign: str  # the name in brackets before the text
    template: str
    parameters: Mapping[str, str]
    key: str


def send(link: Link, text: Text) -> str:
    """Sends a text message and returns the provider's number of it.

    Raises BpmnError FAR_END_REFUSED when the provider will not send to this number, ConnectorFailed for the rest.
    """
    scheme = str(link.address["scheme"])
    if scheme not in SCHEMES:
        raise ConnectorFailed(f"{link.name}: there is no scheme {scheme!r}; there are {', '.join(sorted(SCHEMES))}", kind="permanent")
    return SCHEMES[scheme](link, text)


def aliyun_signature(secret: str, method: str, query: Mapping[str, str]) -> str:
    """The RPC signature, version 1.0: HMAC-SHA1 over the sorted, percent-encoded query."""
    canonical = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query.items()))
    signed = f"{method}&{_encoded('/')}&{_encoded(canonical)}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), signed.encode(), hashlib.sha1).digest()).decode()


def gateway_signature(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of scheme `hmac`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def _aliyun(link: Link, text: Text) -> str:
    now: datetime = clock.now().astimezone(UTC)
    query = {
        "Action": "SendSms", "Version": "2017-05-25", "RegionId": str(link.address.get("region", "cn-hangzhou")), "Format": "JSON",
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "AccessKeyId": link.secrets["access_key"],
        # A nonce is refused the second time, so that each try has its own; OutId carries the key into the provider's records
        "SignatureNonce": hashlib.sha256(f"{text.key}|{now.timestamp()}".encode()).hexdigest()[:32], "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "PhoneNumbers": text.number.removeprefix("+86"), "SignName": text.sign, "TemplateCode": text.template,
        "TemplateParam": json.dumps(dict(text.parameters), ensure_ascii=False), "OutId": text.key[-64:],
    }  # fmt: skip
    query["Signature"] = aliyun_signature(link.secrets["secret_key"], "POST", query)
    body = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in query.items()).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = http.request(link, "POST", str(link.address.get("path", "/")), headers=headers, content=body)
    told = _json(link, answer.content)
    code = str(told.get("Code", ""))
    if code == "OK":
        return str(told.get("BizId", ""))
    if code in _ALIYUN_REFUSED:
        raise BpmnError("FAR_END_REFUSED", f"{link.name} refused: {code}", {"refusal": code})
    raise ConnectorFailed(f"{link.name} answered {code or answer.status_code}", kind="transient" if code in _ALIYUN_BUSY else "permanent")


def _gateway(link: Link, text: Text) -> str:
    body = json.dumps(
        {"id": text.key, "to": text.number, "sign": text.sign, "template": text.template, "parameters": dict(text.parameters)},
        ensure_ascii=False,
    ).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": text.key, **http.credentials(link)}
    if link.address["scheme"] == "hmac":
        timestamp = str(int(clock.now().timestamp()))
        headers |= {"X-Timestamp": timestamp, "X-Signature": gateway_signature(link.secrets["secret_key"], timestamp, body)}
    answer = http.request(link, "POST", str(link.address.get("path", "/messages")), headers=headers, content=body)
    told = _json(link, answer.content)
    if answer.status_code in (409, 422):
        reason = str(told.get("code", answer.status_code))
        raise BpmnError("FAR_END_REFUSED", f"{link.name} refused: {reason}", {"refusal": reason})
    if answer.status_code >= 400:
        raise ConnectorFailed(f"{link.name} answered {answer.status_code}", kind="permanent")
    return str(told.get("message_id", ""))


SCHEMES: Mapping[str, Callable[[Link, Text], str]] = {"aliyun": _aliyun, "hmac": _gateway, "plain": _gateway}


def _json(link: Link, content: bytes) -> Mapping[str, object]:
    try:
        told = json.loads(content)
    except ValueError as error:
        raise ConnectorFailed(f"{link.name}: the answer cannot be read", kind="unknown") from error
    if not isinstance(told, Mapping):
        raise ConnectorFailed(f"{link.name}: the answer cannot be read", kind="unknown")
    return told


def _encoded(text: str) -> str:
    return quote(text, safe="~")
