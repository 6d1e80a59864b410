"""Which connection a call goes to, and how many it bears: read from the book."""

from __future__ import annotations

from engine.execution import lanes
from integrations.connections import book
from integrations.connections.lanes import Known
from tests.integrations.conftest import World


def test_the_book_says_how_many_calls_a_connection_bears(world: World) -> None:
    with world.sessions() as session:
        row = book.find(session, "his")
        assert row
        row.address = {**row.address, "most_calls": 3}
        session.commit()
    assert Known().most() == {"his": 3}


def test_a_call_goes_where_its_connector_will_send_it(world: World) -> None:
    made = world.call("payment.order", orderId="ORDER-9", amount=1250, channel="wechat", patientId=world.patient_id)
    of = Known().of
    assert of("hl7.adt_a04", {}, {}) == "his"
    assert of("hl7.adt_a04", {}, {"connection": "his2"}) == "his2"
    assert of("payment.order", {"channel": "alipay"}, {}) == "alipay"
    assert of("payment.refund", {"paymentId": made["paymentId"]}, {}) == "wechat"
    assert of("patient.save", {}, {}) == ""


def test_an_installation_lets_the_engine_know(world: World) -> None:
    assert lanes.limits() == {}, "none is limited unless somebody says so"
    assert isinstance(lanes._Known.lanes, Known)
