"""The FHIR R4 endpoint over HTTP: read, search, create, update, transactions; every refusal says what and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.encounter import Encounter
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.task import Task as FhirTask
from sqlalchemy import select
from werkzeug.test import TestResponse

import integrations
from engine.db import sessions
from engine.execution.tables import Message
from integrations import runtime
from integrations.connections import book
from integrations.fhir.identifiers import ID_CARD, ORDER, RECORD
from integrations.fhir.tables import FhirResource
from integrations.messages import worklist
from integrations.messages.tables import MessageLog
from integrations.patients import index
from integrations.patients.tables import Patient as Known
from tests.web.clinic import Clinic
from web.api import tokens
from web.db import db
from web.records.tables import AccessRecord

HIS = "http://his.example/mrn"
WANG = {
    "resourceType": "Patient", "name": [{"family": "王", "given": ["小明"], "use": "official"}], "gender": "male", "birthDate": "1985-03-12",
    "telecom": [{"system": "phone", "value": "13800138000"}], "identifier": [{"system": HIS, "value": "H-1"}],
}  # fmt: skip


class Fhir:
    """A program with a token, and what it was answered."""

    def __init__(self, clinic: Clinic, *scopes: str, token: str = "") -> None:
        self.client = clinic.app.test_client()
        if not token:
            _, token = tokens.create(db.session(), "his", scopes or ("fhir:read", "fhir:write"), by="admin")
            db.session.commit()
        self.headers = {"Authorization": f"Bearer {token}"}

    def open(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/fhir{path}", method=method, json=body, headers={**self.headers, **named})

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.open("GET", path, **headers)

    def found(self, path: str) -> list[str]:
        """The ids of a search."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert Bundle.model_validate(answer.get_json())
        return [entry["resource"]["id"] for entry in answer.get_json().get("entry", [])]

    def made(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """A resource that was created."""
        answer = self.open("POST", f"/{body['resourceType']}", body, **headers)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return dict(answer.get_json())


@pytest.fixture
def fhir(clinic: Clinic) -> Fhir:
    integrations.load(sessions=sessions(db.engine), settings=clinic.app.config["CARELANE"])
    return Fhir(clinic)


def refused(answer: TestResponse, status: int, place: str | None = None) -> str:
    """What an OperationOutcome says, whose shape and status are right."""
    body = answer.get_json(force=True)
    assert answer.status_code == status, body
    assert answer.mimetype == "application/fhir+json"
    assert OperationOutcome.model_validate(body)
    if place is not None:
        assert place in [where for issue in body["issue"] for where in issue.get("expression", [])], body
    return " ".join(issue["diagnostics"] for issue in body["issue"])


def report(number: str, patient: str, status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport", "status": status, "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}, "identifier": [{"system": ORDER, "value": number}], **more,
    }  # fmt: skip


# ── what there is ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_capability_statement_is_public_and_true(clinic: Clinic) -> None:
    answer = clinic.stranger().get("/fhir/metadata")
    stated = answer.get_json()
    assert CapabilityStatement.model_validate(stated)
    kinds = {item["type"] for item in stated["rest"][0]["resource"]}
    assert kinds >= {"Patient", "Appointment", "Encounter", "ServiceRequest", "Task", "Observation", "DiagnosticReport"}
    fhir = Fhir(clinic)
    for item in stated["rest"][0]["resource"]:
        for parameter in item["searchParam"]:
            value = {"date": "2026", "reference": "Patient/1"}.get(parameter["type"], "x")
            assert fhir.get(f"/{item['type']}?{parameter['name']}={value}").status_code == 200, (item["type"], parameter)


def test_a_patient_of_the_index_is_read_and_found_by_what_a_hospital_knows(clinic: Clinic, fhir: Fhir) -> None:
    values = {"name": "欧阳锋", "sex": "male", "birthDate": "1985-03-12", "idCard": "110101198503120017", "phone": "13800138000"}
    row = index.save(db.session(), clinic.app.config["CARELANE"], values)
    db.session.commit()
    body = fhir.get(f"/Patient/{row.id}").get_json()
    assert Patient.model_validate(body)
    assert (body["name"][0]["text"], body["gender"], body["birthDate"]) == ("欧阳锋", "male", "1985-03-12")
    for query in (
        f"identifier={RECORD}|{row.record_number}", f"identifier={ID_CARD}|110101198503120017", "identifier=110101198503120017", "name=欧阳锋",
        "birthdate=1985-03-12", "phone=13800138000", f"_id={row.id}", "_lastUpdated=ge2020",
    ):  # fmt: skip
        assert fhir.found(f"/Patient?{query}") == [row.id], query
    for query in ("identifier=nobody", f"identifier={ID_CARD}|1", "name=欧阳", "_lastUpdated=lt2020", "name=欧阳锋&birthdate=1999-01-01"):
        assert fhir.found(f"/Patient?{query}") == [], query


