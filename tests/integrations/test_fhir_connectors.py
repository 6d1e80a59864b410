"""Our FHIR connectors against a FHIR R4 server that others made, and the referral's exchange with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.connectors import Call, get
from integrations.connections import book, probe
from integrations.fhir import client
from integrations.messages.tables import MessageLog
from tests.far_ends import medplum
from tests.integrations.conftest import PATIENT, World

CACHE = Path(__file__).parent.parent.parent / "var" / "far_ends"
SYSTEM = "urn:test"
WANG = {"resourceType": "Patient", "name": [{"text": "王小明"}], "gender": "male", "identifier": [{"system": SYSTEM, "value": "1"}]}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """One server for all tests: each uses its own identifiers."""
    with medplum.running(CACHE) as base:
        yield base


@pytest.fixture
def clinic(world: World, server: str) -> World:
    """A clinic whose `fhir` and `partner` connections lead to that server."""
    with world.sessions() as session:
        for name in ("fhir", "partner"):
            address = {"url": server, "path": "/fhir/R4", "timeout": 20}
            book.put(session, name, "fhir", address=address, secrets={"token": medplum.TOKEN})
        session.commit()
    book.forget()
    return world


def forget_the_log(world: World) -> None:
    """Our side lost the answer: the next try really asks again."""
    with world.sessions() as session:
        session.execute(delete(MessageLog))
        session.commit()


def call(world: World, type_: str, key: str, **values: Any) -> dict[str, Any]:
    made = Call(type=type_, input=values, headers={}, key=key, instance_id="i1", element_id="Task_1", subject=world.patient_id)
    return dict(get(type_).call(made))


def test_the_connection_test_names_the_server(clinic: World) -> None:
    with clinic.sessions() as session:
        tested = probe.test(session, "fhir")
    assert tested.good, tested.message
    assert "FHIR 4.0.1" in tested.message


def test_a_create_happens_once_however_often_it_is_tried(clinic: World) -> None:
    first = call(clinic, "fhir.create", "once", resource=WANG)
    forget_the_log(clinic)
    again = call(clinic, "fhir.create", "once", resource=WANG)
    assert (first["created"], again["created"]) == (True, False)
    assert first["id"] == again["id"]
    assert call(clinic, "fhir.create", "another", resource=WANG)["id"] != first["id"]
    named = call(clinic, "fhir.create", "third", resource=WANG, ifNoneExist="identifier=urn:carelane:call|once")
    assert (named["id"], named["created"]) == (first["id"], False)


def test_a_search_follows_the_pages_of_a_server_that_has_them(clinic: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of these tests gives all at once; others say where the rest is."""
    asked: list[dict[str, str]] = []

    def page(_link: object, _method: str, _path: str, *, params: list[tuple[str, str]]) -> object:
        asked.append(dict(params))
        start = int(dict(params).get("start", "0"))
        following = [{"relation": "next", "url": f"https://elsewhere.example/Patient?start={start + 2}&_count=2"}] if start < 4 else []
        entries = [{"resource": {"resourceType": "Patient", "id": str(n)}} for n in range(start, min(start + 2, 5))]
        return SimpleNamespace(body={"resourceType": "Bundle", "total": 5, "link": following, "entry": entries})

    monkeypatch.setattr("integrations.connectors.fhir_search.client.exchange", page)
    found = call(clinic, "fhir.search", "paged", resourceType="Patient", query={"_count": 2})
    assert [item["id"] for item in found["resources"]] == ["0", "1", "2", "3", "4"]
    assert [each.get("start") for each in asked] == [None, "2", "4"]


def test_a_search_finds_what_there_is(clinic: World) -> None:
    for number in range(5):
        body = {**WANG, "identifier": [{"system": "urn:pages", "value": "same"}], "birthDate": f"198{number}-01-01"}
        call(clinic, "fhir.create", f"page-{number}", resource=body)
    found = call(clinic, "fhir.search", "s1", resourceType="Patient", query={"identifier": "urn:pages|same"})
    assert sorted(item["birthDate"] for item in found["resources"]) == [f"198{number}-01-01" for number in range(5)]
    assert call(clinic, "fhir.search", "s2", resourceType="Patient", query={"identifier": "urn:pages|same"}, limit=3)["resources"][2:]
    assert call(clinic, "fhir.search", "s3", resourceType="Patient", query={"identifier": "urn:pages|none"})["resources"] == []
    with pytest.raises(ConnectorFailed, match="is no type of FHIR"):
        call(clinic, "fhir.search", "s4", resourceType="../Patient")


