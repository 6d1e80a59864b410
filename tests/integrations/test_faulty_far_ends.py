"""Far ends that fail, hang, lose answers and deliver twice, under the real worker: one effect a key, every exhausted try an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, update

from engine import clock
from engine.db import write_lock
from engine.execution import incidents, instances
from engine.execution.tables import Incident, Instance, Job
from engine.execution.worker import Worker
from engine.models import deploy
from integrations.connections import book, circuit
from integrations.simulators.desk import Faults
from tests.integrations.conftest import World

PROCESS = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
    targetNamespace="t"><bpmn:process id="registering" isExecutable="true">
  <bpmn:startEvent id="Start"><bpmn:outgoing>a</bpmn:outgoing></bpmn:startEvent>
  <bpmn:sequenceFlow id="a" sourceRef="Start" targetRef="Register"/>
  <bpmn:serviceTask id="Register" name="Register"><bpmn:extensionElements>
    <zeebe:taskDefinition type="hl7.adt_a04" retries="3"/>
    <zeebe:ioMapping><zeebe:input source="=patientId" target="patientId"/><zeebe:input source="=visit" target="visitNumber"/>
      <zeebe:input source="surgery" target="department"/><zeebe:output source="=hisVisitId" target="hisVisitId"/></zeebe:ioMapping>
    </bpmn:extensionElements><bpmn:incoming>a</bpmn:incoming><bpmn:outgoing>b</bpmn:outgoing></bpmn:serviceTask>
  <bpmn:sequenceFlow id="b" sourceRef="Register" targetRef="Pay"/>
  <bpmn:serviceTask id="Pay" name="Pay"><bpmn:extensionElements>
    <zeebe:taskDefinition type="payment.order" retries="3"/>
    <zeebe:ioMapping><zeebe:input source="=patientId" target="patientId"/><zeebe:input source="=visit" target="orderId"/>
      <zeebe:input source="=1250" target="amount"/><zeebe:input source="wechat" target="channel"/>
      <zeebe:output source="=state" target="state"/></zeebe:ioMapping>
    </bpmn:extensionElements><bpmn:incoming>b</bpmn:incoming><bpmn:outgoing>c</bpmn:outgoing></bpmn:serviceTask>
  <bpmn:sequenceFlow id="c" sourceRef="Pay" targetRef="End"/>
  <bpmn:endEvent id="End"><bpmn:incoming>c</bpmn:incoming></bpmn:endEvent>
</bpmn:process></bpmn:definitions>"""


@pytest.fixture(autouse=True)
def _impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short timeouts, and circuits that close again at once."""
    monkeypatch.setattr(circuit, "RESET_SECONDS", 0.01)
    with world.sessions() as session:
        for row in book.listed(session):
            row.address = {**row.address, "timeout": 0.25}
        session.commit()
    book.forget()
    yield
    circuit.reset()


def start(world: World, count: int) -> None:
    with world.sessions() as session:
        write_lock(session)
        deploy.deploy(session, {"registering.bpmn": PROCESS.encode()}, by="test")
        for number in range(count):
            instances.start(session, "registering", {"patientId": world.patient_id, "visit": f"VISIT-{number:03d}"})
        session.commit()


def work(world: World) -> None:
    """Runs the worker until nothing is left to try, skipping the pauses between tries."""
    worker = Worker(world.sessions, world.settings)
    for _ in range(2000):
        with world.sessions() as session:
            write_lock(session)
            session.execute(update(Job).where(Job.state == "ready", Job.kind == "call").values(due=clock.now()))
            waiting = session.scalar(select(func.count()).where(Job.state.in_(("ready", "running")), Job.kind == "call"))
            session.commit()
        if not waiting:
            return
        worker.run_once()
    raise AssertionError("jobs are left")


def states(world: World) -> Counter[str]:
    with world.sessions() as session:
        return Counter(session.scalars(select(Instance.state)))


def retry_all(world: World) -> int:
    with world.sessions() as session:
        write_lock(session)
        found = list(session.scalars(select(Incident.id).where(Incident.state == "open")))
        for incident in found:
            incidents.retry(session, incident, actor="engineer")
        session.commit()
    return len(found)


@pytest.mark.slow
@pytest.mark.parametrize("visits", [40, pytest.param(1000, marks=[pytest.mark.bench, pytest.mark.timeout(7200)])])
def test_one_effect_a_key_and_every_exhausted_try_an_incident(world: World, visits: int) -> None:
    """Two calls a visit: 2,000 in the long run."""
    for end in ("his", "wechat"):
        world.desk.faults[end] = Faults(error=0.10, hang=0.10, lost=0.05, duplicate=0.05, hang_seconds=0.4)
    start(world, visits)
    work(world)
    found = states(world)
    with world.sessions() as session:
        tried = session.scalar(select(func.sum(Job.attempts))) or 0
        open_ = session.scalar(select(func.count()).where(Incident.state == "open")) or 0
        failed = session.scalar(select(func.count()).where(Job.state == "failed")) or 0
    assert tried > visits * 2 + 5, "the faults did not bite"
    assert open_ == failed
    assert found["completed"] + open_ == visits
    world.desk.faults.clear()
    for _ in range(3):
        if not retry_all(world):
            break
        work(world)
    assert states(world) == Counter(completed=visits)
    effects = Counter((item.end, item.number) for item in world.desk.items.values())
    assert set(effects.values()) == {1}
    assert Counter(end for end, _ in effects) == Counter(his=visits, wechat=visits)


def test_without_the_key_a_lost_answer_has_two_effects(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with a fresh control id for each try, the far end cannot recognise what it has seen."""
    numbers = iter(range(1000))
    monkeypatch.setattr("integrations.hl7.write.control_id", lambda _key: f"FRESH{next(numbers):015d}")
    world.desk.faults["his"] = Faults(lost=1.0)
    start(world, 1)
    work(world)
    assert len(list(world.desk.of("his"))) > 1


def test_a_visit_waits_while_the_far_end_is_down_and_goes_on_when_it_is_back(world: World) -> None:
    world.desk.set_down("wechat", 60)
    start(world, 1)
    work(world)
    with world.sessions() as session:
        (incident,) = session.scalars(select(Incident).where(Incident.state == "open"))
        assert incident.element_id == "Pay"
        assert "wechat is busy: 503" in incident.message
    world.desk.set_down("wechat", 0)
    assert retry_all(world) == 1
    work(world)
    assert states(world) == Counter(completed=1)
