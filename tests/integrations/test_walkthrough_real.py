"""The same visit with other people's programs around it: docs/integration/walkthrough.md tells it step by step.

HIS and LIS are servers of the `hl7` library, worklist and PACS an Orthanc, the hospital Medplum's FHIR server, the mail server aiosmtpd.
Payment is our simulator, whose wire the public client `wechatpayv3` accepts (test_payments.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy

import hl7
import httpx
import pytest
from sqlalchemy import select

from engine.db import write_lock
from engine.execution import instances
from engine.execution.tables import Instance, Subscription
from engine.execution.worker import Worker
from engine.models import deploy
from integrations.connections import book
from integrations.messages.tables import MessageLog, WorkItem
from integrations.payments.tables import Payment
from tests.far_ends import medplum
from tests.far_ends.orthanc import PASSWORD, USER, Orthanc
from tests.integrations.conftest import World
from tests.integrations.test_dicom import ask as ask_worklist
from tests.integrations.test_dicom import asked, image, look, pacs, store
from tests.integrations.test_fhir_connectors import server
from tests.integrations.test_general_connectors import smtp
from tests.integrations.test_mllp_peers import accepted, ask, lead, peer
from tests.integrations.test_walkthrough import Step, clinic, process

__all__ = ["clinic", "pacs", "server"]

STEPS: list[Step] = [
    ("Register", "hl7.adt_a04", {"patientId": "=patientId", "visitNumber": "=visit", "department": "surgery"}, {"registered": "=ack"}),
    ("Lab", "hl7.oml_o21", {"patientId": "=patientId", "visitNumber": "=visit", "orderId": '=visit+"-L"',
                            "tests": '=[{code:"2345-7",name:"血糖"}]'}, {"ordered": "=ack"}),
    ("LabResult", "lab_result", {"key": '=visit+"-L"'}, {"lab": "=observations"}),
    ("Image", "dicom.worklist", {"patientId": "=patientId", "visitNumber": "=visit", "orderId": '=visit+"-I"',
                                 "procedure": '={code:"CXR",name:"胸部 X 线",modality:"DX"}'}, {"accession": "=accession", "study": "=studyUid"}),
    ("ImageResult", "imaging_result", {"key": '=visit+"-I"'}, {"archived": "=studyUid", "pictures": "=images"}),
    ("Pay", "payment.order", {"patientId": "=patientId", "orderId": '=visit+"-P"', "amount": "=1250", "channel": "wechat"}, {"paymentId": "=paymentId"}),
    ("Paid", "payment_notified", {"key": '=visit+"-P"'}, {"paymentState": "=state"}),
    ("Post", "hl7.dft_p03", {"patientId": "=patientId", "visitNumber": "=visit", "paymentId": "=paymentId",
                             "items": '=[{code:"1",name:"诊察费",amount:1250}]'}, {"posted": "=ack"}),
    ("Refer", "fhir.referral", {"patientId": "=patientId", "referralId": '=visit+"-R"', "reason": "手术"}, {"task": "=taskId"}),
    ("Accepted", "referral_update", {"key": '=visit+"-R"'}, {"first": "=status"}),
    ("Reported", "referral_update", {"key": '=visit+"-R"'}, {"second": "=status"}),
    ("Tell", "mail.send", {"to": "patient@example.org", "subject": '="转诊 "+visit', "text": "对方医院已接诊。"}, {"mail": "=messageId"}),
]  # fmt: skip
GLUCOSE = (
    "MSH|^~\\&|LIS|LAB|CARELANE|CLINIC|20261122093000||ORU^R01^ORU_R01|{control}|P|2.5.1\rPID|1||{number}^^^CARELANE^MR\r"
    "OBR|1|{order}||2345-7^GLU^LN|||||||||||||||||||||F\rOBX|1|NM|2345-7^GLU^LN||99|mg/dL|70-105||||F\r"
)


@dataclass
class Walk:
    """The visit, and the worker that carries it."""

    world: World
    visit: str
    worker: Worker

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Works until something is so."""
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, f"{what}: {self.state()}"
            if not self.worker.run_once():
                time.sleep(0.05)

    def waits_for(self, element: str) -> None:
        """Works until the visit waits at an element."""
        self.until(lambda: element in self.waiting(), element)

    def waiting(self) -> list[str]:
        with self.world.sessions() as session:
            return list(session.scalars(select(Subscription.element_id).where(Subscription.instance_id == self.visit)))

    def ended(self) -> bool:
        with self.world.sessions() as session:
            return session.get_one(Instance, self.visit).state == "completed"

    def state(self) -> list[tuple[str, str, str | None]]:
        with self.world.sessions() as session:
            return [(row.kind, row.state, row.error) for row in session.scalars(select(MessageLog))]


