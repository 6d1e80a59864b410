"""What every connector that uses a wire must keep: clear input errors, one effect a key, sorted failures, nothing personal shown."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import book, circuit
from integrations.connector import declared
from integrations.messages import search
from integrations.messages.tables import MessageLog
from integrations.simulators import insurance_end
from integrations.simulators.desk import Faults
from tests.integrations.conftest import PATIENT, World

TEST = {"code": "2345-7", "name": "血糖"}
CHEST = {"code": "CXR", "name": "胸片", "modality": "DX"}
AMOXICILLIN = {"drug": "amoxicillin", "name": "阿莫西林", "dose": "0.5 g", "frequency": "tid", "days": 5, "quantity": 2}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {  # connector: its far end and an input
    "hl7.adt_a04": ("his", {"visitNumber": "V1", "department": "surgery"}),
    "hl7.adt_a08": ("his", {"visitNumber": "V1"}),
    "hl7.siu": ("his", {"appointmentId": "A1", "department": "ent", "start": "2026-11-23T09:00:00", "action": "move"}),
    "hl7.dft_p03": ("his", {"visitNumber": "V1", "paymentId": "P1", "items": [{"code": "1", "name": "挂号费", "amount": 1250}]}),
    "hl7.oml_o21": ("lis", {"visitNumber": "V1", "orderId": "ORDER-1", "tests": [TEST]}),
    "hl7.omi_o23": ("ris", {"visitNumber": "V1", "orderId": "ORDER-2", "procedure": CHEST}),
    "payment.order": ("wechat", {"orderId": "ORDER-3", "amount": 1250, "channel": "wechat"}),
    "pharmacy.dispense": ("pharmacy", {"visitNumber": "V1", "orderId": "ORDER-4", "items": [AMOXICILLIN]}),
    "sms.send": ("sms", {"phone": "139 1234 5678", "template": "SMS_QUEUE", "parameters": {"name": "王小明", "ticket": "N12"}}),
    "fhir.referral": ("partner", {"referralId": "REF-1", "reason": "手术", "hospital": "协和医院"}),
}
INSURED = "330100199001011234"
CLAIM = {"claimId": "CLAIM-1", "insuranceNumber": INSURED, "items": [{"code": "A01", "name": "诊察费", "amount": 1000}]}
MORE: dict[str, tuple[str, dict[str, Any]]] = {  # those that need something done before them: `prepared` does it
    "insurance.presettle": ("insurance", CLAIM),
    "insurance.settle": ("insurance", {**CLAIM, "insured": 750}),
    "insurance.reverse": ("insurance", {"claimId": "CLAIM-1", "total": 1000}),
    "payment.close": ("wechat", {}),
    "payment.refund": ("wechat", {"refundId": "R1", "amount": 500}),
}
wire = pytest.mark.parametrize("type_", CALLS)
more = pytest.mark.parametrize("type_", MORE)


def go(world: World, type_: str, key: str = "i1:t1:1", **changes: Any) -> dict[str, Any]:
    return world.call(type_, key, **{"patientId": world.patient_id, **CALLS[type_][1], **changes})


def prepared(world: World, type_: str) -> dict[str, Any]:
    """The input of one of MORE, with what it is about there: a settled claim, an order, a paid one."""
    with world.sessions() as session:
        address = insurance_end.settings(f"http://127.0.0.1:{world.simulators.ports.payment}") | {"timeout": 0.3}
        book.put(session, "insurance_claim", "insurance_claim", address=address)
        session.commit()
    given = dict(MORE[type_][1])
    if type_.startswith("insurance."):
        if type_ == "insurance.reverse":
            world.call("insurance.settle", "before", patientId=world.patient_id, **MORE["insurance.settle"][1])
            return given
        return {"patientId": world.patient_id, **given}
    given["paymentId"] = go(world, "payment.order", "before")["paymentId"]
    if type_ == "payment.refund":
        next(iter(world.desk.of("wechat"))).data |= {"state": "paid", "transaction_id": "42001"}
        assert world.call("payment.close", "paid", paymentId=given["paymentId"]) == {"state": "paid"}
    with world.sessions() as session:
        row = book.get(session, "wechat")
        row.address = {**row.address, "timeout": 0.3}
        session.commit()
    book.forget()
    return given


@pytest.fixture(autouse=True)
def _short_timeouts(world: World) -> Iterator[None]:
    """Far ends that hang do so briefly."""
    with world.sessions() as session:
        for row in book.listed(session):
            row.address = {**row.address, "timeout": 1}
        session.commit()
    book.forget()
    return


@wire
def test_a_call_has_exactly_one_effect_at_the_far_end(world: World, type_: str) -> None:
    go(world, type_)
    assert len(list(world.desk.of(CALLS[type_][0]))) == 1


@wire
def test_the_same_key_twice_has_one_effect_and_one_answer(world: World, type_: str) -> None:
    first = go(world, type_)
    with world.sessions() as session:  # even when our own log forgot that it was answered
        session.execute(delete(MessageLog))
        session.commit()
    assert go(world, type_) == first
    assert len(list(world.desk.of(CALLS[type_][0]))) == 1


@wire
def test_an_answer_that_is_in_the_log_is_not_asked_for_again(world: World, type_: str) -> None:
    first = go(world, type_)
    world.desk.set_down(CALLS[type_][0], 60)
    assert go(world, type_) == first


@wire
def test_another_key_is_another_effect_except_where_the_order_is_the_key(world: World, type_: str) -> None:
    go(world, type_, "i1:t1:1")
    go(world, type_, "i2:t1:1")
    once = type_ in ("payment.order", "pharmacy.dispense", "fhir.referral", "hl7.oml_o21", "hl7.omi_o23")
    assert len(list(world.desk.of(CALLS[type_][0]))) == (1 if once else 2)


@wire
def test_a_far_end_that_is_down_is_transient_and_works_when_it_is_back(world: World, type_: str) -> None:
    world.desk.set_down(CALLS[type_][0], 60)
    wait_until_closed(world, CALLS[type_][0])
    with pytest.raises(ConnectorFailed) as failed:
        go(world, type_)
    assert failed.value.kind == "transient"
    world.desk.set_down(CALLS[type_][0], 0)
    wait_until_open(world, CALLS[type_][0])
    assert go(world, type_)


@wire
@pytest.mark.parametrize(("idempotent", "kind"), [(True, "transient"), (False, "unknown")])
def test_a_lost_answer_is_repeated_only_where_the_far_end_recognises_it(world: World, type_: str, idempotent: bool, kind: str) -> None:
    end = CALLS[type_][0]
    with world.sessions() as session:
        row = book.get(session, end)
        row.address = {**row.address, "idempotent": idempotent, "timeout": 0.3}
        session.commit()
    book.forget()
    world.desk.faults[end] = Faults(lost=1.0, hang_seconds=0.6)
    with pytest.raises(ConnectorFailed) as failed:
        go(world, type_)
    always_known = type_ in ("payment.order", "fhir.referral")  # the wire itself carries our number or If-None-Exist
    assert failed.value.kind == ("transient" if always_known else kind)
    assert len(list(world.desk.of(end))) == 1
    world.desk.faults.clear()
    if failed.value.kind == "transient":
        assert go(world, type_)
        assert len(list(world.desk.of(end))) == 1


@wire
def test_an_error_at_the_far_end_is_transient(world: World, type_: str) -> None:
    world.desk.faults[CALLS[type_][0]] = Faults(error=1.0)
    with pytest.raises(ConnectorFailed) as failed:
        go(world, type_)
    assert failed.value.kind == "transient"


@wire
def test_a_stopped_connection_lets_the_call_wait(world: World, type_: str) -> None:
    with world.sessions() as session:
        book.switch(session, CALLS[type_][0], "stopped", by="engineer")
        session.commit()
    with pytest.raises(ConnectorFailed, match="stopped") as failed:
        go(world, type_)
    assert failed.value.kind == "transient"


@wire
def test_a_missing_input_is_named(world: World, type_: str) -> None:
    optional = type_ == "hl7.adt_a08"
    name = "patientId" if optional else next(iter(CALLS[type_][1]))
    with pytest.raises(ConnectorFailed, match=f"{name}: is required") as failed:
        go(world, type_, **{name: None})
    assert failed.value.kind == "permanent"


@wire
def test_a_patient_that_nobody_knows_is_named(world: World, type_: str) -> None:
    if type_ in ("payment.order", "sms.send"):
        pytest.skip("it does not look the patient up")
    with pytest.raises(ConnectorFailed, match="patientId: there is no patient") as failed:
        world.call(type_, patientId="nobody", **CALLS[type_][1])
    assert failed.value.kind == "permanent"


@wire
def test_the_log_ties_the_message_to_instance_patient_and_stage(world: World, type_: str) -> None:
    go(world, type_)
    with world.sessions() as session:
        row = session.scalars(select(MessageLog).where(MessageLog.direction == "out")).one()
    assert (row.state, row.attempts, row.instance_id, row.patient_id) == ("answered", 1, "i1", world.patient_id)
    assert row.sent
    assert row.answer


@wire
def test_nothing_personal_or_secret_lies_open_in_the_database(world: World, type_: str) -> None:
    go(world, type_)
    with world.sessions() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = b"".join(path.read_bytes() for path in world.settings.var_dir.glob("carelane.db*"))
    for canary in (PATIENT["name"], PATIENT["idCard"], PATIENT["phone"], "13912345678", "BEGIN PRIVATE KEY"):
        assert canary.encode() not in pages


@wire
def test_no_failure_names_the_patient(world: World, type_: str) -> None:
    world.desk.faults[CALLS[type_][0]] = Faults(error=1.0)
    with pytest.raises(ConnectorFailed) as failed:
        go(world, type_)
    said = f"{failed.value.message}{failed.value.details}"
    assert not any(value in said for value in (PATIENT["name"], PATIENT["idCard"], PATIENT["phone"]))


@wire
def test_the_log_shows_no_person_where_it_is_masked(world: World, type_: str) -> None:
    go(world, type_)
    _masked(world)


@more
@pytest.mark.parametrize("fault", ["hang", "lost", "error"])
def test_a_prepared_call_that_gets_no_answer_or_an_error_is_tried_again_with_one_effect(world: World, type_: str, fault: str) -> None:
    given, end = prepared(world, type_), MORE[type_][0]
    world.desk.faults[end] = Faults(**{fault: 1.0, "hang_seconds": 0.6})
    started = time.monotonic()
    with pytest.raises(ConnectorFailed) as failed:
        world.call(type_, **given)
    assert failed.value.kind == "transient"
    assert time.monotonic() - started < 3
    world.desk.faults.clear()
    done = world.call(type_, **given)
    after = effects(world, end)
    assert world.call(type_, **given) == done
    assert effects(world, end) == after


@more
def test_the_same_key_twice_has_one_effect_when_something_went_before(world: World, type_: str) -> None:
    given, end = prepared(world, type_), MORE[type_][0]
    first = world.call(type_, **given)
    after = effects(world, end)
    with world.sessions() as session:
        session.execute(delete(MessageLog))
        session.commit()
    assert world.call(type_, **given) == first
    assert effects(world, end) == after


@more
def test_what_cannot_be_is_permanent(world: World, type_: str) -> None:
    given = prepared(world, type_)
    name = "paymentId" if type_.startswith("payment.") else "claimId"
    with pytest.raises(ConnectorFailed, match=f"{name}: is required") as failed:
        world.call(type_, **{**given, name: None})
    assert failed.value.kind == "permanent"


@more
def test_the_log_of_what_went_before_shows_no_person_where_it_is_masked(world: World, type_: str) -> None:
    world.call(type_, **prepared(world, type_))
    _masked(world)


def effects(world: World, end: str) -> list[dict[str, Any]]:
    return [copy.deepcopy(item.data) for item in world.desk.of(end)]


def _masked(world: World) -> None:
    with world.sessions() as session:
        rows = session.scalars(select(MessageLog).where(MessageLog.direction == "out")).all()
        shown = [json.dumps(search.stages(row, masked=True), ensure_ascii=False) + (row.error or "") for row in rows]
    assert shown
    for value in (PATIENT["name"], PATIENT["idCard"], PATIENT["phone"], "13912345678", INSURED):
        assert not [text for text in shown if value in text]


def test_five_failures_open_the_circuit_and_calls_then_fail_at_once(world: World) -> None:
    world.desk.faults["his"] = Faults(error=1.0)
    for number in range(5):
        with pytest.raises(ConnectorFailed, match="AE"):
            go(world, "hl7.adt_a04", f"k{number}")
    assert circuit.state("his") == "open"
    with pytest.raises(ConnectorFailed, match="in a row") as failed:
        go(world, "hl7.adt_a04", "k9")
    assert failed.value.kind == "transient"


def test_a_refusal_by_the_far_end_is_an_error_that_the_process_may_catch(world: World) -> None:
    with pytest.raises(BpmnError) as refused:
        go(world, "hl7.adt_a04", department="astrology")
    assert refused.value.code == "FAR_END_REFUSED"
    assert "there is no department astrology" in refused.value.message


def test_each_wrong_field_of_a_nested_input_is_named_by_its_path(world: World) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        go(world, "hl7.dft_p03", items=[{"code": "1", "name": "a", "amount": 5.5}, {"name": "b", "amount": 1}])
    assert set(failed.value.details["fields"]) == {"items[0].amount", "items[1].code"}


def test_what_is_personal_is_masked_when_a_call_is_shown() -> None:
    shown = declared()["patient.save"].redacted({"name": "王小明", "idCard": "110101198503120017", "sex": "male"})
    assert shown == {"name": "王**", "idCard": "110*************17", "sex": "male"}


def wait_until_closed(world: World, end: str) -> None:
    """An MLLP end closes its port when it is down; give its thread a moment."""
    if end in ("his", "lis", "ris", "pharmacy"):
        _poll(world, end, reachable=False)


def wait_until_open(world: World, end: str) -> None:
    if end in ("his", "lis", "ris", "pharmacy"):
        _poll(world, end, reachable=True)


def _poll(world: World, end: str, *, reachable: bool) -> None:
    import socket

    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", getattr(world.simulators.ports, end)), timeout=0.2).close()
            open_ = True
        except OSError:
            open_ = False
        if open_ is reachable:
            return
        time.sleep(0.05)
    raise AssertionError(f"{end} should be {'open' if reachable else 'closed'}")
