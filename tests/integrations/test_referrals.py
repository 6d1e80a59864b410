"""Referrals: created once at the partner, news believed only from a partner, codes checked."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine.errors import ConnectorFailed, Forbidden
from engine.execution.tables import Message
from integrations.fhir import codes, inbound, referral
from integrations.messages import worklist
from integrations.simulators.ports import Keys
from tests.integrations.conftest import World

REFERRAL = {"referralId": "REF-1", "reason": "需手术", "summary": "右下肺炎", "department": "surgery", "hospital": "协和医院",
            "priority": "urgent", "deadline": "2026-11-25T10:00:00+08:00"}  # fmt: skip


@pytest.fixture
def referred(world: World) -> dict[str, Any]:
    return world.call("fhir.referral", patientId=world.patient_id, **REFERRAL)


def update(world: World, **changes: Any) -> tuple[int, dict[str, Any]]:
    """The partner's task with changes, put to our endpoint."""
    (item,) = world.desk.of("partner")
    with world.sessions() as session:
        answer = inbound.update_task(session, {k: v for k, v in {**item.data["task"], **changes}.items() if v is not None})
        session.commit()
    return answer


def told(world: World) -> list[dict[str, Any]]:
    with world.sessions() as session:
        return [m.payload for m in session.scalars(select(Message).where(Message.name == "referral_update").order_by(Message.id))]


def test_the_partner_gets_patient_request_and_task(world: World, referred: dict[str, Any]) -> None:
    (item,) = world.desk.of("partner")
    assert item.shown["patient"] == "王小明"
    assert (item.data["task"]["status"], item.data["task"]["priority"]) == ("requested", "urgent")
    assert item.data["task"]["restriction"]["period"]["end"] == "2026-11-25T10:00:00+08:00"
    assert referred["taskId"] == item.data["task"]["id"]
    assert referred["serviceRequestId"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("accepted", "accepted"),
        ("in-progress", "accepted"),
        ("rejected", "rejected"),
        ("on-hold", "info_requested"),
        ("completed", "completed"),
    ],
)
def test_each_state_of_the_task_is_told_in_the_processes_words(world: World, referred: dict[str, Any], status: str, word: str) -> None:
    assert update(world, status=status, statusReason={"text": "因为"})[0] == 201
    (payload,) = told(world)
    assert (payload["status"], payload["reason"], payload["referralId"]) == (word, "因为", "REF-1")


def test_a_report_comes_with_the_completion(world: World, referred: dict[str, Any]) -> None:
    update(world, status="completed", output=[{"type": {"text": "report"}, "valueString": "已治愈"}])
    assert told(world)[0]["report"] == "已治愈"


def test_the_same_news_twice_is_told_once_and_the_same_words_later_again(world: World, referred: dict[str, Any]) -> None:
    asked = {"status": "on-hold", "statusReason": {"text": "请补充"}}
    for version in ("2", "2", "3"):
        update(world, **asked, meta={"versionId": version})
    assert len(told(world)) == 2


def test_what_is_under_way_is_not_news(world: World, referred: dict[str, Any]) -> None:
    assert update(world, status="received")[0] == 201
    assert told(world) == []


def test_a_code_that_fhir_does_not_know_is_refused_with_the_reason(world: World, referred: dict[str, Any]) -> None:
    status, body = update(world, status="approved")
    assert status == 422
    assert body["issue"][0]["expression"] == ["Task.status"]
    assert "'approved' is not one of" in body["issue"][0]["diagnostics"]


def test_a_task_of_no_referral_of_ours_is_kept_and_listed(world: World, referred: dict[str, Any]) -> None:
    assert update(world, identifier=None, status="accepted")[0] == 201
    with world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["unknown_order"]


def test_only_a_partners_token_is_let_in(world: World, secret: Keys) -> None:
    with world.sessions() as session:
        assert inbound.sender(session, f"Bearer {secret.inbound_token}") == "partner"
        for wrong in (None, "", "Bearer ", "Bearer wrong", f"Bearer {secret.partner_token}"):
            with pytest.raises(Forbidden):
                inbound.sender(session, wrong)


def test_information_that_was_asked_for_arrives_once(world: World, referred: dict[str, Any]) -> None:
    (item,) = world.desk.of("partner")
    item.state = "asked"
    for _ in range(2):
        assert world.call("fhir.referral_answer", "k2", referralId="REF-1", taskId=referred["taskId"], text="见附件") == {}
    assert item.shown["information"] == "见附件"
    assert item.state == "waiting"


def test_a_deadline_that_is_no_time_is_named(world: World) -> None:
    with pytest.raises(ConnectorFailed, match="deadline: 'soon' is no date and time"):
        world.call("fhir.referral", patientId=world.patient_id, **{**REFERRAL, "deadline": "soon"})


def test_codes_are_checked_inside_bundles_too() -> None:
    made = referral.bundle({"referral_id": "R", "deadline": None, **REFERRAL}, {"name": "a", "sex": "zz"}, "1")
    assert codes.problems(made) == ["Bundle.entry[0].resource.gender: 'zz' is not one of male, female, other, unknown"]
    assert codes.problems({"resourceType": "Task", "status": "requested"}) == ["Task.intent: is required"]
    assert codes.problems({}) == ["resourceType: is missing"]


def test_what_we_send_is_valid_fhir_r4() -> None:
    from fhir.resources.R4B.bundle import Bundle

    made = referral.bundle({"referral_id": "R", **REFERRAL}, {"name": "王", "sex": "male", "birthDate": "1985-03-12", "phone": "1"}, "1")
    assert Bundle.model_validate(made)
