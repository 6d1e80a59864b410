"""Alipay's wire: proved with the public client `python-alipay-sdk` against the same simulator that our side talks to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

import httpx
import pytest
from alipay import AliPay
from alipay.exceptions import AliPayException, AliPayValidationError
from sqlalchemy import select

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.tables import Message
from integrations import http
from integrations.connections import book
from integrations.messages import worklist
from integrations.payments import alipay_crypto, bills, hooks, ledger, wechat_crypto
from integrations.payments.alipay import BEIJING, Alipay
from integrations.payments.wire import Standing
from integrations.simulators.ports import ALIPAY_APP, Keys
from tests.integrations.conftest import World


@pytest.fixture
def wire(world: World) -> Alipay:
    """Our own side."""
    with world.sessions() as session:
        return Alipay(book.copy(book.get(session, "alipay")))


@pytest.fixture
def sdk(world: World, secret: Keys) -> AliPay:
    """The public client, pointed at the simulator."""
    client = AliPay(
        appid=ALIPAY_APP, app_notify_url="http://127.0.0.1:18000/hooks/alipay", app_private_key_string=secret.merchant_private,
        alipay_public_key_string=secret.platform_public, sign_type="RSA2",
    )  # fmt: skip
    client._gateway = f"http://127.0.0.1:{world.simulators.ports.payment}/gateway.do"
    return client


def scan_and_pay(world: World, action: str = "pay") -> None:
    (item,) = [item for item in world.desk.of("alipay") if item.state == "waiting"]
    item.data["notify_url"] = ""  # the notification goes nowhere; those that want it make it themselves
    world.simulators.payment.answer(item, action)
    item.data["notices"] = []


def notice(world: World, refund: Mapping[str, Any] | None = None, secret: Keys | None = None, **changes: str) -> bytes:
    """The signed form of the only trade, with changes that are signed too when the keys are given."""
    body, _ = world.simulators.payment._alipay.notice(next(iter(world.desk.of("alipay"))), refund)
    given = dict(parse_qsl(body)) | changes
    if secret is not None:
        key = wechat_crypto.private_key(secret.platform_private)
        given["sign"] = alipay_crypto.sign(key, alipay_crypto.content(given, without=("sign", "sign_type")))
    return urlencode(given).encode()


def deliver(world: World, body: bytes) -> tuple[int, Any]:
    with world.sessions() as session:
        answer = hooks.receive(session, "alipay", {}, body)
        session.commit()
    return answer


def told(world: World) -> list[Any]:
    with world.sessions() as session:
        return [m.payload["state"] for m in session.scalars(select(Message).where(Message.name == "payment_notified"))]


def order(world: World, key: str = "k1", **changes: Any) -> dict[str, Any]:
    given = {"orderId": "ORDER-ALI-1", "amount": 12_50, "channel": "alipay", "patientId": world.patient_id, "description": "挂号费 & 检查=1"}
    return world.call("payment.order", key, **{**given, **changes})


# ── the public client against the simulator ──────────────────────────────────────────────────────────────────────────────


def test_the_public_client_orders_queries_refunds_and_is_believed(world: World, sdk: AliPay) -> None:
    made = sdk.api_alipay_trade_precreate("诊察费", "SDK-ALI-1", "12.50")
    assert made["code"] == "10000"
    assert made["qr_code"].startswith("https://qr.alipay.com/")
    assert sdk.api_alipay_trade_query("SDK-ALI-1")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    scan_and_pay(world)
    paid = sdk.api_alipay_trade_query("SDK-ALI-1")
    assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "12.50")
    first = sdk.api_alipay_trade_refund("5.00", out_trade_no="SDK-ALI-1", out_request_no="REF-1")
    again = sdk.api_alipay_trade_refund("5.00", out_trade_no="SDK-ALI-1", out_request_no="REF-1")
    assert (first["fund_change"], again["fund_change"], again["refund_fee"]) == ("Y", "N", "5.00")
    assert sdk.api_alipay_trade_fastpay_refund_query("REF-1", out_trade_no="SDK-ALI-1")["refund_amount"] == "5.00"
    assert "refund_amount" not in sdk.api_alipay_trade_fastpay_refund_query("REF-2", out_trade_no="SDK-ALI-1")
    assert sdk.api_alipay_trade_refund("8.00", out_trade_no="SDK-ALI-1", out_request_no="REF-3")["code"] == "40004"


def test_the_public_client_closes(world: World, sdk: AliPay) -> None:
    sdk.api_alipay_trade_precreate("诊察费", "SDK-ALI-2", "1.00")
    next(iter(world.desk.of("alipay"))).data["scanned"] = True
    assert sdk.api_alipay_trade_query("SDK-ALI-2")["trade_status"] == "WAIT_BUYER_PAY"
    assert sdk.api_alipay_trade_close("SDK-ALI-2")["code"] == "10000"
    assert sdk.api_alipay_trade_query("SDK-ALI-2")["trade_status"] == "TRADE_CLOSED"


def test_the_public_client_verifies_the_notification(world: World, sdk: AliPay) -> None:
    order(world)
    scan_and_pay(world)
    given = dict(parse_qsl(notice(world).decode()))
    assert sdk.verify(dict(given), given.pop("sign")) is False  # the client wants the signature taken out first
    assert sdk.verify(given, dict(parse_qsl(notice(world).decode()))["sign"])


def test_the_public_client_fetches_the_bill(world: World, sdk: AliPay) -> None:
    order(world)
    scan_and_pay(world)
    world.desk.early_bills = True
    day = datetime.now(BEIJING).date().isoformat()
    answer = sdk.server_api("alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": day})
    with urlopen(answer["bill_download_url"]) as found:
        (line,) = bills.alipay(found.read())
    assert (line.kind, line.key, line.amount) == ("pay", "ORDER-ALI-1", 1250)


def test_a_client_with_another_key_is_turned_away(world: World, sdk: AliPay, secret: Keys) -> None:
    sdk._app_private_key_string = secret.platform_private
    sdk._load_key()
    with pytest.raises(AliPayException, match="invalid-signature"):
        sdk.api_alipay_trade_precreate("诊察费", "SDK-ALI-3", "1.00")


def test_the_public_client_does_not_believe_another_platform(world: World, sdk: AliPay, secret: Keys) -> None:
    world.simulators.payment._alipay._own = wechat_crypto.private_key(secret.merchant_private)
    with pytest.raises(AliPayValidationError):
        sdk.api_alipay_trade_precreate("诊察费", "SDK-ALI-4", "1.00")


# ── our side on the same wire ────────────────────────────────────────────────────────────────────────────────────────────


def test_our_side_orders_queries_refunds_and_closes(world: World, wire: Alipay) -> None:
    made = order(world)
    assert made["codeUrl"].startswith("https://qr.alipay.com/")
    assert wire.query("ORDER-ALI-1") == Standing("pending")
    scan_and_pay(world)
    assert (wire.query("ORDER-ALI-1").state, wire.query("ORDER-ALI-1").amount) == ("paid", 1250)
    assert wire.close("ORDER-ALI-1").state == "paid"
    assert wire.refund_state("ORDER-ALI-1", "R-1") == "unknown"
    assert wire.refund("ORDER-ALI-1", "R-1", 500, 1250, "CNY", "退费") == "refunded"
    assert wire.refund("ORDER-ALI-1", "R-1", 500, 1250, "CNY", "退费") == "refunded"
    assert wire.refund_state("ORDER-ALI-1", "R-1") == "refunded"
    with pytest.raises(BpmnError, match="REFUND_AMT"):
        wire.refund("ORDER-ALI-1", "R-2", 751, 1250, "CNY", "")


def test_an_answer_with_a_wrong_signature_is_not_believed(world: World, wire: Alipay, secret: Keys) -> None:
    world.simulators.payment._alipay._own = wechat_crypto.private_key(secret.merchant_private)
    with pytest.raises(ConnectorFailed, match="not believed") as failed:
        wire.query("ANY-ORDER")
    assert failed.value.kind == "transient"


def test_one_changed_character_of_an_answer_is_noticed(world: World, wire: Alipay, monkeypatch: pytest.MonkeyPatch) -> None:
    order(world)
    scan_and_pay(world)
    real = http.request

    def meddle(*args: Any, **options: Any) -> httpx.Response:
        return httpx.Response(200, text=real(*args, **options).text.replace("12.50", "92.50"))

    monkeypatch.setattr(http, "request", meddle)
    with pytest.raises(ConnectorFailed, match="not believed"):
        wire.query("ORDER-ALI-1")


def test_a_bill_that_is_not_made_yet_is_transient_and_a_foreign_address_is_refused(world: World, wire: Alipay) -> None:
    with pytest.raises(ConnectorFailed, match="bill_not_exist") as early:
        wire.bill("2999-01-01")
    assert early.value.kind == "transient"
    elsewhere = Alipay(book.Link("alipay", "alipay", {**wire.link.address, "bill_hosts": []}, secrets=wire.link.secrets))
    world.simulators.payment._alipay._methods["alipay.data.dataservice.bill.downloadurl.query"] = lambda *_: {
        "bill_download_url": "http://169.254.169.254/latest"
    }
    with pytest.raises(ConnectorFailed, match="bill_hosts does not name"):
        elsewhere.bill("2026-11-20")


# ── notifications ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_notification_is_answered_with_the_word_and_told_once(world: World) -> None:
    order(world)
    scan_and_pay(world)
    assert deliver(world, notice(world)) == (200, "success")
    assert deliver(world, notice(world)) == (200, "success")
    assert told(world) == ["paid"]


def test_a_forged_or_changed_notification_or_one_for_another_application_changes_nothing(world: World, secret: Keys) -> None:
    order(world)
    scan_and_pay(world)
    good = notice(world)
    assert deliver(world, good.replace(b"12.50", b"12.51"))[0] == 401
    assert deliver(world, notice(world, app_id="2021000000000002"))[0] == 401
    assert deliver(world, notice(world, secret=secret, app_id="2021000000000002"))[0] == 401
    assert deliver(world, b"")[0] == 401
    assert deliver(world, b"\xff\xfe")[0] == 400
    assert told(world) == []


@pytest.mark.parametrize(
    ("changes", "reason"), [({"out_trade_no": "SOMEBODY-ELSES"}, "unknown_order"), ({"total_amount": "0.01"}, "other_amount")]
)
def test_what_cannot_be_placed_is_kept_and_listed(world: World, secret: Keys, changes: dict[str, str], reason: str) -> None:
    order(world)
    scan_and_pay(world)
    assert deliver(world, notice(world, secret=secret, **changes)) == (200, "success")
    assert told(world) == []
    with world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == [reason]


def test_a_refund_made_at_the_providers_console_reaches_the_ledger(world: World) -> None:
    made = order(world)
    scan_and_pay(world)
    deliver(world, notice(world))
    item = next(iter(world.desk.of("alipay")))
    item.data["refunds"] = {"CONSOLE-1": 300}
    assert deliver(world, notice(world, {"number": "CONSOLE-1"})) == (200, "success")
    assert deliver(world, notice(world, {"number": "CONSOLE-1"})) == (200, "success")
    with world.sessions() as session:
        assert ledger.get(session, made["paymentId"]).refunded == 300


def test_a_refund_notification_over_more_than_is_left_is_listed(world: World, secret: Keys) -> None:
    made = order(world)
    scan_and_pay(world)
    deliver(world, notice(world))
    assert deliver(world, notice(world, {"number": "X"}, secret, refund_fee="99.00"))[0] == 200
    with world.sessions() as session:
        assert ledger.get(session, made["paymentId"]).refunded == 0
        assert [item.reason for item, _ in worklist.open_items(session)] == ["refund_too_large"]
