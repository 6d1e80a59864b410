"""Card payments as intents, against `localstripe` as a process of its own. It ignores Idempotency-Key: our side must look before it repeats."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from engine.errors import BpmnError, ConnectorFailed, Forbidden
from engine.execution.tables import Message
from integrations import http
from integrations.connections import book
from integrations.messages import worklist
from integrations.payments import hooks, ledger, upkeep
from integrations.payments.intents import Intents
from tests.integrations.conftest import World

SECRET = "whsec_test"
GOOD, DECLINED = "4242424242424242", "4000000000000341"


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """localstripe, started once for this file."""
    port = free_port()
    program = Path(sys.executable).parent / "localstripe"
    process = subprocess.Popen(
        [program, "--port", str(port), "--from-scratch"], cwd=tmp_path_factory.mktemp("stripe"), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{url}/js.stripe.com/v3/", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def wire(world: World, gateway: str) -> Intents:
    """Our side, with an empty gateway."""
    httpx.delete(f"{gateway}/_config/data", trust_env=False)
    with world.sessions() as session:
        row = book.put(
            session, "card", "intents", direction="both", address={"url": gateway, "timeout": 5},
            secrets={"secret_key": "sk_test_1", "webhook_secret": SECRET},
        )  # fmt: skip
        session.commit()
        return Intents(book.copy(row))


def token(wire: Intents, number: str = GOOD) -> str:
    """What a card terminal would give."""
    card = {"type": "card", "card[number]": number, "card[exp_month]": 12, "card[exp_year]": 2030, "card[cvc]": "123"}
    return str(wire._ask("POST", "/v1/payment_methods", card)["id"])


def order(world: World, card: str = "", key: str = "k1", number: str = "CARD-0001", amount: int = 1250) -> dict[str, Any]:
    given = {"orderId": number, "amount": amount, "channel": "card", "patientId": world.patient_id}
    return world.call("payment.order", key, **given, **({"cardToken": card} if card else {}))


def intents(wire: Intents) -> list[dict[str, Any]]:
    return list(wire._listed("/v1/payment_intents"))


def told(world: World) -> list[str]:
    with world.sessions() as session:
        return [m.payload["state"] for m in session.scalars(select(Message).where(Message.name == "payment_notified"))]


def test_the_gateway_really_ignores_the_key(wire: Intents) -> None:
    """Otherwise these tests would show nothing."""
    for _ in range(2):
        wire._ask("POST", "/v1/payment_intents", {"amount": 100, "currency": "cny"}, key="the same")
    assert len(intents(wire)) == 2


def test_a_card_is_charged_at_once_and_the_process_is_told(world: World, wire: Intents) -> None:
    made = order(world, token(wire))
    assert made["state"] == "paid"
    assert told(world) == ["paid"]
    (intent,) = intents(wire)
    assert (intent["amount"], intent["currency"], intent["metadata"]) == (1250, "cny", {"trade_no": "CARD-0001"})


def test_a_declined_card_is_a_failed_payment_and_not_an_incident(world: World, wire: Intents) -> None:
    assert order(world, token(wire, DECLINED))["state"] == "failed"
    assert told(world) == ["failed"]


def test_without_a_card_the_order_waits_for_the_terminal(world: World, wire: Intents) -> None:
    made = order(world)
    assert (made["state"], made["codeUrl"][:8]) == ("pending", "card:pi_")
    (intent,) = intents(wire)
    wire._ask("POST", f"/v1/payment_intents/{intent['id']}", {"payment_method": token(wire)})
    wire._ask("POST", f"/v1/payment_intents/{intent['id']}/confirm", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "ASK_AFTER", -upkeep.ASK_AFTER)
        upkeep.ask_open()
    assert told(world) == ["paid"]


@pytest.mark.parametrize("lost", ["/v1/payment_intents", "/confirm"])
def test_a_lost_answer_charges_no_second_time(world: World, wire: Intents, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    """The gateway did it, we never heard: the next try finds it."""
    card = token(wire)
    with monkeypatch.context() as patch:
        lose(patch, lost)
        with pytest.raises(ConnectorFailed) as failed:
            order(world, card)
    assert failed.value.kind == "transient"
    assert len(intents(wire)) == 1
    assert order(world, card)["state"] == "paid"
    assert [item["status"] for item in intents(wire)] == ["succeeded"]
    assert len(list(wire._listed("/v1/charges"))) == 1
    with world.sessions() as session:
        payment = ledger.by_trade_no(session, "CARD-0001")
        assert payment is not None
        assert [line.kind for line in ledger.entries(session, payment.id)] == ["order", "ask_order", "unsure", "ask_order", "paid"]


def lose(patch: pytest.MonkeyPatch, ending: str) -> None:
    """The far end answers a POST there, and nobody hears it."""
    real = http.request

    def request(link: Any, method: str, path: str, **more: Any) -> httpx.Response:
        answer = real(link, method, path, **more)
        if method == "POST" and path.endswith(ending):
            raise ConnectorFailed("gave no answer", kind="transient")
        return answer

    patch.setattr(http, "request", request)


def test_a_refund_is_made_once_even_when_its_answer_was_lost(world: World, wire: Intents, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = order(world, token(wire))["paymentId"]
    with monkeypatch.context() as patch:
        lose(patch, "/v1/refunds")
        with pytest.raises(ConnectorFailed):
            world.call("payment.refund", "k2", paymentId=payment, refundId="R-1", amount=500)
    assert world.call("payment.refund", "k2", paymentId=payment, refundId="R-1", amount=500)["state"] == "refunded"
    assert [item["amount"] for item in wire._listed("/v1/refunds")] == [500]
    assert wire.refund_state("CARD-0001", ledger.trade_no("R-1")) == "refunded"
    assert wire.refund_state("CARD-0001", "R-other") == "unknown"


def test_a_gateway_that_does_not_count_gives_back_no_more_than_was_paid(world: World, wire: Intents) -> None:
    order(world, token(wire))
    wire.refund("CARD-0001", "R-1", 1000, 1250, "CNY", "")
    with pytest.raises(BpmnError, match="only 250"):
        wire.refund("CARD-0001", "R-2", 251, 1250, "CNY", "")


def test_closing_cancels_and_money_that_was_faster_wins(world: World, wire: Intents) -> None:
    waiting = order(world)["paymentId"]
    assert world.call("payment.close", "k2", paymentId=waiting)["state"] == "closed"
    assert [item["status"] for item in intents(wire)] == ["canceled"]
    wire.order("CARD-0002", 100, "CNY", "", token(wire))
    assert wire.close("CARD-0002").state == "paid"
    assert wire.close("NEVER-MADE").state == "closed"


def test_the_signed_webhook_of_the_gateway_reaches_the_ledger(world: World, wire: Intents, gateway: str) -> None:
    """The gateway itself signs and sends."""
    seen: list[int] = []

    def receive(environ: Any, start: Any) -> Any:
        request = Request(environ)
        with world.sessions() as session:
            status, _ = hooks.receive(session, "card", dict(request.headers), request.get_data())
            session.commit()
        seen.append(status)
        return Response("", status)(environ, start)

    server = make_server("127.0.0.1", 0, receive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook = {"url": f"http://127.0.0.1:{server.server_port}/hooks/card", "secret": SECRET}
    httpx.post(f"{gateway}/_config/webhooks/carelane", json=hook, trust_env=False)
    order(world)
    (intent,) = intents(wire)
    wire._ask("POST", f"/v1/payment_intents/{intent['id']}", {"payment_method": token(wire)})
    wire._ask("POST", f"/v1/payment_intents/{intent['id']}/confirm", {})
    for _ in range(100):
        if told(world):
            break
        time.sleep(0.05)
    server.shutdown()
    assert told(world) == ["paid"]
    assert set(seen) == {200}


def test_a_webhook_that_was_not_signed_by_the_gateway_changes_nothing(world: World, wire: Intents) -> None:
    order(world)
    body = b'{"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent"}}}'
    for signature in ("", "t=1,v1=00", f"t={int(time.time())},v1=00"):
        with world.sessions() as session:
            assert hooks.receive(session, "card", {"Stripe-Signature": signature}, body)[0] == 401
    with pytest.raises(Forbidden):
        hooks._intents(wire.link, {}, body)
    with world.sessions() as session:
        assert worklist.open_items(session) == []
