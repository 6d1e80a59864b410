"""Sends a text message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about
from integrations.sms import wires
from integrations.sms.wires import Text

_CHINESE = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})")  # a mobile number of mainland China, with or without the country
_ABROAD = re.compile(r"\+[1-9]\d{6,14}")  # E.164


@dataclass(frozen=True)
class Input:
    """A message by a template that the provider knows."""

    phone: str = about("Phone", "电话", personal=True)
    template: str = about("Template of the provider", "短信模板编号")
    parameters: dict[str, Any] = about("Parameters of the template", "模板参数", default={}, personal=True)  # noqa: RUF009  about() makes a field
    sign: str = about("Signature; empty: the connection's", "短信签名；留空使用连接的设置", default="")


@dataclass(frozen=True)
class Output:
    """The provider's number of it."""

    message_id: str = about("Message", "短信编号")


@connector(
    "sms.send", title=("Send a text message", "发送短信"), group=("General", "通用"), connection="sms",
    standard="Alibaba Cloud SendSms, or a JSON gateway", icon="phone", errors=REFUSED,
)  # fmt: skip
def send(given: Input, work: Work) -> Output:
    """Sends a text message by the provider's template. A number that the provider refuses is the error FAR_END_REFUSED.

    按服务商模板发送短信。服务商拒绝的号码作为错误 FAR_END_REFUSED 抛出。
    """
    link = work.link()
    parameters = {name: _parameter(name, value) for name, value in given.parameters.items()}
    text = Text(number(given.phone), given.sign or str(link.address["sign"]), given.template, parameters, work.call.key)
    sent = {"template": given.template, "sign": text.sign, "phone": text.number, "payload": parameters}
    message = Outbound("sms", work.call.key[:120], sent, None, work.call.subject)
    return Output(log.exchange(work.call, link, message, lambda: {"id": wires.send(link, text)})["id"])


def number(phone: str) -> str:
    """The number in E.164; ConnectorFailed (permanent) when it is no mobile number. It does not repeat the number."""
    plain = re.sub(r"[\s\-()（）－]", "", phone)
    if found := _CHINESE.fullmatch(plain):
        return f"+86{found[1]}"
    if _ABROAD.fullmatch(plain) and not plain.startswith("+86"):
        return plain
    raise ConnectorFailed("phone: is no mobile number", kind="permanent")


def _parameter(name: str, value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        raise ConnectorFailed(f"parameters.{name}: must be a text or a number", kind="permanent")
    return f"{value:g}" if isinstance(value, float) else str(value)
