"""Money: one charge an order, notifications believed only when signed, a ledger that is never rewritten."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from wechatpayv3 import SignType, WeChatPay, WeChatPayType
from wechatpayv3.type import RequestType

from engine.errors import ConnectorFailed, NotFound, Refused
from engine.execution.tables import Message
from integrations.messages import worklist
from integrations.payments import hooks, ledger, wechat_crypto
from integrations.payments.tables import Payment, PaymentEntry
from integrations.simulators.payment_end import PaymentEnd
from integrations.simulators.ports import APP, MERCHANT, MERCHANT_SERIAL, PLATFORM_SERIAL, Keys
from tests.integrations.conftest import World

ORDER = {"orderId": "ORDER-1", "amount": 12_50, "description": "挂号费"}


@pytest.fixture(autouse=True)
def _hooks_are_reached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the provider posts to /hooks/<connection> arrives at `hooks.receive` in a transaction of its own."""

    def post(_client: httpx.Client, url: str, *, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        status, body = deliver(world, url.rsplit("/", 1)[1], headers, content)
        return httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)

    monkeypatch.setattr(httpx.Client, "post", post)


def deliver(world: World, connection: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any] | str]:
    with world.sessions() as session:
        answer = hooks.receive(session, connection, headers, body)
        session.commit()
    return answer


def order(world: World, channel: str = "wechat", key: str = "k1", **changes: Any) -> dict[str, Any]:
    return world.call("payment.order", key, **{**ORDER, "channel": channel, "patientId": world.patient_id, **changes})


def pay(world: World, action: str = "pay") -> None:
    (item,) = [item for item in world.desk.items.values() if item.state == "waiting"]
    world.simulators.answer(item, action)
    for _ in range(100):
        if not item.data["notices"]:
            return
        time.sleep(0.05)
    raise AssertionError("a notification was not taken")


def told(world: World) -> list[dict[str, Any]]:
    with world.sessions() as session:
        return [m.payload for m in session.scalars(select(Message).where(Message.name == "payment_notified"))]


@pytest.mark.parametrize("channel", ["wechat", "alipay", "card", "insurance"])
def test_a_paid_order_is_told_once_however_often_the_provider_says_so(world: World, channel: str) -> None:
    world.desk.random.random = lambda: 0.01  # type: ignore[method-assign]  # late and twice
    made = order(world, channel)
    assert made["state"] == "pending"
    assert made["codeUrl"]
    pay(world)
    (payload,) = told(world)
    assert (payload["state"], payload["amount"], payload["orderId"]) == ("paid", 1250, "ORDER-1")
    assert payload["transactionId"]


@pytest.mark.parametrize("channel", ["wechat", "card"])
def test_a_failed_payment_is_told(world: World, channel: str) -> None:
    order(world, channel)
    pay(world, "fail")
    assert [p["state"] for p in told(world)] == ["failed"]


def test_the_same_order_asked_for_by_another_call_is_the_same_payment(world: World) -> None:
    assert order(world, key="k1") == order(world, key="k2")
    assert len(list(world.desk.of("wechat"))) == 1


def test_the_same_order_over_another_amount_is_refused(world: World) -> None:
    order(world)
    with pytest.raises(ConnectorFailed, match="already opened over 1250 CNY by wechat") as failed:
        order(world, key="k2", amount=99)
    assert failed.value.kind == "permanent"


@pytest.mark.parametrize("amount", [12.5, "1250", True, None])
def test_an_amount_must_be_whole_fen(world: World, amount: Any) -> None:
    with pytest.raises(ConnectorFailed, match="amount"):
        order(world, amount=amount)


def test_cash_waits_for_the_cashier_and_uses_no_wire(world: World) -> None:
    made = order(world, "cash")
    assert made["state"] == "awaiting_cashier"
    assert world.desk.items == {}
    assert world.call("payment.confirm", "k2", paymentId=made["paymentId"], amount=1250)["state"] == "paid"
    assert told(world) == []


