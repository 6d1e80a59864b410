"""One visit over every wire: HL7 out and in, a signed payment, a referral with its news, under the real worker and listener."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from engine.db import write_lock
from engine.execution import instances
from engine.execution.tables import Instance
from engine.execution.worker import Worker
from engine.models import deploy
from integrations import demo
from integrations.connections import book
from integrations.fhir import inbound
from integrations.messages.tables import MessageLog
from integrations.payments import hooks
from integrations.payments.tables import Payment
from integrations.simulators.web import Quiet
from tests.integrations.conftest import World

Step = tuple[str, str, dict[str, str], dict[str, str]]
STEPS: list[Step] = [  # id, connector, inputs, outputs
    ("Register", "hl7.adt_a04", {"patientId": "=patientId", "visitNumber": "=visit", "department": "surgery"}, {"hisVisitId": "=hisVisitId"}),
    ("Lab", "hl7.oml_o21", {"patientId": "=patientId", "visitNumber": "=visit", "orderId": '=visit+"-L"',
                            "tests": '=[{code:"2345-7",name:"血糖"}]'}, {"filler": "=fillerOrder"}),
    ("LabResult", "lab_result", {"key": '=visit+"-L"'}, {"lab": "=observations"}),
    ("Image", "hl7.omi_o23", {"patientId": "=patientId", "visitNumber": "=visit", "orderId": '=visit+"-I"',
                              "procedure": '={code:"CXR",name:"胸片",modality:"DX"}'}, {"accession": "=accession"}),
    ("ImageResult", "imaging_result", {"key": '=visit+"-I"'}, {"impression": "=impression", "reportedAccession": "=accession"}),
    ("Pay", "payment.order", {"patientId": "=patientId", "orderId": '=visit+"-P"', "amount": "=1250", "channel": "wechat"}, {"paymentId": "=paymentId"}),
    ("Paid", "payment_notified", {"key": '=visit+"-P"'}, {"paymentState": "=state"}),
    ("Post", "hl7.dft_p03", {"patientId": "=patientId", "visitNumber": "=visit", "paymentId": "=paymentId",
                             "items": '=[{code:"1",name:"诊察费",amount:1250}]'}, {"posted": "=ack"}),
    ("Refer", "fhir.referral", {"patientId": "=patientId", "referralId": '=visit+"-R"', "reason": "手术"}, {"task": "=taskId"}),
    ("Accepted", "referral_update", {"key": '=visit+"-R"'}, {"first": "=status"}),
    ("Reported", "referral_update", {"key": '=visit+"-R"'}, {"second": "=status", "report": "=report"}),
]  # fmt: skip


def process(steps: list[Step]) -> bytes:
    """The steps one after the other: service tasks, and events that catch the messages."""
    nodes, messages = ['<bpmn:startEvent id="Start"/>'], []
    for id_, type_, inputs, outputs in steps:
        io = "".join(f"<zeebe:output source='{escape(s)}' target='{t}'/>" for t, s in outputs.items())
        if "key" in inputs:
            messages.append(
                f"<bpmn:message id='M_{id_}' name='{type_}'><bpmn:extensionElements><zeebe:subscription "
                f"correlationKey='{escape(inputs['key'])}'/></bpmn:extensionElements></bpmn:message>"
            )
            nodes.append(
                f"<bpmn:intermediateCatchEvent id='{id_}'><bpmn:extensionElements><zeebe:ioMapping>{io}</zeebe:ioMapping></bpmn:extensionElements>"
                f"<bpmn:messageEventDefinition id='D_{id_}' messageRef='M_{id_}'/></bpmn:intermediateCatchEvent>"
            )
        else:
            io = "".join(f"<zeebe:input source='{escape(s)}' target='{t}'/>" for t, s in inputs.items()) + io
            nodes.append(
                f"<bpmn:serviceTask id='{id_}'><bpmn:extensionElements><zeebe:taskDefinition type='{type_}'/>"
                f"<zeebe:ioMapping>{io}</zeebe:ioMapping></bpmn:extensionElements></bpmn:serviceTask>"
            )
    ids = ["Start", *(step[0] for step in steps), "End"]
    flows = [f"<bpmn:sequenceFlow id='F{n}' sourceRef='{a}' targetRef='{b}'/>" for n, (a, b) in enumerate(pairwise(ids))]
    return (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        f'targetNamespace="t">{"".join(messages)}<bpmn:process id="walk" isExecutable="true">{"".join(nodes)}<bpmn:endEvent id="End"/>'
        f"{''.join(flows)}</bpmn:process></bpmn:definitions>"
    ).encode()


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("'", "&apos;").replace('"', "&quot;")


@pytest.fixture
def clinic(world: World) -> Iterator[World]:
    """A world whose far ends reach our webhook and FHIR endpoint over HTTP."""

    def app(environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        with world.sessions() as session:
            if request.path.startswith("/hooks/"):
                status, body = hooks.receive(session, request.path.split("/")[2], dict(request.headers), request.get_data())
            else:
                partner = inbound.sender(session, request.headers.get("Authorization"))
                status, body = inbound.update_task(session, json.loads(request.get_data()), connection=partner)
            session.commit()
        return Response(json.dumps(body), status, content_type="application/json")(environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    world.simulators.partner._url = f"{base}/fhir"
    with world.sessions() as session:
        demo.connect(session, world.settings, world.simulators.ports)
        wechat = book.get(session, "wechat")
        wechat.address = {**wechat.address, "notify_url": f"{base}/hooks/wechat"}
        session.commit()
    book.forget()
    world.desk.set_auto(True, 0.05)
    yield world
    server.shutdown()
    server.server_close()


def test_a_visit_over_every_wire(clinic: World) -> None:
    with clinic.sessions() as session:
        write_lock(session)
        deploy.deploy(session, {"walk.bpmn": process(STEPS)}, by="test")
        visit = instances.start(session, "walk", {"patientId": clinic.patient_id, "visit": "VISIT-001"}).id
        session.commit()
    worker = Worker(clinic.sessions, clinic.settings)
    state = "running"
    deadline = time.monotonic() + 60
    while state == "running" and time.monotonic() < deadline:
        if not worker.run_once():
            time.sleep(0.05)
        with clinic.sessions() as session:
            state = session.get_one(Instance, visit).state
    with clinic.sessions() as session:
        values = instances.variables(session, visit)
        assert state == "completed", [(r.kind, r.state, r.error) for r in session.scalars(select(MessageLog))]
        assert session.scalars(select(Payment)).one().state == "paid"
        log = session.scalars(select(MessageLog)).all()
    assert values["lab"][0]["unit"] == "mmol/L"
    assert values["accession"] == values["reportedAccession"]
    assert (values["paymentState"], values["posted"], values["first"], values["second"]) == ("paid", "AA", "accepted", "completed")
    assert values["report"]
    assert {row.instance_id for row in log} == {visit}
    assert {row.kind for row in log} >= {
        "ADT^A04",
        "OML^O21",
        "ORU^R01",
        "OMI^O23",
        "wechat.order",
        "TRANSACTION.SUCCESS",
        "DFT^P03",
        "fhir.Bundle",
        "fhir.Task",
    }
