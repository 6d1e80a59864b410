"""The simulated far ends: they go on by themselves, a person may play them, and a restart forgets nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import BpmnError, CarelaneError, Conflict, NotFound
from engine.execution.tables import Message
from engine.settings import Settings
from integrations.connections import book, probe
from integrations.payments import ledger
from integrations.simulators import control, instant
from integrations.simulators.desk import Desk, Item
from integrations.simulators.ports import Ports, keys, ports
from tests.integrations.conftest import World

LAB = {"visitNumber": "V1", "orderId": "ORDER-1", "tests": [{"code": "58410-2", "name": "血常规"}]}


@pytest.fixture
def far(world: World, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose control port is the running simulators'."""
    monkeypatch.setattr(control, "ports", lambda _settings: world.simulators.ports)
    return world.settings


def until(true: Callable[[], object]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.03)
    raise AssertionError("it did not happen within six seconds")


def messages(world: World) -> list[str]:
    with world.sessions() as session:
        return [message.name for message in session.scalars(select(Message))]


def test_auto_mode_answers_by_itself(world: World, far: Settings) -> None:
    world.call("hl7.oml_o21", patientId=world.patient_id, **LAB)
    assert messages(world) == []
    control.auto(far, True, delay=0.1)
    until(lambda: messages(world) == ["lab_result"])


def test_a_person_plays_the_laboratory(world: World, far: Settings) -> None:
    world.call("hl7.oml_o21", patientId=world.patient_id, **LAB)
    (lis,) = [end for end in control.state(far).ends if end.name == "lis"]
    (item,) = lis.items
    assert (item["state"], item["number"], lis.actions) == ("waiting", "ORDER-1", ("normal", "abnormal"))
    assert item["shown"]["tests"] == ["血常规"]
    assert control.answer(far, item["id"], "abnormal")["state"] == "answered"
    world.placed()
    with world.sessions() as session:
        payload = session.scalars(select(Message)).one().payload
    assert payload["abnormal"] is True
    assert [o["code"] for o in payload["observations"]] == ["6690-2", "789-8", "718-7", "777-3"]
    with pytest.raises(Conflict):
        control.answer(far, item["id"], "normal")


def test_what_cannot_be_answered_so_is_said(world: World, far: Settings) -> None:
    world.call("hl7.oml_o21", patientId=world.patient_id, **LAB)
    with pytest.raises(CarelaneError, match="lis can normal, abnormal"):
        control.answer(far, "lis-ORDER-1", "accept")
    with pytest.raises(NotFound):
        control.answer(far, "lis-nothing", "normal")
    with pytest.raises(NotFound):
        control.down(far, "nowhere", 1)


def test_an_end_is_down_for_a_while(world: World, far: Settings) -> None:
    control.down(far, "partner", 60)
    assert next(end.down for end in control.state(far).ends if end.name == "partner") > 50
    with world.sessions() as session:
        assert not probe.test(session, "partner").good
    control.down(far, "partner", 0)
    with world.sessions() as session:
        assert probe.test(session, "partner").good


def test_a_foreign_page_cannot_steer_the_simulators(world: World) -> None:
    answer = httpx.post(f"http://127.0.0.1:{world.simulators.ports.control}/down", json={"end": "his"}, trust_env=False)
    assert answer.status_code == 403


def test_simulators_that_are_off_are_said_to_be_off(tmp_path: Path) -> None:
    with pytest.raises(control.NotRunning):
        control.state(Settings(var_dir=tmp_path, port=61))


def test_every_demo_connection_can_be_tested(world: World) -> None:
    with world.sessions() as session:
        listening = book.get(session, "mllp")
        listening.address = {**listening.address, "port": world.listener.port}
        tested = {row.name: probe.test(session, row.name) for row in book.listed(session)}
        session.commit()
        assert {name for name, outcome in tested.items() if not outcome.good} == set()
        assert all(row.last_good for row in book.listed(session))


