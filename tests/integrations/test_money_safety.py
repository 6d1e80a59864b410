"""What may go wrong with money: told twice, told late, never told, cancelled while paying. Nobody is charged twice, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.tables import Message
from integrations.connections import book
from integrations.payments import bills, ledger, providers, stored, upkeep
from integrations.payments.bills import BEIJING
from integrations.payments.tables import Payment, ReconciliationDay
from integrations.simulators.desk import Faults, Item
from tests.integrations.conftest import World

WIRES = pytest.mark.parametrize("channel", ["wechat", "alipay", "card"])


@pytest.fixture(autouse=True)
def _nothing_is_delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notifications get lost: what we know, we asked for."""
    monkeypatch.setattr(world.simulators.payment, "deliver", lambda: None)


def order(world: World, channel: str, key: str = "k1") -> str:
    made = world.call("payment.order", key, patientId=world.patient_id, orderId="ORDER-0001", amount=1250, channel=channel)
    return str(made["paymentId"])


def pay(world: World, channel: str) -> Item:
    (item,) = world.desk.of(channel)
    item.data["state"], item.state = "pending", "waiting"
    world.simulators.payment.answer(item, "pay")
    return item


@contextmanager
def later(**span: int) -> Iterator[None]:
    """The worker's upkeep sees a later time; the far ends' signatures, which are minutes old at most, do not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "clock", SimpleNamespace(now=lambda: datetime.now(UTC) + timedelta(**span)))
        yield


def state(world: World, payment_id: str) -> Payment:
    with world.sessions() as session:
        return ledger.get(session, payment_id)


def lines(world: World, payment_id: str) -> list[str]:
    with world.sessions() as session:
        return [line.kind for line in ledger.entries(session, payment_id)]


def told(world: World) -> list[str]:
    with world.sessions() as session:
        return [m.payload["state"] for m in session.scalars(select(Message).where(Message.name == "payment_notified"))]


@WIRES
def test_a_payment_that_nobody_told_us_of_is_asked_for(world: World, channel: str) -> None:
    payment = order(world, channel)
    upkeep.ask_open()
    assert state(world, payment).state == "pending"
    pay(world, channel)
    with later(minutes=5):
        upkeep.ask_open()
        upkeep.ask_open()
    assert state(world, payment).state == "paid"
    assert told(world) == ["paid"]


@WIRES
def test_a_lost_answer_to_an_order_makes_no_second_order(world: World, channel: str) -> None:
    shorten(world, channel)
    world.desk.faults[channel] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed):
        order(world, channel)
    world.desk.faults.clear()
    payment = order(world, channel)
    assert len(list(world.desk.of(channel))) == 1
    assert lines(world, payment) == ["order", "ask_order", "unsure", "ask_order"]


@WIRES
def test_a_lost_answer_to_a_refund_is_asked_for_and_the_money_goes_back_once(world: World, channel: str) -> None:
    payment = order(world, channel)
    item = pay(world, channel)
    with later(minutes=5):
        upkeep.ask_open()
    shorten(world, channel)
    world.desk.faults[channel] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed):
        world.call("payment.refund", "k2", paymentId=payment, refundId="REFUND-1", amount=1250)
    world.desk.faults.clear()
    with pytest.raises(ConnectorFailed, match="the 0 that can still be refunded"):  # what is under way is not free for another
        world.call("payment.refund", "k3", paymentId=payment, refundId="REFUND-2", amount=1)
    with later(minutes=5):
        upkeep.ask_refunds()
    assert state(world, payment).state == "refunded"
    assert world.call("payment.refund", "k4", paymentId=payment, refundId="REFUND-1", amount=1250)["state"] == "refunded"
    assert sum(item.data["refunds"].values()) == 1250


def shorten(world: World, channel: str) -> None:
    with world.sessions() as session:
        row = book.get(session, channel)
        row.address = {**row.address, "timeout": 0.3}
        session.commit()
    book.forget()


@WIRES
def test_money_that_comes_after_closing_goes_back_by_itself(world: World, channel: str) -> None:
    payment = order(world, channel)
    world.call("payment.close", "k2", paymentId=payment)
    item = pay(world, channel)  # the provider took it all the same
    with world.sessions() as session:
        ledger.settle(session, ledger.get(session, payment), "paid", transaction_id="42", amount=1250, source="notification")
        session.commit()
    upkeep.give_back_late()
    assert state(world, payment).state == "paid"  # a process that watches has ten minutes to do it
    with later(minutes=11):
        upkeep.give_back_late()
        upkeep.give_back_late()
    assert state(world, payment).state == "refunded"
    assert list(item.data["refunds"].values()) == [1250]


def test_late_money_that_the_his_was_told_of_stays(world: World) -> None:
    payment = order(world, "wechat")
    world.call("payment.close", "k2", paymentId=payment)
    with world.sessions() as session:
        ledger.settle(session, ledger.get(session, payment), "paid", transaction_id="42", amount=1250, source="notification")
        session.commit()
    item = {"code": "1", "name": "挂号费", "amount": 1250}
    world.call("hl7.dft_p03", "k3", patientId=world.patient_id, visitNumber="V1", paymentId=payment, items=[item])
    with later(minutes=11):
        upkeep.give_back_late()
    assert state(world, payment).state == "paid"


@WIRES
def test_an_order_that_is_cancelled_while_the_patient_pays_is_paid_and_not_closed(world: World, channel: str) -> None:
    payment = order(world, channel)
    pay(world, channel)
    assert world.call("payment.close", "k2", paymentId=payment)["state"] == "paid"
    assert "closed" not in lines(world, payment)


def test_two_refunds_at_once_give_back_no_more_than_was_paid(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = order(world, "card")
    pay(world, "card")
    with later(minutes=5):
        upkeep.ask_open()
    real = providers.Gateway.refund

    def meanwhile(wire: providers.Gateway, *given: Any) -> str:
        with pytest.raises(ConnectorFailed, match="the 250 that can still be refunded"):
            world.call("payment.refund", "k3", paymentId=payment, refundId="REFUND-2", amount=1000)
        return real(wire, *given)

    monkeypatch.setattr(providers.Gateway, "refund", meanwhile)
    world.call("payment.refund", "k2", paymentId=payment, refundId="REFUND-1", amount=1000)
    assert state(world, payment).refunded == 1000


def test_a_refused_refund_is_in_the_ledger_and_frees_its_money(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = order(world, "card")
    pay(world, "card")
    with later(minutes=5):
        upkeep.ask_open()

    def refuse(*_: Any) -> str:
        raise BpmnError("FAR_END_REFUSED", "not today")

    with monkeypatch.context() as patch:
        patch.setattr(providers.Gateway, "refund", refuse)
        with pytest.raises(BpmnError):
            world.call("payment.refund", "k2", paymentId=payment, refundId="REFUND-1", amount=1000)
    assert lines(world, payment)[-2:] == ["ask_refund", "no_refund"]
    assert world.call("payment.refund", "k3", paymentId=payment, refundId="REFUND-2", amount=1250)["state"] == "refunded"


def test_an_amount_that_the_query_says_differently_is_not_believed(world: World) -> None:
    payment = order(world, "card")
    pay(world, "card").data["amount"] = 1
    with later(minutes=5):
        upkeep.ask_open()
    assert state(world, payment).state == "pending"
    assert lines(world, payment)[-1] == "refused"


# ── the daily comparison by the worker ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
def test_at_its_hour_the_worker_fetches_the_bill_and_compares_yesterday(world: World, channel: str) -> None:
    payment = order(world, channel)
    pay(world, channel)
    with later(minutes=5):
        upkeep.ask_open()
    assert state(world, payment).state == "paid"
    today = datetime.now(BEIJING).date()
    world.desk.early_bills = True
    midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), BEIJING)
    with later(seconds=int((midnight - datetime.now(BEIJING)).total_seconds()) + 9 * 3600):
        upkeep.daily()
    with world.sessions() as session:
        assert session.scalars(select(ReconciliationDay)).all() == []
    with later(seconds=int((midnight - datetime.now(BEIJING)).total_seconds()) + 11 * 3600):
        upkeep.daily()
    with world.sessions() as session:
        row = stored.find(session, today.isoformat(), channel)
        assert row is not None
        assert (row.state, row.error) == ("open", None)
        assert row.classes["PROVIDER_LONG"] == {"count": 1, "his": 0, "platform": 1250, "provider": 1250}


def test_a_bill_that_is_not_there_yet_is_tried_again_and_the_day_says_why(world: World) -> None:
    yesterday = (datetime.now(BEIJING).date() + timedelta(days=400)).isoformat()
    id_ = upkeep.compare("alipay", yesterday, by="worker")
    with world.sessions() as session:
        row = stored.get(session, id_)
        assert row.state == "waiting"
        assert "bill_not_exist" in str(row.error)


def test_the_real_bills_of_the_simulators_are_read(world: World) -> None:
    world.desk.early_bills = True
    day = datetime.now(BEIJING).date().isoformat()
    for channel, reader in (("wechat", bills.wechat), ("alipay", bills.alipay)):
        world.call("payment.order", channel, patientId=world.patient_id, orderId=f"ORDER-{channel}", amount=1250, channel=channel)
        pay(world, channel).data |= {"refunds": {"R1": 250}, "refunded_at": {"R1": f"{day} 12:00:00"}}
        with world.sessions() as session:
            found = reader(providers.provider(book.copy(book.get(session, channel))).bill(day))
        assert [(line.kind, line.key, line.amount) for line in found] == [("pay", f"ORDER-{channel}", 1250), ("refund", "R1", 250)]
