"""HL7 over real sockets: what goes out is right, what comes in is durable before it is acknowledged."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.tables import Message
from engine.settings import Settings
from integrations.hl7 import ack, mllp, read, write
from integrations.hl7.listener import Listener
from integrations.messages import worklist
from integrations.messages.tables import MessageLog
from tests.integrations.conftest import World

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
RESULT = (
    "MSH|^~\\&|LAB|H|CARELANE|CLINIC|20261122||ORU^R01^ORU_R01|{control}|P|2.5.1\r"
    "PID|1||{patient}^^^CARELANE^MR\rORC|RE|{order}\rOBR|1|{order}||718-7^HGB^LN|||||||||||||||||||||F\r"
    "OBX|1|NM|718-7^HGB^LN||13.1|g/dL|12-16|N|||F\r"
)


def result(order: str, control: str = "C1", patient: str = "") -> bytes:
    return RESULT.format(order=order, control=control, patient=patient).encode()


def send(port: int, payload: bytes) -> read.Message:
    return read.parse(read.split(mllp.send({"host": "127.0.0.1", "port": port, "timeout": 5}, payload, idempotent=True))[0])


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_delimiters_and_line_breaks_in_data_survive_the_way() -> None:
    text = "a|b^c&d~e\\f\r\n王"
    sent = write.message(
        ("ADT", "A04", "ADT_A01"), [write.segment("NTE", {3: text})], control="C", receiver=("H", ""), at=NOW, zone="Asia/Shanghai"
    )
    assert sent.count("\r") == 2
    assert read.parse(sent).get("NTE", 3) == text


def test_the_header_says_utf8_and_fits_version_2_5_1() -> None:
    sent = write.message(("ADT", "A04", "ADT_A01"), [], control=write.control_id("key"), receiver=("HIS", "H"), at=NOW, zone="Asia/Shanghai")
    message = read.parse(sent)
    assert [message.get("MSH", n) for n in (2, 3, 5, 7, 11, 12, 18)] == [
        "^~\\&",
        "CARELANE",
        "HIS",
        "20261122160000+0800",
        "P",
        "2.5.1",
        "UNICODE UTF-8",
    ]
    assert message.kind == "ADT^A04"
    assert len(message.control) == 20


def test_the_control_id_is_the_same_for_every_try_of_a_call() -> None:
    assert write.control_id("i1:t1:1") == write.control_id("i1:t1:1") != write.control_id("i1:t1:2")


@pytest.mark.parametrize(
    ("name", "parts"), [("王小明", ("王", "小明")), ("欧阳修", ("欧阳", "修")), ("John Smith", ("Smith", "John")), ("司马", ("司", "马"))]
)
def test_family_and_given_name(name: str, parts: tuple[str, str]) -> None:
    assert write.split_name(name) == parts


@pytest.mark.parametrize("code", ["AE", "CE"])
def test_an_error_answer_may_be_tried_again(code: str) -> None:
    with pytest.raises(ConnectorFailed, match="disk full") as failed:
        ack.judge(f"MSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|{code}|C1|disk full\r".encode(), "C1")
    assert failed.value.kind == "transient"


@pytest.mark.parametrize("code", ["AR", "CR"])
def test_a_reject_answer_is_a_business_error(code: str) -> None:
    with pytest.raises(BpmnError, match="no such patient") as refused:
        ack.judge(f"MSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|{code}|C1\rERR|||204|E||||no such patient\r".encode(), "C1")
    assert refused.value.code == "FAR_END_REFUSED"


@pytest.mark.parametrize("answer", [b"", b"hello", b"MSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|AA|OTHER\r"])
def test_an_answer_that_is_none_or_about_another_message_is_not_believed(answer: bytes) -> None:
    with pytest.raises(ConnectorFailed):
        ack.judge(answer, "C1")


def test_a_merge_names_the_former_record_number(world: World) -> None:
    other = world.call("patient.save", "other", name="王小明", medicalCard="M1")
    world.call("hl7.adt_a40", patientId=world.patient_id, mergedPatientId=other["patientId"])
    (item,) = world.desk.of("his")
    assert item.shown["lines"] == ["ADT^A40", other["medicalRecordNumber"]]


def test_an_appointment_carries_its_slot_and_status(world: World) -> None:
    given = {"appointmentId": "A1", "department": "ent", "start": "2026-11-23T09:00:00", "patientId": world.patient_id}
    made = world.call("hl7.siu", **given)
    assert str(made["fillerAppointment"]).startswith("B")
    world.call("hl7.siu", "k2", **{**given, "action": "cancel"})
    with world.sessions() as session:
        sent = [read.parse(str(row.sent)) for row in session.scalars(select(MessageLog).order_by(MessageLog.id))]
    assert [(m.kind, m.get("SCH", 25), m.get("SCH", 11, 4), m.get("SCH", 11, 5)) for m in sent] == [
        ("SIU^S12", "Booked", "20261123090000+0800", "20261123091500+0800"),
        ("SIU^S15", "Cancelled", "20261123090000+0800", "20261123091500+0800"),
    ]


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_reaches_its_order_in_the_clinics_units(world: World) -> None:
    order(world, "ORDER-1")
    answer = send(world.listener.port, result("ORDER-1"))
    assert (answer.get("MSA", 1), answer.get("MSA", 2)) == ("AA", "C1")
    world.placed()
    with world.sessions() as session:
        message = session.scalars(select(Message)).one()
        row = session.scalars(select(MessageLog).where(MessageLog.direction == "in")).one()
    assert (message.name, message.key) == ("lab_result", "ORDER-1")
    (observation,) = message.payload["observations"]
    assert (observation["value"], observation["unit"], observation["referenceRange"]) == (131, "g/L", "120-160")
    assert observation["original"]["unit"] == "g/dL"
    assert (row.state, row.instance_id, row.patient_id) == ("matched", "i1", world.patient_id)


def test_a_message_is_committed_before_it_is_acknowledged(world: World) -> None:
    seen: list[str] = []
    engine = world.sessions.kw["bind"]
    event.listen(engine, "commit", lambda _connection: seen.append("commit"))
    original = mllp.frame
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mllp, "frame", lambda payload: seen.append("answer") or original(payload))
        with socket.create_connection(("127.0.0.1", world.listener.port), 5) as peer:
            peer.sendall(original(result("NOBODY")))
            assert mllp.read_frame(peer)
    assert seen.index("commit") < seen.index("answer")


def test_a_message_that_cannot_be_stored_is_not_acknowledged(settings: Settings, tmp_path: Path) -> None:
    from engine import db

    broken = db.open_engine(Settings(var_dir=tmp_path / "empty"))  # a database without tables
    port = serve(db.sessions(broken), settings, {})
    with pytest.raises(ConnectorFailed, match="without an answer"):
        send(port, result("X"))
    broken.dispose()


def test_a_resend_is_acknowledged_and_counted_once(world: World) -> None:
    order(world, "ORDER-1")
    for _ in range(3):
        assert send(world.listener.port, result("ORDER-1")).get("MSA", 1) == "AA"
    world.placed()
    with world.sessions() as session:
        assert len(session.scalars(select(Message)).all()) == 1
        assert session.scalars(select(MessageLog).where(MessageLog.direction == "in")).one().attempts == 3


def test_several_messages_on_one_connection_and_in_pieces(world: World) -> None:
    order(world, "ORDER-1")
    wire = mllp.frame(result("ORDER-1", "C1")) + mllp.frame(result("ORDER-1", "C2"))
    with socket.create_connection(("127.0.0.1", world.listener.port), 5) as peer:
        for start in range(0, len(wire), 37):
            peer.sendall(wire[start : start + 37])
        kept = bytearray()
        answers = [read.parse(read.split(mllp.read_frame(peer, kept) or b"")[0]).get("MSA", 2) for _ in range(2)]
    assert answers == ["C1", "C2"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (result("NEVER-SENT"), "unknown_order"),
        (result(""), "no_order"),
        (b"MSH|^~\\&|A|B|||20261122||ADT^A08|9|P|2.5\rPID|1\r", "unknown_patient"),
        (b"MSH|^~\\&|A|B|||20261122||MDM^T02|9|P|2.5\rPID|1\r", "no_mapping"),
        (b"MSH|^~\\&|A|B|||20261122||ORU^R01|10|P|2.5\rPID|1\r", "no_order"),
        (b"\xff\xfe nothing at all", "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_what_finds_no_place_is_kept_and_listed_with_the_reason(world: World, payload: bytes, reason: str) -> None:
    send(world.listener.port, payload)
    world.placed()
    with world.sessions() as session:
        ((item, row),) = worklist.open_items(session)
    assert item.reason == reason
    assert item.detail
    assert row.raw


def test_a_result_for_another_patient_than_ordered_is_not_delivered(world: World) -> None:
    order(world, "ORDER-1")
    other = world.call("patient.save", "other", name="李四", birthDate="1970-01-01")["medicalRecordNumber"]
    send(world.listener.port, result("ORDER-1", patient=str(other)))
    world.placed()
    with world.sessions() as session:
        assert session.scalars(select(Message)).all() == []
        assert [item.reason for item, _ in worklist.open_items(session)] == ["other_patient"]


def test_a_control_id_used_again_for_other_content_is_not_taken_for_a_resend(world: World) -> None:
    order(world, "ORDER-1")
    order(world, "ORDER-2", key="k2")
    send(world.listener.port, result("ORDER-1"))
    send(world.listener.port, result("ORDER-2"))
    world.placed()
    with world.sessions() as session:
        assert [item.reason for item, _ in worklist.open_items(session)] == ["control_reused"]


def test_a_preliminary_result_is_kept_and_not_delivered(world: World) -> None:
    order(world, "ORDER-1")
    send(world.listener.port, result("ORDER-1").replace(b"|F\rOBX", b"|P\rOBX"))
    world.placed()
    with world.sessions() as session:
        assert session.scalars(select(Message)).all() == []
        assert session.scalars(select(MessageLog).where(MessageLog.direction == "in")).one().state == "matched"


def test_tls_both_ways(sessions: sessionmaker[Session], settings: Settings, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    port = serve(sessions, settings, {"tls": True, "certificate_file": certificate, "key_file": key})
    address = {"host": "127.0.0.1", "port": port, "timeout": 5, "tls": True, "server_name": "localhost", "ca_file": str(certificate)}
    assert b"MSA|AA|C1" in mllp.send(address, result("X"), idempotent=True)
    with pytest.raises(ConnectorFailed) as failed:
        mllp.send({**address, "ca_file": None}, result("X"), idempotent=True)
    assert failed.value.kind == "transient"
    assert isinstance(failed.value.__cause__, ssl.SSLCertVerificationError)


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    for stop, thread in RUNNING:
        stop.set()
        thread.join(5)
    RUNNING.clear()


RUNNING: list[tuple[threading.Event, threading.Thread]] = []


def serve(sessions: sessionmaker[Session], settings: Settings, address: dict[str, object]) -> int:
    stop = threading.Event()
    listener = Listener(sessions, settings, {"port": 0, **address})
    thread = threading.Thread(target=listener.run, args=(stop,), daemon=True)
    thread.start()
    RUNNING.append((stop, thread))
    return listener.port


def order(world: World, number: str, key: str = "k1") -> None:
    tests = [{"code": "718-7", "name": "HGB"}]
    world.call("hl7.oml_o21", key, patientId=world.patient_id, visitNumber="V1", orderId=number, tests=tests)


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private
