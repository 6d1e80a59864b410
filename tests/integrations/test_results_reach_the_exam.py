"""Laboratory and imaging results reach the examination that waits for them: over HL7, over FHIR, and from a person's hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.db import write_lock
from engine.execution import check, instances, tasks
from engine.execution.tables import Incident, Instance, Task
from engine.execution.worker import Worker
from integrations.fhir.identifiers import ORDER
from integrations.fhir.server import bundle, search, store
from integrations.fhir.server.caller import Caller
from integrations.fhir.server.write import Desk, create
from integrations.fhir.tables import FhirResource
from integrations.messages import worklist
from tests.integrations.conftest import World
from tests.integrations.test_messy_hl7 import take

EXAM = Path(__file__).parent.parent.parent / "processes" / "exam"
LIS = Caller("api:lis")


class Exam:
    """A running examination of the to-be process with a blood test and a chest film."""

    def __init__(self, world: World) -> None:
        self.world, self.worker = world, Worker(world.sessions, world.settings)
        with world.sessions() as session:
            write_lock(session)
            files = {
                path.name: path.read_bytes() for path in EXAM.rglob("*") if path.suffix in (".bpmn", ".dmn", ".form") and path.stem != "as-is"
            }
            check.deploy(session, files, by="test")
            given = {
                "patientId": world.patient_id, "patientName": "王小明", "visitNumber": "V1", "department": "internal_medicine", "acuity": 3,
                "sex": "male", "birthDate": "1985-03-12",
            }  # fmt: skip
            self.id = instances.start(session, "exam", given, version_tag="to-be", business_key="V1").id
            session.commit()
        self.do("Task_Consult", chiefComplaint="乏力", history="1 月", findings="无", labTests=["2345-7", "58410-2"], imagingStudy="chest_xray")
        self.do("Task_CollectSpecimen", specimen="blood", specimenId="BB1", identityChecked=True)
        self.do("Task_PerformImaging", identityChecked=True, imagingNote="配合")
        orders = self.variables()["orders"]
        self.lab, self.imaging = orders["labOrderId"], orders["imagingOrderId"]

    def do(self, element: str, **values: Any) -> None:
        self.work()
        with self.world.sessions() as session:
            write_lock(session)
            task = session.scalars(select(Task).where(Task.instance_id == self.id, Task.element_id == element, Task.state == "open")).one()
            tasks.complete(session, task.id, values, user="doctor")
            session.commit()
        self.work()

    def work(self) -> None:
        while self.worker.run_once():
            pass
        with self.world.sessions() as session:
            assert [incident.message for incident in session.scalars(select(Incident))] == []

    def variables(self) -> dict[str, Any]:
        with self.world.sessions() as session:
            return instances.variables(session, self.id)

    def open_tasks(self) -> list[str]:
        self.work()
        with self.world.sessions() as session:
            return list(session.scalars(select(Task.element_id).where(Task.instance_id == self.id, Task.state == "open")))

    def fhir(self, act: Any) -> Any:
        """Something that a system does at our FHIR endpoint."""
        with self.world.sessions() as session:
            write_lock(session)
            done = act(Desk(session, self.world.settings, LIS, "http://clinic/fhir"))
            session.commit()
        return done


@pytest.fixture
def exam(world: World) -> Exam:
    return Exam(world)


def glucose(patient: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "葡萄糖"},
        "subject": {"reference": f"Patient/{patient}"}, "valueQuantity": {"value": 198, "unit": "mg/dL"},
        "referenceRange": [{"low": {"value": 70}, "high": {"value": 110}}], "interpretation": [{"coding": [{"code": "H"}]}],
    }  # fmt: skip


def report(exam: Exam, number: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport", "status": "final", "code": {"text": "报告"}, "subject": {"reference": f"Patient/{exam.world.patient_id}"},
        "identifier": [{"system": ORDER, "value": number}], **more,
    }  # fmt: skip


def test_over_hl7_from_the_simulated_laboratory_and_radiology(exam: Exam) -> None:
    for end in ("lis", "ris"):
        (item,) = exam.world.desk.of(end)
        exam.world.simulators.answer(item, "abnormal")
    exam.world.placed()
    assert exam.open_tasks() == ["Task_Review"]
    assert exam.variables()["labResults"]
    assert "右下肺炎症可能" in exam.variables()["imagingReport"]
    with exam.world.sessions() as session:
        kept = [(row.kind, row.status) for row in session.scalars(select(FhirResource)) if row.kind != "Observation"]
        assert sorted(kept) == [("DiagnosticReport", "final")] * 2 + [("ServiceRequest", "completed")] * 2
        for row in session.scalars(select(FhirResource).where(FhirResource.kind == "DiagnosticReport")):
            for reference in store.shown(row)["result"]:
                assert (
                    search.read(session, LIS, "Observation", reference["reference"].split("/")[1])["encounter"]["reference"]
                    == f"Encounter/{exam.id}"
                )


def test_over_fhir_as_a_transaction_and_as_a_report_with_contained_results(exam: Exam) -> None:
    patient = exam.world.patient_id
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:o", "resource": glucose(patient), "request": {"method": "POST", "url": "Observation"}},
        {"resource": report(exam, exam.lab, result=[{"reference": "urn:uuid:o"}]), "request": {"method": "POST", "url": "DiagnosticReport"}},
    ]}  # fmt: skip
    exam.fhir(lambda desk: bundle.run(desk, whole))
    finding = {"resourceType": "Observation", "id": "f", "status": "final", "code": {"text": "所见"}, "valueString": "右下肺片状影"}
    imaging = report(exam, exam.imaging, contained=[finding], result=[{"reference": "#f"}], conclusion="肺炎可能")
    exam.fhir(lambda desk: create(desk, "DiagnosticReport", imaging).after())
    assert exam.open_tasks() == ["Task_Review"]
    (value,) = exam.variables()["labResults"]
    assert (value["value"], value["unit"], value["abnormal"], value["original"]["value"]) == (10.99, "mmol/L", "H", 198)
    assert exam.variables()["imagingReport"] == "右下肺片状影 肺炎可能"


def test_over_fhir_by_the_request_that_the_report_is_based_on(exam: Exam) -> None:
    with exam.world.sessions() as session:
        request = store.by_identifier(session, exam.world.settings, "ServiceRequest", ORDER, exam.lab)[0].fhir_id
    body = {**report(exam, "", basedOn=[{"reference": f"ServiceRequest/{request}"}]), "identifier": [{"system": "urn:lis", "value": "L9"}]}
    for status in ("partial", "final"):
        exam.fhir(lambda desk, status=status: create(desk, "DiagnosticReport", {**body, "status": status}).after())
        assert ("labStatus" in exam.variables()) is (status == "final")
    assert exam.variables()["labStatus"] == "final"


def test_a_correction_after_the_process_went_on_is_listed(exam: Exam) -> None:
    exam.fhir(lambda desk: create(desk, "DiagnosticReport", report(exam, exam.lab)).after())
    exam.fhir(lambda desk: create(desk, "DiagnosticReport", report(exam, exam.lab, status="corrected")).after())
    with exam.world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["after_the_fact"]


def test_a_report_about_another_patient_is_not_handed_on(exam: Exam) -> None:
    other = str(exam.world.call("patient.save", "other", name="李四")["patientId"])
    exam.fhir(lambda desk: create(desk, "DiagnosticReport", {**report(exam, exam.lab), "subject": {"reference": f"Patient/{other}"}}).after())
    assert "labStatus" not in exam.variables()
    with exam.world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["other_patient"]


def test_a_result_without_its_order_number_is_placed_by_a_person(exam: Exam) -> None:
    from integrations.hl7 import inbound

    text = "MSH|^~\\&|LAB|H|||20261122||ORU^R01|9|P|2.5.1\rPID|1\rOBR|1|||2345-7^GLU^LN|||||||||||||||||||||F\rOBX|1|NM|2345-7^GLU^LN||198|mg/dL|||||F\r"
    take(exam.world.sessions, text.encode())
    with exam.world.sessions() as session:
        write_lock(session)
        ((item, _),) = worklist.open_items(session)
        inbound.assign(session, item.id, exam.lab, by="engineer")
        session.commit()
    assert exam.variables()["labStatus"] == "final"


def test_the_visit_is_an_encounter_with_its_orders(exam: Exam) -> None:
    with exam.world.sessions() as session:
        assert session.get_one(Instance, exam.id).subject == exam.world.patient_id
        seen = search.read(session, LIS, "Encounter", exam.id)
        (request,) = store.by_identifier(session, exam.world.settings, "ServiceRequest", ORDER, exam.imaging)
    assert seen["subject"]["reference"] == f"Patient/{exam.world.patient_id}"
    assert store.shown(request)["encounter"]["reference"] == f"Encounter/{exam.id}"