def test_a_test_that_fails_says_why_and_is_noted(world: World) -> None:
    with world.sessions() as session:
        row = book.get(session, "his")
        row.address = {**row.address, "port": 1}
        outcome = probe.test(session, "his")
        assert not outcome.good
        assert "refused" in outcome.message
        assert row.last_error == outcome.message


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    desk = Desk(file)
    desk.add(Item("lis-1", "lis", "order", "1", "waiting", {"patient": "王"}))
    desk.once("k", lambda: ["a"])
    desk.set_auto(False, 9)
    again = Desk(file)
    assert (again.items["lis-1"].shown, again.once("k", lambda: ["b"]), again.auto, again.delay) == ({"patient": "王"}, ["a"], False, 9)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    settings = Settings(var_dir=tmp_path)
    assert keys(settings) == keys(settings)
    assert (tmp_path / "simulators" / "keys.json").stat().st_mode & 0o077 == 0


def test_two_installations_do_not_meet(tmp_path: Path) -> None:
    first, second = ports(Settings(var_dir=tmp_path, port=8000)), ports(Settings(var_dir=tmp_path, port=8010))
    assert vars_of(first) == list(range(9000, 9000 + len(vars_of(first))))
    assert not set(vars_of(first)) & set(vars_of(second))


def vars_of(where: Ports) -> list[int]:
    return [getattr(where, field.name) for field in fields(where)]


# ── seeding ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

START = datetime(2026, 11, 2, 1, tzinfo=UTC)


def test_seeding_uses_no_wire_and_the_very_same_outputs(world: World) -> None:
    calls = {
        "hl7.adt_a04": {"visitNumber": "V1", "department": "surgery"},
        "hl7.oml_o21": LAB,
        "hl7.omi_o23": {"visitNumber": "V1", "orderId": "ORDER-2", "procedure": {"code": "CXR", "name": "胸片", "modality": "DX"}},
        "payment.order": {"orderId": "ORDER-3", "amount": 100, "channel": "wechat"},
        "fhir.referral": {"referralId": "REF-1", "reason": "x"},
    }
    with clock.at(START), instant.answering(seed=1):
        seeded = {type_: world.call(type_, patientId=world.patient_id, **given) for type_, given in calls.items()}
    assert world.desk.items == {}
    real = {type_: world.call(type_, "real", patientId=world.patient_id, **given) for type_, given in calls.items()}
    assert {t: set(out) for t, out in seeded.items()} == {t: set(out) for t, out in real.items()}


def test_news_of_seeded_calls_come_in_order_at_their_time(world: World) -> None:
    with clock.at(START), instant.answering(seed=1) as far_ends:
        world.call("hl7.oml_o21", patientId=world.patient_id, **LAB)
        made = world.call("payment.order", "k2", patientId=world.patient_id, orderId="ORDER-3", amount=100, channel="wechat")
        assert far_ends.next() is not None
        assert far_ends.due(START) == []
        news = far_ends.due(START + timedelta(hours=2))
        assert [n.name for n in news] == ["payment_notified", "lab_result"]
        assert far_ends.next() is None
    with world.sessions() as session:
        for piece in news:
            with clock.at(piece.at):
                far_ends.deliver(session, piece)
        session.commit()
        assert ledger.get(session, str(made["paymentId"])).settled == news[0].at
        payloads = {m.name: m.payload for m in session.scalars(select(Message))}
    assert payloads["payment_notified"]["state"] == "paid"
    assert {"code", "name", "value", "unit", "referenceRange", "abnormal", "status"} <= set(payloads["lab_result"]["observations"][0])


def test_the_same_seed_gives_the_same_clinic(world: World) -> None:
    def run(number: int) -> list[object]:
        with clock.at(START), instant.answering(seed=7) as far_ends:
            world.call("hl7.oml_o21", f"k{number}", patientId=world.patient_id, **LAB)
            return [(n.at, n.payload) for n in far_ends.due(START + timedelta(days=1))]

    assert run(1) == run(2)


def test_outside_the_block_the_wire_is_used_again(world: World) -> None:
    with instant.answering():
        pass
    with pytest.raises(BpmnError):
        world.call("hl7.adt_a04", patientId=world.patient_id, visitNumber="V1", department="astrology")
    assert replace(world.settings, port=1).port == 1