def test_a_visit_is_an_encounter_with_its_tasks(clinic: Clinic, fhir: Fhir) -> None:
    visit = clinic.triaged("欧阳锋", department="surgery")
    body = fhir.get(f"/Encounter/{visit.id}").get_json()
    assert Encounter.model_validate(body)
    assert (body["status"], body["subject"]["reference"]) == ("triaged", f"Patient/{visit.subject}")
    for query in (
        f"patient={visit.subject}",
        f"subject=Patient/{visit.subject}",
        "status=triaged",
        f"identifier={visit.business_key}",
        "date=ge2020",
    ):
        assert fhir.found(f"/Encounter?{query}") == [visit.id], query
    assert fhir.found("/Encounter?status=finished") == []
    task = clinic.task(visit)
    body = fhir.get(f"/Task/{task.id}").get_json()
    assert FhirTask.model_validate(body)
    assert (body["status"], body["code"]["coding"][0]["code"]) == ("ready", task.element_id)
    assert task.id in fhir.found(f"/Task?encounter=Encounter/{visit.id}&status=ready")


def test_pages_follow_one_another_without_gap_or_repetition(fhir: Fhir) -> None:
    made = [fhir.made({**WANG, "identifier": [{"system": HIS, "value": str(n)}], "name": [{"text": f"人{n}"}]})["id"] for n in range(7)]
    for sort in ("", "&_sort=-_lastUpdated"):
        seen, path = [], f"/Patient?_count=3{sort}"
        while path:
            page = fhir.get(path).get_json()
            assert page["total"] == 7
            seen += [entry["resource"]["id"] for entry in page["entry"]]
            link = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
            path = link.partition("/fhir")[2]
        assert sorted(seen) == sorted(made)
        assert len(seen) == 7
    assert "entry" not in fhir.get("/Patient?_count=0").get_json()
    assert fhir.get("/Patient?_summary=count").get_json()["total"] == 7


def test_a_search_by_post_keeps_names_out_of_addresses(fhir: Fhir) -> None:
    made = fhir.made(WANG)
    answer = fhir.client.post("/fhir/Patient/_search", data={"name": "王小明"}, headers=fhir.headers)
    assert [entry["resource"]["id"] for entry in answer.get_json()["entry"]] == [made["id"]]


def test_what_a_filter_would_need_and_we_lack_is_refused_not_ignored(fhir: Fhir) -> None:
    assert "not supported" in refused(fhir.get("/Patient?general-practitioner=1"), 400, "Patient?general-practitioner")
    refused(fhir.get("/Patient?name:contains=x"), 400, "Patient?name:contains")
    refused(fhir.get("/Encounter?date=soon"), 400, "Encounter?date")
    refused(fhir.get("/Patient?_count=many"), 400, "Patient?_count")
    refused(fhir.get("/Patient?_sort=-_lastUpdated&_cursor=x"), 400)
    assert fhir.get("/Patient?general-practitioner=1", Prefer="handling=lenient").status_code == 200


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_patient_is_created_once_where_the_condition_says_so(fhir: Fhir) -> None:
    first = fhir.open("POST", "/Patient", WANG, If_None_Exist=f"identifier={HIS}|H-1")
    again = fhir.open("POST", "/Patient", WANG, If_None_Exist=f"identifier={HIS}|H-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert first.headers["Location"].endswith(f"/fhir/Patient/{first.get_json()['id']}/_history/{first.get_json()['meta']['versionId']}")
    assert {"system": HIS, "value": "H-1"} in again.get_json()["identifier"]
    assert db.session.scalars(select(Known)).one().body["name"] == "王小明"


def test_an_update_needs_the_version_that_it_was_made_from(fhir: Fhir) -> None:
    made = fhir.made({"resourceType": "Appointment", "status": "booked", "participant": [{"status": "accepted"}]})
    path = f"/Appointment/{made['id']}"
    etag = fhir.get(path).headers["ETag"]
    assert etag == 'W/"1"'
    assert fhir.get(path, If_None_Match=etag).status_code == 304
    changed = fhir.open("PUT", path, {**made, "status": "cancelled"}, If_Match=etag)
    assert (changed.status_code, changed.headers["ETag"]) == (200, 'W/"2"')
    refused(fhir.open("PUT", path, {**made, "status": "noshow"}, If_Match=etag), 412, "Appointment.meta.versionId")
    refused(fhir.open("PUT", path, {**made, "id": "other"}), 400, "Appointment.id")
    assert fhir.found("/Appointment?status=cancelled") == [made["id"]]


def test_a_conditional_update_finds_its_one_resource(fhir: Fhir) -> None:
    body = {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}, "identifier": [{"system": HIS, "value": "E1"}]}
    assert fhir.open("PUT", f"/Encounter?identifier={HIS}|E1", body).status_code == 201
    assert fhir.open("PUT", f"/Encounter?identifier={HIS}|E1", {**body, "status": "arrived"}).status_code == 200
    assert len(fhir.found(f"/Encounter?identifier={HIS}|E1&status=arrived")) == 1
    fhir.made(body)
    refused(fhir.open("PUT", f"/Encounter?identifier={HIS}|E1", body), 412)
    refused(fhir.open("PUT", "/Encounter", body), 400)
    refused(fhir.open("PUT", "/Encounter?_count=1", body), 412)


