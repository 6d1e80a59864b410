"""The demo's connections: every far end is a simulator on this machine."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.settings import Settings
from integrations.connections import book
from integrations.simulators import insurance_end
from integrations.simulators.ports import ALIPAY_APP, APP, HOST, MERCHANT, MERCHANT_SERIAL, PLATFORM_SERIAL, Ports, keys, ports

_TITLES = {
    "his": {"en": "Hospital information system", "zh": "医院信息系统"},
    "lis": {"en": "Laboratory system", "zh": "检验系统"},
    "ris": {"en": "Radiology system", "zh": "影像系统"},
    "mllp": {"en": "Inbound HL7", "zh": "HL7 接收"},
    "wechat": {"en": "WeChat Pay", "zh": "微信支付"},
    "alipay": {"en": "Alipay", "zh": "支付宝"},
    "card": {"en": "Bank card (simulated gateway)", "zh": "银行卡（模拟网关）"},
    "insurance": {"en": "Insurance (simulated gateway)", "zh": "医保（模拟网关）"},
    "pharmacy": {"en": "Pharmacy system", "zh": "药房系统"},
    "sms": {"en": "Text messages (simulated)", "zh": "短信（模拟）"},
    "insurance_claim": {"en": "Insurance claims (made up)", "zh": "医保结算（模拟）"},
    "partner": {"en": "Partner hospital", "zh": "合作医院"},
}


def connect(session: Session, settings: Settings, where: Ports | None = None) -> None:
    """Adds or renews the demo's connections. The caller commits."""
    at, secret = where or ports(settings), keys(settings)
    for name in ("his", "lis", "ris", "pharmacy"):
        address = {
            "host": HOST,
            "port": getattr(at, name),
            "timeout": 10,
            "idempotent": True,
            "application": name.upper(),
            "facility": "HOSPITAL",
        }
        book.put(session, name, "mllp", address=address, title=_TITLES[name])
    book.put(session, "mllp", "mllp_listener", address={"host": HOST, "port": settings.mllp_port}, direction="in", title=_TITLES["mllp"])
    book.put(
        session, "wechat", "wechat", direction="both", title=_TITLES["wechat"],
        address={
            "url": f"http://{HOST}:{at.payment}", "timeout": 10, "idempotent": True, "mchid": MERCHANT, "appid": APP, "serial": MERCHANT_SERIAL,
            "platform_serial": PLATFORM_SERIAL, "notify_url": f"{settings.public_url}/hooks/wechat", "reconcile_at": "10:30",
        },
        secrets={"private_key": secret.merchant_private, "platform_public_key": secret.platform_public, "api_v3_key": secret.api_v3_key},
    )  # fmt: skip
    book.put(
        session, "alipay", "alipay", direction="both", title=_TITLES["alipay"],
        address={
            "url": f"http://{HOST}:{at.payment}", "timeout": 10, "idempotent": True, "app_id": ALIPAY_APP, "reconcile_at": "10:30",
            "notify_url": f"{settings.public_url}/hooks/alipay",
        },
        secrets={"private_key": secret.merchant_private, "platform_public_key": secret.platform_public},
    )  # fmt: skip
    for name in ("card", "insurance"):
        address = {
            "url": f"http://{HOST}:{at.payment}", "prefix": f"/gateway/{name}", "timeout": 10, "idempotent": True,
            "notify_url": f"{settings.public_url}/hooks/{name}",
        }  # fmt: skip
        book.put(session, name, "gateway", address=address, secrets={"shared_key": secret.shared_key}, direction="both", title=_TITLES[name])
    claims = insurance_end.settings(f"http://{HOST}:{at.payment}")
    book.put(session, "insurance_claim", "insurance_claim", address=claims, title=_TITLES["insurance_claim"])
    book.put(
        session, "partner", "fhir", direction="both", title=_TITLES["partner"],
        address={"url": f"http://{HOST}:{at.partner}", "path": "/fhir", "timeout": 10, "idempotent": True},
        secrets={"token": secret.partner_token, "inbound_token": secret.inbound_token},
    )  # fmt: skip
    book.put(
        session, "sms", "sms", title=_TITLES["sms"],
        address={"url": f"http://{HOST}:{at.sms}", "scheme": "hmac", "sign": "示范诊所", "timeout": 10, "idempotent": True},
        secrets={"secret_key": secret.shared_key},
    )  # fmt: skip