def test_an_unpaid_order_closes_and_cannot_be_paid_any_more(world: World) -> None:
    made = order(world)
    assert world.call("payment.close", "k2", paymentId=made["paymentId"])["state"] == "closed"
    assert next(iter(world.desk.of("wechat"))).data["state"] == "closed"


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
def test_money_that_was_faster_than_the_closing_wins(world: World, channel: str) -> None:
    made = order(world, channel)
    next(iter(world.desk.of(channel))).data |= {"state": "paid", "transaction_id": "42001"}  # paid, and not yet notified
    assert world.call("payment.close", "k2", paymentId=made["paymentId"])["state"] == "paid"


def test_money_that_comes_after_closing_is_recorded_and_told(world: World) -> None:
    made = order(world)
    world.call("payment.close", "k2", paymentId=made["paymentId"])
    (item,) = world.desk.of("wechat")
    item.data["state"], item.state = "pending", "waiting"  # the provider took it all the same
    pay(world)
    assert [p["state"] for p in told(world)] == ["paid"]


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
def test_a_refund_is_made_once(world: World, channel: str) -> None:
    made = order(world, channel)
    pay(world)
    for key in ("k2", "k3"):
        assert world.call("payment.refund", key, paymentId=made["paymentId"], refundId="R1", amount=500)["state"] == "refunded"
    (item,) = world.desk.of(channel)
    assert item.data["refunds"] == {ledger.trade_no("R1"): 500}
    with world.sessions() as session:
        assert ledger.get(session, made["paymentId"]).refunded == 500


def test_no_more_is_refunded_than_was_paid(world: World) -> None:
    made = order(world)
    pay(world)
    world.call("payment.refund", "k2", paymentId=made["paymentId"], refundId="R1", amount=1000)
    with pytest.raises(ConnectorFailed, match="the 250 that can still be refunded") as failed:
        world.call("payment.refund", "k3", paymentId=made["paymentId"], refundId="R2", amount=251)
    assert failed.value.kind == "permanent"


def test_an_unpaid_payment_is_not_refunded(world: World) -> None:
    made = order(world)
    with pytest.raises(ConnectorFailed, match="only a paid payment can be refunded; this one is pending"):
        world.call("payment.refund", "k2", paymentId=made["paymentId"], refundId="R1", amount=1)


def test_the_ledger_holds_every_attempt_and_cannot_be_rewritten(world: World) -> None:
    made = order(world)
    pay(world)
    world.call("payment.refund", "k2", paymentId=made["paymentId"], refundId="R1", amount=1250)
    with world.sessions() as session:
        lines = ledger.entries(session, made["paymentId"])
        assert [(line.kind, line.amount) for line in lines] == [
            ("order", 0), ("ask_order", 0), ("paid", 1250), ("ask_refund", 0), ("refund", -1250),
        ]  # fmt: skip
        assert session.scalars(select(Payment)).one().state == "refunded"
        lines[2].amount = 1
        with pytest.raises(Refused):
            session.flush()
        session.rollback()
        session.delete(session.get_one(PaymentEntry, lines[1].id))
        with pytest.raises(Refused):
            session.flush()


# ── notifications ────────────────────────────────────────────────────────────────────────────────────────────────────────


def notice(world: World, **changes: Any) -> tuple[dict[str, str], bytes]:
    """A signed notification as the platform sends it, with changes to its content."""
    end: PaymentEnd = world.simulators.payment
    (item,) = world.desk.of("wechat")
    item.data |= {"state": "paid", "transaction_id": "42001"}
    with pytest.MonkeyPatch.context() as patch:
        original = end._transaction
        patch.setattr(end, "_transaction", lambda _item: {**original(item), **changes})
        body, headers = end._wechat_notice(item, {"event": "TRANSACTION"})
    return headers, body.encode()


def test_a_forged_changed_or_stale_notification_changes_nothing(world: World, secret: Keys) -> None:
    order(world)
    headers, body = notice(world)
    stale = wechat_crypto.signed_headers(
        wechat_crypto.private_key(secret.platform_private), PLATFORM_SERIAL, body.decode(), int(time.time()) - 3600
    )
    forged = wechat_crypto.signed_headers(wechat_crypto.private_key(secret.merchant_private), PLATFORM_SERIAL, body.decode(), int(time.time()))
    cases = [
        (headers, body.replace(b"EV-", b"EW-")),
        (stale, body),
        (forged, body),
        ({}, body),
        ({**headers, "Wechatpay-Serial": "other"}, body),
    ]
    assert [deliver(world, "wechat", h, b)[0] for h, b in cases] == [401] * 5
    assert told(world) == []
    assert deliver(world, "wechat", headers, body)[0] == 200
    assert len(told(world)) == 1