def test_a_patient_who_moves_house_is_updated_in_the_index(fhir: Fhir) -> None:
    made = fhir.made(WANG)
    answer = fhir.open(
        "PUT", f"/Patient/{made['id']}", {**made, "address": [{"text": "新街 1 号"}]}, If_Match=f'W/"{made["meta"]["versionId"]}"'
    )
    assert answer.status_code == 200
    assert db.session.get_one(Known, made["id"]).body["address"] == "新街 1 号"


def test_an_id_card_that_cannot_be_right_and_one_that_another_has_are_refused(fhir: Fhir) -> None:
    card = {**WANG, "identifier": [{"system": ID_CARD, "value": "110101198503120017"}]}
    fhir.made(card)
    assert "has this ID card" in refused(fhir.open("POST", "/Patient", card), 409, "Patient.identifier")
    card["identifier"] = [{"system": ID_CARD, "value": "110101198503120018"}]
    refused(fhir.open("POST", "/Patient", card), 422, "Patient.identifier")


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({**WANG, "gender": "zz"}, 422, "Patient.gender"),
        ({**WANG, "birthDate": "2024-02-30"}, 422, "Patient.birthDate"),
        ({**WANG, "favouriteColour": "red"}, 422, "Patient.favouriteColour"),
        ({**WANG, "name": "王"}, 422, "Patient.name"),
        ({**WANG, "name": [{"given": ["a", 5]}]}, 422, "Patient.name[0].given[1]"),
        ({**WANG, "telecom": [{"system": "pigeon", "value": "1"}]}, 422, "Patient.telecom[0].system"),
        ({**WANG, "name": [{"text": "a\x00b"}]}, 400, "Patient.name[0].text"),
        ({**WANG, "name": []}, 422, "Patient.name"),
        ({**WANG, "contained": [{"resourceType": "Spaceship"}]}, 422, "Patient.contained[0].resourceType"),
        ({"resourceType": "Task"}, 400, "Patient.resourceType"),
        ({}, 400, "Patient.resourceType"),
    ],
)
def test_every_refusal_says_what_and_where(fhir: Fhir, body: dict[str, Any], status: int, place: str) -> None:
    assert refused(fhir.open("POST", "/Patient", body), status, place)
    assert db.session.scalars(select(Known)).all() == []
    row = db.session.scalars(select(MessageLog).where(MessageLog.direction == "in")).one()
    assert (row.state, row.connection) == ("refused", "api:his")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"resourceType":' + b'{"a":' * 5000])
def test_a_body_that_is_no_resource_is_refused(fhir: Fhir, raw: bytes) -> None:
    refused(fhir.client.post("/fhir/Patient", data=raw, headers=fhir.headers), 400)


def test_what_is_not_there_is_refused_in_fhirs_words_too(fhir: Fhir, clinic: Clinic) -> None:
    refused(fhir.get("/Patient/nobody"), 404)
    refused(fhir.get("/Spaceship"), 404)
    refused(fhir.open("DELETE", "/Patient/1"), 405)
    refused(fhir.open("PATCH", "/Patient/1", {}), 405)
    refused(fhir.get("/Patient/1/_history/1"), 405)
    refused(fhir.client.post("/fhir/Patient", data=b"x" * (5 * 1024 * 1024), headers=fhir.headers), 413)
    visit = clinic.triaged("欧阳锋")
    body = {"resourceType": "Encounter", "id": visit.id, "status": "cancelled", "class": {"code": "AMB"}}
    assert "run by a process" in refused(fhir.open("PUT", f"/Encounter/{visit.id}", body), 409)


# ── bundles ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def entry(resource: dict[str, Any], url: str = "", uuid: str = "", **request: str) -> dict[str, Any]:
    made = {"resource": resource, "request": {"method": "POST", "url": url or resource["resourceType"], **request}}
    return {**made, "fullUrl": f"urn:uuid:{uuid}"} if uuid else made


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


GLUCOSE = {
    "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
    "subject": {"reference": "urn:uuid:p"}, "valueQuantity": {"value": 180, "unit": "mg/dL"}, "effectiveDateTime": "2026-11-20T08:00:00+08:00",
}  # fmt: skip


def test_a_transactions_own_names_become_references(fhir: Fhir) -> None:
    whole = bundle(
        entry(report("X", "p") | {"subject": {"reference": "urn:uuid:p"}, "result": [{"reference": "urn:uuid:o"}]}, uuid="r"),
        entry(GLUCOSE, uuid="o"),
        entry(WANG, uuid="p", ifNoneExist=f"identifier={HIS}|H-1"),
    )
    answer = fhir.open("POST", "", whole)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert Bundle.model_validate(answer.get_json())
    report_id, observation_id, patient_id = [item["response"]["location"].split("/")[1] for item in answer.get_json()["entry"]]
    made = fhir.get(f"/DiagnosticReport/{report_id}").get_json()
    assert made["result"] == [{"reference": f"Observation/{observation_id}"}]
    assert made["subject"] == {"reference": f"Patient/{patient_id}"}
    for query in (
        f"patient={patient_id}",
        f"patient.identifier={HIS}|H-1",
        "code=http://loinc.org|2345-7",
        "code=2345-7",
        "date=2026-11-20",
        "date=ge2026&date=lt2027",
        "status=final",
    ):
        assert fhir.found(f"/Observation?{query}") == [observation_id], query
    assert fhir.found("/Observation?date=2026-11-19") == []
    assert fhir.found(f"/DiagnosticReport?_id={report_id}&_include=DiagnosticReport:result&_include=DiagnosticReport:patient") == [
        report_id, observation_id, patient_id,
    ]  # fmt: skip
    assert (
        fhir.open("POST", "/", bundle(entry(WANG, uuid="p", ifNoneExist=f"identifier={HIS}|H-1"))).get_json()["entry"][0]["response"]["status"]
        == "200 OK"
    )


def test_a_transaction_with_one_fault_changes_nothing_and_names_every_fault(fhir: Fhir) -> None:
    wrong = bundle(entry(WANG, uuid="p"), entry({**GLUCOSE, "status": "maybe"}), entry({**GLUCOSE, "subject": 5}))
    answer = fhir.open("POST", "", wrong)
    refused(answer, 422, "Bundle.entry[1].resource.status")
    refused(answer, 422, "Bundle.entry[2].resource.subject")
    late = bundle(entry(WANG, uuid="p"), entry({**GLUCOSE, "subject": {"reference": "urn:uuid:nobody"}}))
    refused(fhir.open("POST", "", late), 422, "Bundle.entry[1].resource.subject.reference")
    version = bundle(
        entry(WANG, uuid="p"), {"resource": {**GLUCOSE, "id": "x"}, "request": {"method": "PUT", "url": "Observation/x", "ifMatch": 'W/"7"'}}
    )
    refused(fhir.open("POST", "", version), 412)
    assert db.session.scalars(select(Known)).all() == []
    assert db.session.scalars(select(FhirResource)).all() == []


def test_a_batchs_entries_stand_alone(fhir: Fhir) -> None:
    given = bundle(
        entry(WANG),
        entry({**WANG, "gender": "zz"}),
        {"request": {"method": "GET", "url": "Patient?name=王小明"}},
        {"request": {}},
        kind="batch",
    )
    answer = fhir.open("POST", "", given).get_json()
    assert [item["response"]["status"].split()[0] for item in answer["entry"]] == ["201", "422", "200", "400"]
    assert answer["entry"][1]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert answer["entry"][2]["resource"]["total"] == 1


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tokens_are_scoped_and_reads_are_recorded(clinic: Clinic, fhir: Fhir) -> None:
    made = fhir.made(WANG)
    reader = Fhir(clinic, "fhir:read")
    refused(reader.open("POST", "/Patient", WANG), 403)
    assert reader.get(f"/Patient/{made['id']}").status_code == 200
    writer = Fhir(clinic, "fhir:write")
    refused(writer.get(f"/Patient/{made['id']}"), 403)
    refused(writer.open("POST", "", bundle({"request": {"method": "GET", "url": "Patient"}}, kind="batch")), 403)
    refused(Fhir(clinic, "tasks:read").get("/Patient"), 403)
    refused(Fhir(clinic, token="nonsense").get("/Patient"), 401)
    read = db.session.scalars(select(AccessRecord).where(AccessRecord.action == "fhir.read")).all()
    assert [(row.actor, row.patient) for row in read] == [("api:his", made["id"])]


def test_a_partner_sees_and_changes_only_what_it_sent(clinic: Clinic, fhir: Fhir) -> None:
    book.put(db.session(), "partner", "fhir", address={}, secrets={"inbound_token": "p" * 20})
    db.session.commit()
    theirs = fhir.made({"resourceType": "Appointment", "status": "booked", "participant": [{"status": "accepted"}]})
    clinic.triaged("欧阳锋")
    partner = Fhir(clinic, token="p" * 20)
    for kind in ("Patient", "Appointment", "Encounter", "Task", "Observation"):
        assert partner.found(f"/{kind}") == []
    refused(partner.get(f"/Appointment/{theirs['id']}"), 404)
    refused(partner.open("PUT", f"/Appointment/{theirs['id']}", theirs), 403)
    refused(partner.open("POST", "/Encounter", {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}}), 403)
    own = partner.open("PUT", "/Task/T-9", {"resourceType": "Task", "id": "T-9", "status": "accepted", "intent": "order"})
    assert own.status_code == 201
    assert partner.found("/Task") == ["T-9"]


