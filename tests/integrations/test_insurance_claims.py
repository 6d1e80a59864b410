"""Insurance claims over an interface that only the connection describes, as JSON and as XML: split, idempotence, refusals, reversal."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import book
from integrations.payments import ledger
from integrations.payments.tables import Payment
from integrations.simulators import insurance_end
from integrations.simulators.desk import Faults
from tests.integrations.conftest import World

ITEMS = [{"code": "A01", "name": "诊察费 <普通>", "amount": 2500}, {"code": "B02", "name": "血常规", "amount": 1833}]
CLAIM = {"claimId": "CLAIM-0001", "insuranceNumber": "330100", "items": ITEMS}
TOTAL, INSURED = 4333, 2599 + 649


@pytest.fixture(params=["json", "xml"])
def claims(world: World, request: pytest.FixtureRequest) -> World:
    """Both formats: one counts in fen, the other in yuan."""
    describe(world, xml=request.param == "xml")
    return world


def describe(world: World, **changes: Any) -> None:
    xml = bool(changes.pop("xml", False))
    address = insurance_end.settings(f"http://127.0.0.1:{world.simulators.ports.payment}", xml=xml) | changes
    with world.sessions() as session:
        book.put(session, "insurance_claim", "insurance_claim", address=address)
        session.commit()


def ask(world: World, operation: str, key: str = "k1", **changes: Any) -> dict[str, Any]:
    return world.call(f"insurance.{operation}", key, **{"patientId": world.patient_id, **CLAIM, **changes})


def settle(world: World, key: str = "k2", **changes: Any) -> dict[str, Any]:
    return ask(world, "settle", key, **{"insured": INSURED, **changes})


def far(world: World) -> list[str]:
    return [item.data["state"] for item in world.desk.of("insurance")]


def lines(world: World, payment_id: str) -> list[tuple[str, int]]:
    with world.sessions() as session:
        return [(line.kind, line.amount) for line in ledger.entries(session, payment_id)]


def test_a_claim_is_pre_settled_settled_and_reversed(claims: World) -> None:
    before = ask(claims, "presettle")
    assert (before["total"], before["fund"], before["account"], before["selfPay"]) == (TOTAL, 2599, 649, 1085)
    assert far(claims) == []
    done = settle(claims)
    assert (done["fund"], done["account"], done["selfPay"], done["reference"]) == (2599, 649, 1085, "YBCLAIM-0001")
    assert far(claims) == ["settled"]
    for key in ("k3", "k4"):
        assert claims.call("insurance.reverse", key, claimId="CLAIM-0001", total=TOTAL)["state"] == "reversed"
    assert far(claims) == ["reversed"]
    assert lines(claims, done["paymentId"]) == [
        ("order", 0), ("ask_order", 0), ("paid", INSURED), ("ask_refund", 0), ("refund", -INSURED),
    ]  # fmt: skip


def test_the_same_claim_is_settled_once_whatever_the_call(claims: World) -> None:
    assert settle(claims, "k2") == settle(claims, "k3")
    assert far(claims) == ["settled"]


def test_a_settlement_whose_answer_was_lost_is_asked_for_and_not_repeated(claims: World) -> None:
    with claims.sessions() as session:
        row = book.get(session, "insurance_claim")
        row.address = {**row.address, "timeout": 0.3}
        session.commit()
    book.forget()
    claims.desk.faults["insurance"] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed) as failed:
        settle(claims)
    assert failed.value.kind == "transient"
    claims.desk.faults.clear()
    assert settle(claims)["fund"] == 2599
    assert far(claims) == ["settled"]


def test_an_insurer_that_cannot_be_asked_makes_a_lost_answer_an_unknown_outcome(world: World) -> None:
    address = insurance_end.settings(f"http://127.0.0.1:{world.simulators.ports.payment}")
    del address["operations"]["query"]
    describe(world, operations=address["operations"], timeout=0.3)
    world.desk.faults["insurance"] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed) as failed:
        settle(world)
    assert failed.value.kind == "unknown"
    with world.sessions() as session:
        (payment,) = session.query(Payment).all()
    assert lines(world, payment.id)[-1] == ("unsure", 0)


def test_a_refusal_is_an_error_that_the_process_may_catch(claims: World) -> None:
    with pytest.raises(BpmnError, match="1203") as refused:
        ask(claims, "presettle", insuranceNumber=insurance_end.BLOCKED)
    assert refused.value.code == "FAR_END_REFUSED"


@pytest.mark.parametrize(("meaning", "kind"), [("again", "transient"), ("", "permanent")])
def test_codes_mean_what_the_connection_says(world: World, meaning: str, kind: str) -> None:
    describe(world, codes={"0": "ok", "1203": meaning})
    with pytest.raises(ConnectorFailed, match="1203") as failed:
        ask(world, "presettle", insuranceNumber=insurance_end.BLOCKED)
    assert failed.value.kind == kind


@pytest.mark.parametrize("wrong", [{"fund": "fund_pay + 1"}, {"total": "total - 1"}, {"self": "0 - psn_pay"}, {"fund": "'a'"}, {"fund": "0.5"}])
def test_a_split_that_does_not_add_up_is_never_taken(world: World, wrong: dict[str, str]) -> None:
    response = {**insurance_end._RESPONSE, **wrong}
    describe(world, response=response)
    with pytest.raises(ConnectorFailed, match=r"add up|no whole number") as failed:
        ask(world, "presettle")
    assert failed.value.kind == "permanent"


def test_another_split_than_was_agreed_is_an_error_and_can_be_reversed(claims: World) -> None:
    with pytest.raises(BpmnError) as changed:
        settle(claims, insured=INSURED - 1)
    assert (changed.value.code, changed.value.variables) == ("SPLIT_CHANGED", {"insured": INSURED})
    assert claims.call("insurance.reverse", "k3", claimId="CLAIM-0001", total=TOTAL)["state"] == "reversed"
    assert far(claims) == ["reversed"]
    with claims.sessions() as session:
        assert [(p.state, p.refunded) for p in session.query(Payment)] == [("closed", 0)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"operations": {}}, "does not say how to presettle"),
        ({"operations": {"presettle": {"path": "/x", "request": "{"}}}, "operations.presettle.request"),
    ],
)
def test_a_description_that_is_wrong_says_where(world: World, changes: dict[str, Any], why: str) -> None:
    describe(world, **changes)
    with pytest.raises(ConnectorFailed, match=why) as failed:
        ask(world, "presettle")
    assert failed.value.kind == "permanent"


def test_nothing_to_claim_is_said(world: World) -> None:
    with pytest.raises(ConnectorFailed, match="nothing to claim"):
        ask(world, "presettle", items=[])