def test_an_update_changes_the_version_that_was_meant_and_no_other(clinic: World) -> None:
    made = call(clinic, "fhir.create", "update", resource=WANG)
    wanted = {**made["resource"], "birthDate": "1985-03-12"}
    done = call(clinic, "fhir.update", "u1", resource=wanted, version=made["version"])
    assert done["version"] != made["version"]
    forget_the_log(clinic)
    assert call(clinic, "fhir.update", "u1", resource=wanted, version=made["version"])["version"] == done["version"]  # the answer was lost
    with pytest.raises(BpmnError, match="another version") as refused:
        call(clinic, "fhir.update", "u2", resource={**wanted, "birthDate": "1999-01-01"}, version=made["version"])
    assert refused.value.code == "FAR_END_REFUSED"
    with pytest.raises(ConnectorFailed, match=r"resource\.id: is required"):
        call(clinic, "fhir.update", "u3", resource=WANG)


def test_an_update_by_a_search_finds_its_resource(clinic: World) -> None:
    body = {**WANG, "identifier": [{"system": "urn:by-search", "value": "1"}]}
    first = call(clinic, "fhir.update", "c1", resource=body, condition="identifier=urn:by-search|1")
    second = call(clinic, "fhir.update", "c2", resource={**body, "gender": "other"}, condition="identifier=urn:by-search|1")
    assert first["id"] == second["id"]


def test_a_transaction_goes_through_once_with_its_references(clinic: World) -> None:
    entries = [
        {"name": "urn:uuid:11111111-1111-4111-8111-111111111111", "resource": WANG},
        {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                      "subject": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"}}},
    ]  # fmt: skip
    first = call(clinic, "fhir.transaction", "t1", entries=entries)["entries"]
    forget_the_log(clinic)
    again = call(clinic, "fhir.transaction", "t1", entries=entries)["entries"]
    assert [(item["resourceType"], item["status"]) for item in first] == [("Patient", "201"), ("Observation", "201")]
    assert [item["id"] for item in again] == [item["id"] for item in first]
    link = book.link("fhir")
    observation = client.ask(link, "GET", f"Observation/{first[1]['id']}")
    assert observation["subject"]["reference"] == f"Patient/{first[0]['id']}"


def test_a_transaction_with_a_fault_changes_nothing_and_is_not_tried_again(clinic: World) -> None:
    entries = [
        {"resource": {**WANG, "identifier": [{"system": "urn:atomic", "value": "1"}]}},
        {"resource": {"resourceType": "Observation", "status": "final"}},
    ]
    with pytest.raises((ConnectorFailed, BpmnError)) as failed:
        call(clinic, "fhir.transaction", "t2", entries=entries)
    assert getattr(failed.value, "kind", "permanent") == "permanent"
    assert call(clinic, "fhir.search", "s5", resourceType="Patient", query={"identifier": "urn:atomic|1"})["resources"] == []


def test_a_code_that_fhir_does_not_know_is_not_even_sent(clinic: World) -> None:
    with pytest.raises(ConnectorFailed, match=r"Patient\.gender: 'zz' is not one of") as failed:
        call(clinic, "fhir.create", "bad", resource={**WANG, "gender": "zz"})
    assert failed.value.kind == "permanent"


def test_a_wrong_token_is_said_in_words(clinic: World) -> None:
    with clinic.sessions() as session:
        book.put(session, "fhir", "fhir", address=dict(book.get(session, "fhir").address), secrets={"token": "wrong"})
        session.commit()
    book.forget()
    with pytest.raises(ConnectorFailed, match="answered 401") as failed:
        call(clinic, "fhir.create", "k", resource=WANG)
    assert failed.value.kind == "permanent"


def test_a_referral_and_its_answer_are_taken_by_a_server_that_is_not_ours(clinic: World) -> None:
    given = {"referralId": "REF-M1", "reason": "需手术", "summary": "右下肺炎", "department": "surgery", "priority": "urgent",
             "deadline": "2026-11-25T10:00:00+08:00"}  # fmt: skip
    made = call(clinic, "fhir.referral", "r1", patientId=clinic.patient_id, **given)
    forget_the_log(clinic)
    assert call(clinic, "fhir.referral", "r1", patientId=clinic.patient_id, **given) == made
    link = book.link("partner")
    task = client.ask(link, "GET", f"Task/{made['taskId']}")
    assert (task["status"], task["focus"]["reference"]) == ("requested", f"ServiceRequest/{made['serviceRequestId']}")
    patient = client.ask(link, "GET", str(task["for"]["reference"]))
    assert patient["name"][0]["text"] == PATIENT["name"]
    call(clinic, "fhir.referral_answer", "a1", referralId="REF-M1", taskId=made["taskId"], text="见附件")
    found = client.exchange(link, "GET", "Communication", params=[("identifier", "urn:carelane:call|a1")]).body
    assert found["entry"][0]["resource"]["payload"] == [{"contentString": "见附件"}]