# ── what becomes of it ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_resource_is_in_the_log_as_it_came_with_its_patient(fhir: Fhir) -> None:
    made = fhir.made(WANG)
    fhir.made({**GLUCOSE, "subject": {"reference": f"Patient/{made['id']}"}})
    rows = db.session.scalars(select(MessageLog).order_by(MessageLog.id)).all()
    assert [(row.kind, row.state, row.patient_id) for row in rows] == [
        ("fhir.Patient", "matched", made["id"]), ("fhir.Observation", "matched", made["id"]),
    ]  # fmt: skip
    assert (rows[0].raw or {})["text"] == WANG


@pytest.mark.parametrize(
    ("subject", "contained", "known"),
    [
        ({"identifier": {"system": HIS, "value": "H-1"}}, None, True),
        ({"reference": "#p"}, {"identifier": [{"system": HIS, "value": "H-1"}]}, True),
        ({"reference": "#p"}, {"name": [{"text": "王小明"}], "birthDate": "1985-03-12"}, False),  # probable is not certain
        ({"reference": "Patient/nobody"}, None, False),
        ({"identifier": {"system": HIS, "value": "H-2"}}, None, False),
    ],
)
def test_its_patient_is_matched_or_a_person_is_asked(fhir: Fhir, subject: dict[str, Any], contained: Any, known: bool) -> None:
    wang = fhir.made(WANG)["id"]
    body = {**GLUCOSE, "subject": subject}
    if contained:
        body["contained"] = [{"resourceType": "Patient", "id": "p", **contained}]
    made = fhir.made(body)["id"]
    assert (fhir.found(f"/Observation?patient={wang}") == [made]) is known
    assert [item.reason for item, _ in worklist.open_items(db.session())] == ([] if known else ["unknown_patient"])


def test_a_report_of_no_order_of_ours_is_kept_and_listed(fhir: Fhir) -> None:
    wang = fhir.made(WANG)["id"]
    fhir.made(report("NOBODY-1", wang))
    ((item, row),) = worklist.open_items(db.session())
    assert (item.reason, row.state) == ("unknown_order", "unmatched")
    assert db.session.scalars(select(Message)).all() == []


@pytest.fixture(autouse=True)
def _runtime(clinic: Clinic) -> Iterator[None]:
    integrations.load()
    yield
    runtime._runtime.sessions = None
    runtime._runtime.settings = None