@pytest.fixture
def real(clinic: World, pacs: Orthanc, server: str) -> Iterator[World]:
    """The clinic with its connections led to the programs of others."""
    with clinic.sessions() as session:
        book.put(session, "worklist", "dicom_folder", address={"folder": str(pacs.worklists), "station": "XRAY1"})
        web = {"url": pacs.url, "path": "/dicom-web", "timeout": 5, "watch": True}
        book.put(session, "dicomweb", "dicomweb", address=web, secrets={"user": USER, "password": PASSWORD}, direction="both")
        address = {"url": server, "path": "/fhir/R4", "timeout": 20}
        book.put(session, "partner", "fhir", address=address, secrets={"token": medplum.TOKEN}, direction="both")
        session.commit()
    book.forget()
    yield clinic
    for file in pacs.worklists.glob("*"):
        file.unlink()


def began(world: World) -> Walk:
    with world.sessions() as session:
        write_lock(session)
        deploy.deploy(session, {"walk.bpmn": process(STEPS)}, by="test")
        visit = instances.start(session, "walk", {"patientId": world.patient_id, "visit": "REAL-001"}).id
        session.commit()
    return Walk(world, visit, Worker(world.sessions, world.settings))


def referral_goes_on(world: World, server: str, task: str, status: str) -> None:
    """Somebody at the hospital moves the referral on their own server, which tells us."""
    theirs = {"Authorization": f"Bearer {medplum.TOKEN}", "Content-Type": "application/fhir+json"}
    with httpx.Client(trust_env=False, timeout=20) as client:
        resource = client.get(f"{server}/fhir/R4/Task/{task}", headers=theirs).json()
        changed = client.put(f"{server}/fhir/R4/Task/{task}", headers=theirs, content=json.dumps({**resource, "status": status}))
        assert changed.status_code == 200, changed.text
        with world.sessions() as session:
            token = book.get(session, "partner").secrets["inbound_token"]
        address = f"{world.simulators.partner._url}/Task/{task}"
        told = client.put(address, headers={"Authorization": f"Bearer {token}"}, content=changed.content)
    assert told.status_code in (200, 201), told.text


def field(message: hl7.Message, segment: str, number: int) -> str:
    return str(message.segment(segment)[number])


def test_a_visit_through_other_peoples_programs(real: World, pacs: Orthanc, server: str) -> None:
    with peer(accepted("AA")) as (his, registered), peer(accepted("AA")) as (lis, ordered), smtp(real.sessions) as sink:
        lead(real, "his", his)
        lead(real, "lis", lis)
        walk = began(real)

        walk.waits_for("LabResult")
        (order,) = ordered
        number = field(order, "PID", 3).partition("^")[0]
        (answer,) = ask(real.listener.port, GLUCOSE.format(control="G1", number=number, order=field(order, "ORC", 2)))
        assert str(answer.segment("MSA")[1]) == "AA"

        walk.waits_for("ImageResult")
        (entry,) = ask_worklist(pacs.dicom_port, asked(PatientName="王^小明"), called="ORTHANC")
        store(pacs, image(entry))
        assert [look(real), look(real)] == [0, 1]

        walk.waits_for("Accepted")
        with real.sessions() as session:
            task = str(instances.variables(session, walk.visit)["task"])
        referral_goes_on(real, server, task, "accepted")
        walk.waits_for("Reported")
        referral_goes_on(real, server, task, "completed")
        walk.until(walk.ended, "the end")

    with real.sessions() as session:
        values = instances.variables(session, walk.visit)
        assert session.scalars(select(Payment)).one().state == "paid"
        logged = {(row.direction, row.kind, row.state): row.instance_id for row in session.scalars(select(MessageLog))}
        assert session.scalars(select(WorkItem)).all() == []
    assert [field(message, "MSH", 9) for message in registered] == ["ADT^A04^ADT_A01", "DFT^P03^DFT_P03"]
    assert (values["registered"], values["posted"], values["paymentState"]) == ("AA", "AA", "paid")
    assert (values["lab"][0]["unit"], values["lab"][0]["original"]["value"]) == ("mmol/L", 99)
    assert (str(entry.AccessionNumber), values["archived"], values["pictures"]) == (values["accession"], values["study"], 1)
    assert (values["first"], values["second"]) == ("accepted", "completed")
    mail = message_from_bytes(sink.mails[0], policy=policy.default)
    assert (mail["Subject"], mail["Message-ID"]) == ("转诊 REAL-001", values["mail"])
    assert set(logged.values()) == {walk.visit}, "every message is tied to the visit"
    assert {state for _, _, state in logged} <= {"answered", "matched"}
