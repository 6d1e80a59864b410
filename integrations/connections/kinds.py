"""The kinds of connection: which fields their address has, which secrets, and what is wrong with what a person typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from integrations.messages import routes

NAME = re.compile(r"[a-z][a-z0-9_.-]{1,59}")
LONGEST_TIMEOUT = 300
MOST_NUMBER = 10_000


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an address."""

    name: str
    type: Literal["text", "port", "url", "seconds", "bool", "path", "number", "rate", "clock", "json", "mappings"] = "text"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """What belongs to one wire. `title`: English, Chinese."""

    title: tuple[str, str]
    direction: str
    fields: tuple[Field, ...]
    secrets: tuple[str, ...] = ()

    @property
    def form(self) -> tuple[Field, ...]:
        """All that can be filled in; whatever is called also has a limit of calls at once."""
        return self.fields if self.direction == "in" else (*self.fields, Field("most_calls", "number"))


_TIMEOUT, _AGAIN = Field("timeout", "seconds"), Field("idempotent", "bool")
_URL = Field("url", "url", required=True)
_TLS = (Field("tls", "bool"), Field("ca_file", "path"), Field("client_certificate_file", "path"), Field("client_key_file", "path"))
_PEER = (Field("host", required=True), Field("port", "port", required=True))
_MAPPINGS = Field("mappings", "mappings")
_BILLS = (Field("reconcile_at", "clock"), Field("fee_rate", "rate"))
_FILES = (  # how files are laid out, and what becomes of those that come; see docs/integration/files.md
    Field("format"), Field("encoding"), Field("delimiter"), Field("quote"), Field("columns"), Field("names"), Field("row_path"), Field("width_in"),
    Field("watch", "bool"), Field("pattern"), Field("done_marker", "bool"), Field("settle_seconds", "seconds"), Field("archive"), Field("error"),
    Field("mapping"), Field("mapping_version"), Field("message"), Field("key"), Field("row_id"), Field("most_megabytes"),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {
    "mllp": Kind(
        ("HL7 v2 over MLLP, outbound", "HL7 v2（MLLP）发送"), "out",
        (*_PEER, _TIMEOUT, _AGAIN, Field("application"), Field("facility"), *_TLS, Field("server_name")), ("ca_certificate",),
    ),
    "mllp_listener": Kind(
        ("HL7 v2 over MLLP, inbound", "HL7 v2（MLLP）接收"), "in",
        (*_PEER, Field("tls", "bool"), Field("certificate_file", "path"), Field("key_file", "path"), Field("client_ca_file", "path"),
         _MAPPINGS),
    ),
    "fhir": Kind(
        ("FHIR R4", "FHIR R4"), "both", (_URL, Field("path"), _TIMEOUT, _AGAIN, *_TLS[1:], _MAPPINGS), ("token", "inbound_token", "ca_certificate"),
    ),
    "webhook": Kind(
        ("Signed webhook, inbound", "签名回调（Webhook）接收"), "in", (Field("message"), Field("key"), _MAPPINGS), ("shared_key",)
    ),
    "http": Kind(
        ("HTTP", "HTTP 接口"), "out",
        (_URL, _TIMEOUT, _AGAIN, Field("api_key_header"), Field("test_path"), Field("client_id"), Field("token_url", "url"), Field("scope"),
         *_TLS[1:]),
        ("token", "api_key", "user", "password", "client_secret", "ca_certificate"),
    ),
    "wechat": Kind(
        ("WeChat Pay v3", "微信支付 v3"), "both",
        (_URL, Field("mchid", required=True), Field("appid", required=True), Field("serial", required=True),
         Field("platform_serial", required=True), Field("notify_url", "url"), *_BILLS, _TIMEOUT, _AGAIN),
        ("private_key", "platform_public_key", "api_v3_key"),
    ),
    "alipay": Kind(
        ("Alipay", "支付宝"), "both",
        (_URL, Field("app_id", required=True), Field("notify_url", "url", required=True), Field("expires"), *_BILLS, _TIMEOUT, _AGAIN),
        ("private_key", "platform_public_key"),
    ),
    "intents": Kind(
        ("Card gateway (payment intents)", "银行卡网关（支付意图）"), "both", (_URL, Field("pay_url"), *_BILLS, _TIMEOUT, _AGAIN),
        ("secret_key", "webhook_secret"),
    ),
    "gateway": Kind(
        ("Payment gateway, JSON with a shared key", "支付网关（共享密钥 JSON）"), "both",
        (_URL, Field("prefix"), Field("notify_url", "url"), *_BILLS, _TIMEOUT, _AGAIN), ("shared_key",),
    ),
    "insurance_claim": Kind(
        ("Insurance claims, JSON or XML over HTTP", "医保结算（HTTP JSON/XML）"), "out",
        (_URL, Field("format"), Field("unit"), Field("operations", "json", required=True), Field("response", "json", required=True),
         Field("codes", "json", required=True), Field("test_path"), _TIMEOUT, _AGAIN),
        ("token",),
    ),
    "smtp": Kind(
        ("Mail (SMTP)", "邮件（SMTP）"), "out",
        (*_PEER, Field("sender", required=True), Field("domain"), Field("tls", "bool"), Field("tls_at_once", "bool"),
         Field("ca_file", "path"), _TIMEOUT, _AGAIN),
        ("user", "password", "ca_certificate"),
    ),
    "dicom": Kind(
        ("DICOM archive (PACS)", "DICOM 影像归档（PACS）"), "out", (*_PEER, Field("ae_title", required=True), Field("calling"), _TIMEOUT, *_TLS),
        ("ca_certificate",),
    ),
    "dicomweb": Kind(
        ("DICOMweb archive", "DICOMweb 影像归档"), "both",
        (_URL, Field("path"), Field("viewer"), Field("watch", "bool"), _TIMEOUT, *_TLS[1:]),
        ("token", "api_key", "user", "password", "client_secret", "ca_certificate"),
    ),
    "dicom_listener": Kind(
        ("Modality worklist, served by us", "设备工作列表（本系统提供）"), "in",
        (*_PEER, Field("ae_title", required=True), Field("callers"), Field("charset"), Field("tls", "bool"), Field("certificate_file", "path"),
         Field("key_file", "path"), Field("client_ca_file", "path")),
    ),
    "dicom_folder": Kind(
        ("Modality worklist, as files", "设备工作列表（文件）"), "out", (Field("folder", "path", required=True), Field("charset"), Field("station"))
    ),
    "soap": Kind(
        ("SOAP service", "SOAP 服务"), "out",
        (_URL, Field("wsdl", required=True), Field("service"), Field("port_name"), Field("security"), Field("security_timestamp", "bool"),
         Field("addressing", "bool"), _TIMEOUT, _AGAIN, *_TLS[1:]),
        ("token", "user", "password", "ws_user", "ws_password", "ca_certificate"),
    ),
    "sms": Kind(
        ("Text messages", "短信"), "out",
        (_URL, Field("path"), Field("scheme", required=True), Field("sign", required=True), Field("region"), Field("test_path"), _TIMEOUT, _AGAIN),
        ("access_key", "secret_key", "token"),
    ),
    "amqp": Kind(
        ("Message broker (AMQP)", "消息代理（AMQP）"), "out",
        (*_PEER, Field("virtual_host"), Field("exchange"), Field("tls", "bool"), Field("ca_file", "path"), _TIMEOUT, _AGAIN),
        ("user", "password", "ca_certificate"),
    ),
    "folder": Kind(("Folder of files", "文件夹"), "both", (Field("folder", "path", required=True), *_FILES)),
    "sftp": Kind(
        ("Files over SFTP", "SFTP 文件"), "both", (*_PEER, Field("folder", "path", required=True), *_FILES, _TIMEOUT),
        ("user", "password", "private_key", "passphrase", "host_key"),
    ),
    "sql": Kind(
        ("Database, read only", "数据库（只读）"), "out", (_TIMEOUT, Field("encoding"), Field("read_only_user", "bool")), ("url",)
    ),
}  # fmt: skip


def fields_of(kind: str, address: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields to edit: those of the kind, and whatever else the address holds already."""
    known = KINDS[kind].form if kind in KINDS else ()
    names = {field.name for field in known}
    more = (Field(name, _type(value)) for name, value in address.items() if name not in names)
    return (*known, *more)


def read_address(kind: str, given: Mapping[str, str], before: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """An address from a form, with what is wrong by field name: required, port, url, seconds. Empty fields are left out."""
    address: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in fields_of(kind, before):
        text = given.get(f"address.{field.name}", "").strip()
        if field.type == "bool":
            if text or field.name in before:
                address[field.name] = bool(text)
            continue
        if not text:
            if field.required:
                wrong[field.name] = "required"
            continue
        value = _value(field, text, before.get(field.name))
        if value is None:
            wrong[field.name] = field.type
        else:
            address[field.name] = value
    return address, wrong


def _type(value: Any) -> Literal["bool", "json", "text"]:
    return "bool" if isinstance(value, bool) else "json" if isinstance(value, dict | list) else "text"


def _value(field: Field, text: str, before: Any) -> Any:
    """The value of a field, or None when the text is none."""
    if field.type == "port":
        return int(text) if text.isdecimal() and 0 < int(text) < 65_536 else None
    if field.type == "seconds":
        return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) and 0 < float(text) <= LONGEST_TIMEOUT else None
    if field.type == "url":
        parts = urlsplit(text)
        return text if parts.scheme in ("http", "https") and parts.hostname and not parts.password else None
    if field.type == "number":
        return int(text) if text.isdecimal() and 0 < int(text) <= MOST_NUMBER else None
    if field.type == "rate":
        return text if re.fullmatch(r"0(\.\d{1,6})?", text) else None
    if field.type == "clock":
        return text if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) else None
    if field.type == "json":
        return _json(text)
    if field.type == "mappings":
        return text[:2000] if routes.read(text) else None
    if isinstance(before, int) and text.isdecimal():  # a number that we know nothing of stays a number
        return int(text)
    return text[:500] if text.isprintable() else None


def _json(text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None
