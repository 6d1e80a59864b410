"""A provider of text messages, two wires: a signed JSON gateway, and as much of Alibaba Cloud's SendSms as a client needs."""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request

from integrations.hl7.write import control_id
from integrations.simulators.desk import Desk, Item
from integrations.simulators.ports import Keys
from integrations.simulators.web import Handler
from integrations.sms.wires import aliyun_signature, gateway_signature

Answer = tuple[int, Any]
TEMPLATES = {
    "SMS_QUEUE": "您好${name}，您的号 ${ticket} 即将就诊。", "SMS_RESULT": "${name}您好，您的检查结果已出。", "SMS_APPOINTMENT": "提醒：您预约了 ${time} 就诊。",
}  # fmt: skip
BLOCKED = "+8613900000000"  # a number whose owner wants no messages


class SmsEnd:
    """Takes messages, shows them on the far ends' page, sends nothing."""

    def __init__(self, desk: Desk, keys: Keys) -> None:
        self._desk, self._keys = desk, keys

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What this end answers to."""
        return {("POST", "/messages"): self._gateway, ("POST", "/"): self._aliyun}

    def _gateway(self, request: Request) -> Answer:
        body = request.get_data(cache=True)
        wanted = gateway_signature(self._keys.shared_key, request.headers.get("X-Timestamp", ""), body)
        if not hmac.compare_digest(wanted, request.headers.get("X-Signature", "")):
            return 401, {"code": "SIGNATURE", "message": "the signature does not belong to this body"}
        given = json.loads(body)
        if refusal := self._refusal(given["to"], given["template"], given["parameters"]):
            return 422, {"code": refusal}
        number = self._desk.once(f"sms|{given['id']}", lambda: self._note(given["id"], given["to"], given["template"], given["parameters"]))
        return 200, {"message_id": number}

    def _aliyun(self, request: Request) -> Answer:
        query = dict(parse_qsl(request.get_data(cache=True, as_text=True), keep_blank_values=True))
        signature = query.pop("Signature", "")
        if not hmac.compare_digest(aliyun_signature(self._keys.shared_key, "POST", query), signature):
            return 400, {"Code": "SignatureDoesNotMatch", "Message": "Specified signature is not matched with our calculation."}
        if self._desk.once(f"sms|nonce|{query['SignatureNonce']}", lambda: query["OutId"]) != query["OutId"]:
            return 400, {"Code": "SignatureNonceUsed", "Message": "Specified signature nonce was used already."}
        parameters = json.loads(query["TemplateParam"])
        if refusal := self._refusal(f"+86{query['PhoneNumbers']}", query["TemplateCode"], parameters):
            code = {"blocked": "isv.BLACK_KEY_CONTROL_LIMIT", "template": "isv.SMS_TEMPLATE_ILLEGAL"}.get(
                refusal, "isv.TEMPLATE_MISSING_PARAMETERS"
            )
            return 200, {"Code": code, "Message": refusal}
        number = self._note(query["OutId"], f"+86{query['PhoneNumbers']}", query["TemplateCode"], parameters)
        return 200, {"Code": "OK", "Message": "OK", "BizId": number, "RequestId": query["SignatureNonce"]}

    def _refusal(self, to: str, template: str, parameters: dict[str, str]) -> str:
        if to == BLOCKED:
            return "blocked"
        if template not in TEMPLATES:
            return "template"
        return "" if all(name in parameters for name in _names(TEMPLATES[template])) else "parameters"

    def _note(self, key: str, to: str, template: str, parameters: dict[str, str]) -> str:
        text = TEMPLATES[template]
        for name, value in parameters.items():
            text = text.replace(f"${{{name}}}", value)
        self._desk.add(Item(f"sms-{control_id(key)}", "sms", "text", to, "noted", {"patient": to, "summary": text}))
        return f"M{control_id(key)[:12]}"


def _names(template: str) -> list[str]:
    return [part.split("}")[0] for part in template.split("${")[1:]]
