"""The pharmacy: a prescription goes out as RDE^O11, what was given out comes back as RDS^O13 to the visit that waits."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.errors import ConnectorFailed
from engine.execution.tables import Message
from integrations.connections import probe
from integrations.hl7 import inbound, read
from integrations.messages.tables import MessageLog, WorkItem
from integrations.pharmacy import dispense
from integrations.simulators.pharmacy_end import OUT_OF_STOCK
from tests.integrations.conftest import World

AMOXICILLIN = {"drug": "amoxicillin", "name": "阿莫西林", "dose": "0.5 g", "frequency": "tid", "days": 5, "quantity": 2}
IBUPROFEN = {"drug": "ibuprofen", "dose": "0.2g", "frequency": "prn", "quantity": 1, "unit": "瓶", "route": "PO"}


def prescribe(world: World, order_id: str = "V1-P1", **changes: object) -> dict[str, object]:
    values = {"patientId": world.patient_id, "visitNumber": "V1", "orderId": order_id, "items": [AMOXICILLIN, IBUPROFEN], **changes}
    return world.call("pharmacy.dispense", f"key-{order_id}", **values)


def published(world: World) -> list[Message]:
    world.placed()
    with world.sessions() as session:
        return list(session.scalars(select(Message).order_by(Message.id)))


def test_a_prescription_is_an_encoded_order_with_dose_route_and_duration(world: World) -> None:
    answer = prescribe(world, note="饭后服用")
    assert answer["ack"] == "AA"
    assert str(answer["fillerOrder"]).startswith("P")
    with world.sessions() as session:
        sent = read.parse(str(session.scalars(select(MessageLog).filter_by(kind="RDE^O11")).one().sent))
    (first, second), (tq1, _) = sent.segments("RXE"), sent.segments("TQ1")
    assert [sent.of(first, n) for n in (2, 3, 5, 10, 11, 15)] == ["amoxicillin", "0.5", "g", "2", "盒", "V1-P1"]
    assert [sent.of(second, n) for n in (2, 3, 5, 10, 11)] == ["ibuprofen", "0.2", "g", "1", "瓶"]
    assert [sent.of(tq1, 3), sent.of(tq1, 6), sent.of(tq1, 6, 2), sent.of(tq1, 9)] == ["TID", "5", "d", "R"]
    assert [sent.of(orc, 2) for orc in sent.segments("ORC")] == ["V1-P1-1", "V1-P1-2"]
    assert {sent.of(orc, 4) for orc in sent.segments("ORC")} == {"V1-P1"}
    assert "饭后服用" in sent.text


def test_what_was_given_out_reaches_the_visit_once(world: World) -> None:
    prescribe(world)
    (item,) = world.desk.of("pharmacy")
    assert item.shown["lines"] == ["阿莫西林 × 2 盒", "ibuprofen × 1 瓶"]
    world.simulators.answer(item, "normal")
    world.simulators.answer(item, "normal")
    (message,) = published(world)
    assert (message.name, message.key) == ("dispensed", "V1-P1")
    with world.sessions() as session:
        row = session.scalars(select(MessageLog).filter_by(kind="RDS^O13")).one()
        (payload,) = row.mapped
    assert (row.state, row.patient_id, row.instance_id) == ("matched", world.patient_id, "i1")
    assert (payload["status"], payload["pharmacist"]) == ("completed", "赵药师")
    assert [(each["code"], each["quantity"], each["unit"]) for each in payload["items"]] == [
        ("amoxicillin", 2.0, "盒"),
        ("ibuprofen", 1.0, "瓶"),
    ]


def test_drugs_that_are_out_of_stock_are_told(world: World) -> None:
    prescribe(world, "V1-P1", items=[AMOXICILLIN, {**IBUPROFEN, "drug": OUT_OF_STOCK}])
    prescribe(world, "V1-P2")
    items = {item.number: item for item in world.desk.of("pharmacy")}
    world.simulators.answer(items["V1-P1"], "normal")
    world.simulators.answer(items["V1-P2"], "abnormal")
    published(world)
    with world.sessions() as session:
        rows = {row.reference: row.mapped[0] for row in session.scalars(select(MessageLog).filter_by(kind="RDS^O13"))}
    assert (rows["V1-P1"]["status"], len(rows["V1-P1"]["items"])) == ("partial", 1)
    assert (rows["V1-P2"]["status"], rows["V1-P2"]["items"]) == ("refused", [])


def test_part_of_a_prescription_is_no_news_yet() -> None:
    text = (
        "MSH|^~\\&|RX|H|CARELANE|CLINIC|20261122||RDS^O13^RDS_O13|1|P|2.5.1\rORC|RE|V1-P1-1|||IP\r"
        "RXD|1|a^A^L|20261122|1|盒|||||P1^赵^药师\rORC|RE|V1-P1-2|||CM\rRXD|2|b^B^L|20261122|x|盒\r"
    )
    (said,) = dispense.read(read.parse(text))
    assert (said.order_id, said.final, said.payload["status"]) == ("V1-P1", False, "partial")
    assert [item["quantity"] for item in said.payload["items"]] == [1.0, None]


@pytest.mark.parametrize(
    ("orc", "reason"), [("ORC|RE|||OTHER-P9|CM", "unknown_order"), ("ORC|RE||||CM", "no_order"), ("NTE|1||no order at all", "no_order")]
)
def test_a_dispense_of_no_order_of_ours_goes_to_the_work_list(world: World, orc: str, reason: str) -> None:
    text = f"MSH|^~\\&|RX|H|CARELANE|CLINIC|20261122||RDS^O13^RDS_O13|77|P|2.5.1\r{orc}\rRXD|1|a^A^L|20261122|1|盒\r"
    with world.sessions() as session:
        (received,) = inbound.store(session, "mllp", text.encode())
        inbound.place(session, received.row.id)
        assert session.scalars(select(WorkItem)).one().reason == reason
        session.commit()


def test_a_dispense_for_another_patient_goes_to_the_work_list(world: World) -> None:
    prescribe(world)
    (item,) = world.desk.of("pharmacy")
    other = world.call("patient.save", "other", name="李四")
    with world.sessions() as session:
        sent = read.parse(str(session.scalars(select(MessageLog).filter_by(kind="RDE^O11")).one().sent))
    item.data["pid"] = str(item.data["pid"]).replace(sent.get("PID", 3), str(other["medicalRecordNumber"]))
    world.simulators.answer(item, "normal")
    assert published(world) == []
    with world.sessions() as session:
        assert session.scalars(select(WorkItem)).one().reason == "other_patient"


@pytest.mark.parametrize("dose", ["half a spoon", "g", ""])
def test_a_dose_that_is_none_is_named(world: World, dose: str) -> None:
    with pytest.raises(ConnectorFailed, match=r"items\[0\]\.dose") as failed:
        prescribe(world, items=[{**AMOXICILLIN, "dose": dose}])
    assert failed.value.kind == "permanent"


def test_an_empty_prescription_is_not_sent(world: World) -> None:
    with pytest.raises(ConnectorFailed, match="at least one drug"):
        prescribe(world, items=[])
    assert list(world.desk.of("pharmacy")) == []


def test_the_connection_is_tested_without_a_prescription(world: World) -> None:
    with world.sessions() as session:
        assert probe.test(session, "pharmacy").good
    assert list(world.desk.of("pharmacy")) == []