def test_header_names_may_come_in_any_case(world: World) -> None:
    order(world)
    headers, body = notice(world)
    assert deliver(world, "wechat", {name.lower(): value for name, value in headers.items()}, body)[0] == 200


def test_a_notification_over_another_amount_is_kept_and_listed(world: World) -> None:
    order(world)
    headers, body = notice(world, amount={"total": 1})
    assert deliver(world, "wechat", headers, body)[0] == 200
    assert told(world) == []
    with world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["other_amount"]


def test_a_notification_for_an_order_that_we_never_made_is_kept_and_listed(world: World) -> None:
    order(world)
    headers, body = notice(world, out_trade_no="SOMEBODY-ELSES")
    assert deliver(world, "wechat", headers, body)[0] == 200
    with world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["unknown_order"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"resource": 1}'])
def test_a_signed_notification_that_makes_no_sense_is_refused(world: World, secret: Keys, body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    headers = wechat_crypto.signed_headers(wechat_crypto.private_key(secret.platform_private), PLATFORM_SERIAL, text, int(time.time()))
    assert deliver(world, "wechat", headers, body)[0] in (400, 401)


def test_only_payment_connections_take_notifications(world: World) -> None:
    for name in ("his", "nobody"):
        with pytest.raises(NotFound), world.sessions() as session:
            hooks.receive(session, name, {}, b"{}")


# ── the wire itself ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def real_client(world: World, secret: Keys) -> WeChatPay:
    """The public SDK, pointed at the simulator."""
    client = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE, mchid=MERCHANT, private_key=secret.merchant_private, cert_serial_no=MERCHANT_SERIAL,
        apiv3_key=secret.api_v3_key, appid=APP, notify_url="http://127.0.0.1:18000/hooks/wechat", public_key=secret.platform_public,
        public_key_id=PLATFORM_SERIAL,
    )  # fmt: skip
    client._core._gate_way = f"http://127.0.0.1:{world.simulators.ports.payment}"
    return client


def test_the_public_sdk_works_against_the_simulator(world: World, real_client: WeChatPay) -> None:
    status, text = real_client.pay(description="诊察费", out_trade_no="SDK-0001", amount={"total": 100})
    assert status == 200
    assert json.loads(text)["code_url"].startswith("weixin://wxpay/bizpayurl")
    item = world.desk.items["wechat-SDK-0001"]
    item.data |= {"state": "paid", "transaction_id": "42001"}
    assert json.loads(real_client.query(out_trade_no="SDK-0001")[1])["trade_state"] == "SUCCESS"
    assert real_client.close(out_trade_no="SDK-0001")[0] == 400
    status, text = real_client.refund(out_trade_no="SDK-0001", out_refund_no="SDK-R001", amount={"refund": 40, "total": 100, "currency": "CNY"})
    assert (status, json.loads(text)["status"]) == (200, "SUCCESS")


def test_the_public_sdk_opens_the_simulators_notifications(world: World, real_client: WeChatPay) -> None:
    order(world)
    headers, body = notice(world)
    opened = real_client.callback(headers, body)
    assert opened["resource"]["trade_state"] == "SUCCESS"
    assert opened["resource"]["amount"]["total"] == 1250


def test_the_simulator_refuses_a_merchant_with_another_key(world: World, real_client: WeChatPay, secret: Keys) -> None:
    real_client._core._private_key = wechat_crypto.private_key(secret.platform_private)
    status, text = real_client._core.request(
        "/v3/pay/transactions/native", method=RequestType.POST, data={"out_trade_no": "SDK-0002"}, skip_verify=True
    )
    assert (status, json.loads(text)["code"]) == (401, "SIGN_ERROR")
    assert SignType.RSA_SHA256


def test_an_answer_that_the_platform_did_not_sign_is_not_believed(world: World, secret: Keys) -> None:
    world.simulators.payment._platform = wechat_crypto.private_key(secret.merchant_private)
    with pytest.raises(ConnectorFailed, match="not believed") as failed:
        order(world)
    assert failed.value.kind == "transient"
