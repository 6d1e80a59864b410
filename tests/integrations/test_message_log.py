"""The message log over real wires: tried again, replayed, corrected, purged; stopped connections lose nothing; no name leaks."""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, ConnectorFailed, Refused
from engine.execution import check, instances, jobs
from engine.execution.tables import Job, Message
from integrations import redact, runtime
from integrations.connections import book, certificates, history, listening, upkeep
from integrations.hl7 import mllp, read
from integrations.messages import again, figures, placing, search, worklist
from integrations.messages.tables import MessageAction, MessageLog, WorkItem
from integrations.notices.tables import Alert
from tests.far_ends.tls import Tls
from tests.integrations.conftest import PATIENT, World
from tests.integrations.test_mllp import result, send
from web import logs

CANARY = "司徒金丝雀"
SECRET = "canary-secret-7731"
ORDER = {"orderId": "O1", "tests": [{"code": "718-7", "name": "HGB"}], "visitNumber": "V1"}


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with world.sessions() as session:
        yield session


def one(session: Session, **where: Any) -> MessageLog:
    session.rollback()
    session.expire_all()
    return session.scalars(select(MessageLog).filter_by(**where)).one()


def order(world: World, key: str = "i1:t1:1", **changed: Any) -> dict[str, object]:
    return world.call("hl7.oml_o21", key, patientId=world.patient_id, **{**ORDER, **changed})


def received(world: World, payload: bytes) -> None:
    send(world.listener.port, payload)
    world.placed()


def published(session: Session, key: str) -> int:
    return len(session.scalars(select(Message).where(Message.name == "lab_result", Message.key == key)).all())


# ── again ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_replaying_a_result_has_no_second_effect(world: World, session: Session) -> None:
    order(world)
    received(world, result("O1"))
    row = one(session, direction="in")
    again.replay(session, row.id, by="engineer", why="the ward asks for it")
    session.commit()
    assert one(session, direction="in").state == "matched"
    assert published(session, "O1") == 1, "its control id is the same"


def test_a_corrected_result_is_a_new_message_that_names_the_first(world: World, session: Session) -> None:
    order(world)
    received(world, result("WRONG"))
    row = one(session, direction="in")
    before = dict(row.raw)
    done = again.edit(session, row.id, str(row.raw["text"]).replace("WRONG", "O1").replace("\r", "\r\n"), by="engineer", why="typing error")
    session.commit()
    made = session.get_one(MessageLog, done.made_id)
    assert (made.state, made.origin_id, made.reference) == ("matched", row.id, "O1")
    assert session.get_one(MessageLog, row.id).raw == before
    assert published(session, "O1") == 1
    again.edit(session, row.id, str(made.raw["text"]), by="engineer", why="once more")
    session.commit()
    assert published(session, "O1") == 2, "each corrected copy is a message of its own"


def test_what_is_no_message_is_refused_and_nothing_without_a_reason(world: World, session: Session) -> None:
    received(world, result("O1"))
    row = one(session, direction="in")
    with pytest.raises(Refused, match="no HL7"):
        again.edit(session, row.id, "hello", by="engineer", why="try")
    with pytest.raises(Refused, match="Say why"):
        again.retry(session, row.id, by="engineer", why="  ")
    assert session.scalars(select(MessageAction)).all() == []


def test_an_order_that_came_late_is_found_when_it_is_tried_again(world: World, session: Session) -> None:
    received(world, result("O1"))
    order(world)
    row = one(session, direction="in")
    done = again.retry(session, row.id, by="engineer", why="the order is there now")
    session.commit()
    assert (done.outcome, published(session, "O1")) == ("matched", 1)
    assert [item.state for item in session.scalars(select(WorkItem))] == ["again"]


def test_replaying_what_we_sent_goes_out_with_the_same_control_id(world: World, session: Session) -> None:
    order(world)
    row = one(session, direction="out")
    again.replay(session, row.id, by="engineer", why="LIS lost a day")
    session.commit()
    assert again.send_queued() == 1
    made = one(session, origin_id=row.id)
    assert (made.state, made.sent) == ("answered", row.sent)
    assert read.parse(str(made.answer)).get("MSA", 2) == read.parse(str(row.sent)).control
    assert len(world.desk.of("lis")) == 1, "the laboratory recognises it"


def test_a_call_with_corrected_input_is_another_message_that_names_the_first(world: World, session: Session) -> None:
    world.desk.set_down("lis", 60)
    with pytest.raises(ConnectorFailed):
        order(world)
    world.desk.set_down("lis", 0)
    first = one(session, direction="out")
    eventually(lambda: order(world, "i1:t1:1~1", tests=[{"code": "2345-7", "name": "GLU"}]))
    second = one(session, direction="out", state="answered")
    assert (second.origin_id, second.control != first.control) == (first.id, True)
    assert "718-7" in str(one(session, id=first.id).sent)


# ── stopped ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_calls_of_a_stopped_connection_wait_and_keep_their_tries(world: World, session: Session) -> None:
    book.switch(session, "lis", "stopped", by="engineer")
    session.commit()
    with pytest.raises(ConnectorFailed) as failed:
        order(world)
    job = Job(id="j1", kind="call", state="running", owner="w", instance_id="i1", token="t1", attempts=1, attempts_left=2, due=clock.now())
    written: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_fence", lambda _session, _job, _owner, **values: written.update(values))
        jobs.fail(session, job, "w", failed.value)
    assert (written["state"], written["attempts_left"]) == ("ready", 2)
    assert one_or_none(session, direction="out") is None, "nothing was sent, nothing is in the log"


def one_or_none(session: Session, **where: Any) -> MessageLog | None:
    return session.scalars(select(MessageLog).filter_by(**where)).first()


def test_a_stopped_listener_asks_its_senders_to_come_again(world: World, session: Session) -> None:
    book.switch(session, "mllp", "stopped", by="engineer")
    session.commit()
    answer = send(world.listener.port, result("O1"))
    assert (answer.get("MSA", 1), answer.get("MSA", 2)) == ("AE", "C1")
    assert one_or_none(session, direction="in") is None
    book.switch(session, "mllp", "started", by="engineer")
    session.commit()
    assert send(world.listener.port, result("O1")).get("MSA", 1) == "AA"


def test_listeners_follow_the_book(world: World) -> None:
    from tests.machines import free_port

    stop, first, second = threading.Event(), free_port(), free_port()
    move_listener(first)
    thread = threading.Thread(target=listening.forever, args=(world.sessions, world.settings, stop), daemon=True)
    thread.start()
    try:
        eventually(lambda: send(first, result("O1")).get("MSA", 1) == "AA")
        move_listener(second)
        eventually(lambda: send(second, result("O1")).get("MSA", 1) == "AA")
        with pytest.raises(ConnectorFailed):
            mllp.send({"host": "127.0.0.1", "port": first, "timeout": 1}, b"x", idempotent=True)
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def move_listener(port: int) -> None:
    with runtime.transaction() as session:
        book.put(session, "mllp", "mllp_listener", address={"host": "127.0.0.1", "port": port}, direction="in")


def eventually(true: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if true():
                return
        except (ConnectorFailed, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError("it never came true")


# ── upkeep ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_payloads_go_after_the_connections_retention_and_the_rest_stays(world: World, session: Session) -> None:
    order(world)
    received(world, result("NOBODY"))
    with runtime.transaction() as writing:
        for name, kind in (("lis", "mllp"), ("mllp", "mllp_listener")):
            row = book.get(writing, name)
            book.put(writing, name, kind, address=row.address, direction=row.direction, keep_days=30, by="engineer")
    assert upkeep.purge_all() == 0
    with clock.at(clock.now() + timedelta(days=31)):
        assert upkeep.purge_all() == 1
        assert upkeep.purge_all() == 0
    sent = one(session, direction="out")
    assert (sent.sent, sent.answer, sent.mapped, sent.state, sent.reference) == (None, None, None, "answered", "O1")
    assert sent.purged is not None
    assert one(session, direction="in").raw is not None, "what is on the work list waits for a person"
    change = history.of(session, "lis")[0]
    assert (change.what, change.detail["messages"]) == ("purged", [1, 0])
    assert again.possible(session, sent) == ()


def test_alarms_reach_the_engineers_strip_once(world: World, session: Session) -> None:
    with runtime.transaction() as writing:
        row = book.get(writing, "lis")
        row.last_bad, row.last_good = clock.now(), clock.now() - timedelta(minutes=11)
    upkeep.tell()
    upkeep.tell()
    (alert,) = session.scalars(select(Alert)).all()
    assert alert.role == "integration_engineer"
    assert "lis" in alert.text


def test_a_certificate_is_looked_at_by_itself_and_alarms_before_it_ends(world: World, session: Session, tmp_path: Path) -> None:
    tls = Tls(tmp_path)
    peer = socket.create_server(("127.0.0.1", 0))
    secured = tls.server().wrap_socket(peer, server_side=True)

    def greet() -> None:
        with contextlib.suppress(OSError):
            secured.accept()[0].close()

    threading.Thread(target=greet, daemon=True).start()
    with runtime.transaction() as writing:
        book.put(writing, "secured", "mllp", address={"host": "127.0.0.1", "port": secured.getsockname()[1], "tls": True})
        address = {
            "host": "127.0.0.1",
            "port": 1,
            "tls": True,
            "certificate_file": str(tls.server_files[0]),
            "key_file": str(tls.server_files[1]),
        }
        book.put(writing, "ours", "mllp_listener", address=address, direction="in")
        book.put(writing, "away", "http", address={"url": "https://127.0.0.1:9"})
        book.get(writing, "away").expires = clock.now() + timedelta(days=3)
    assert certificates.look() == 2
    ends = {row.name: row.expires for row in book.listed(session) if row.expires}
    assert ends["secured"] == ends["ours"] == x509.load_pem_x509_certificate(tls.server_files[0].read_bytes()).not_valid_after_utc
    with clock.at(ends["ours"] - timedelta(days=10)):
        warned = {alarm.connection for alarm in figures.alarms(session) if alarm.kind == "certificate"}
    assert warned >= {"secured", "ours", "away"}, "one that cannot be reached keeps what was known of it"
    secured.close()


def test_a_replay_that_a_crash_cut_short_ends_among_the_dead_letters(world: World, session: Session) -> None:
    order(world)
    with runtime.transaction() as writing:
        made = again.replay(writing, one(writing, direction="out").id, by="engineer", why="they lost it").made_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("integrations.messages.again.mllp.send", lambda *_a, **_k: sys.exit(1))
        with pytest.raises(SystemExit):
            again.send_queued()
    row = session.get_one(MessageLog, made)
    assert (row.state, upkeep.settle()) == ("sending", 0), "it may still be under way"
    with clock.at(clock.now() + timedelta(minutes=11)):
        assert upkeep.settle() == 1
    row = one(session, id=made)
    assert (row.state, row.error, [m.id for m in search.find(session, state=search.DEAD)]) == ("unknown", again.CUT_SHORT, [made])
    with runtime.transaction() as writing:
        again.replay(writing, made or "", by="engineer", why="the laboratory has nothing")
    again.send_queued()
    assert one(session, origin_id=made).state == "answered"


def calling(type_: str, given: str) -> bytes:
    """A process that makes one call."""
    return (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        'targetNamespace="t"><bpmn:process id="calling" isExecutable="true"><bpmn:startEvent id="Start"/><bpmn:serviceTask id="Call">'
        f'<bpmn:extensionElements><zeebe:taskDefinition type="{type_}"/><zeebe:ioMapping>{given}</zeebe:ioMapping></bpmn:extensionElements>'
        '</bpmn:serviceTask><bpmn:endEvent id="End"/><bpmn:sequenceFlow id="F1" sourceRef="Start" targetRef="Call"/>'
        '<bpmn:sequenceFlow id="F2" sourceRef="Call" targetRef="End"/></bpmn:process></bpmn:definitions>'
    ).encode()


@pytest.mark.parametrize(
    ("type_", "given", "wanted"),
    [
        ("payment.order", "<zeebe:input source='alipay' target='channel'/>", "alipay"),
        ("fhir.referral", "<zeebe:input source='partner' target='hospital'/>", "partner"),
        ("hl7.siu", "<zeebe:input source='x' target='department'/>", "his"),
    ],
)
def test_a_call_waits_for_the_connection_that_it_will_go_to_although_nothing_was_ever_sent(
    world: World, session: Session, type_: str, given: str, wanted: str
) -> None:
    with runtime.transaction() as writing:
        check.deploy(writing, {"calling.bpmn": calling(type_, given)}, by="test")
        instances.start(writing, "calling")
    waiting = {figure.name: figure.waiting for figure in figures.figures(session)}
    assert {name: count for name, count in waiting.items() if count} == {wanted: 1}


def test_an_open_circuit_is_seen_by_every_process(world: World, session: Session) -> None:
    world.desk.set_down("lis", 60)
    for n in range(6):
        with pytest.raises(ConnectorFailed):
            order(world, f"i1:t{n}:1")
    row = book.get(session, "lis")
    assert row.circuit == "open"
    assert ("lis", "circuit") in {(alarm.connection, alarm.kind) for alarm in figures.alarms(session)}


def test_endpoints_differ_by_environment_without_touching_the_rows(world: World, session: Session) -> None:
    real = book.get(session, "lis").address["port"]
    with runtime.transaction() as writing:
        book.put(writing, "lis", "mllp", address={"host": "lis.hospital.example", "port": 1, "idempotent": True})
    (world.settings.var_dir / book.OVERRIDES).write_text(f'[lis]\nhost = "127.0.0.1"\nport = {real}\n')
    book.forget()
    order(world)
    assert len(world.desk.of("lis")) == 1
    (world.settings.var_dir / book.OVERRIDES).write_text("[lis\n")
    book.forget()
    with pytest.raises(ConnectorFailed, match="cannot be read"):
        order(world, "i1:t2:1")


# ── the work list ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_kept_with_a_patient_is_found_with_them(world: World, session: Session) -> None:
    received(world, result("NOBODY"))
    ((item, _),) = worklist.open_items(session)
    placing.attach(session, item.id, world.patient_id, by="engineer")
    session.commit()
    assert [row.state for row in search.find(session, patient_id=world.patient_id, direction="in")] == ["matched"]
    assert "replay" not in again.possible(session, one(session, direction="in")) or not placing.placed_by_hand(
        session, one(session, direction="in")
    )


# ── nothing leaks (figure 19 of reliability) ─────────────────────────────────────────────────────────────────────────────

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("hl7.adt_a04", {"visitNumber": "V1", "department": "ent"}),
    ("hl7.adt_a08", {}),
    ("hl7.oml_o21", ORDER),
    ("hl7.omi_o23", {"visitNumber": "V1", "orderId": "O2", "procedure": {"code": "X", "name": "Chest", "modality": "DX"}}),
    ("hl7.dft_p03", {"visitNumber": "V1", "paymentId": "P1", "items": [{"code": "1", "name": "x", "amount": 100}]}),
    ("hl7.siu", {"appointmentId": "A1", "department": "ent", "start": "2026-11-23T09:00:00"}),
    ("payment.order", {"orderId": "PO1", "amount": 100, "currency": "CNY", "channel": "card", "description": CANARY}),
    ("fhir.referral", {"referralId": "R1", "reason": CANARY, "summary": CANARY, "department": "ent", "hospital": "partner", "priority": "routine",
                       "deadline": "2026-12-01"}),
    ("http.request", {"method": "POST", "path": "/x", "body": {"patientName": CANARY}}),
    ("mail.send", {"to": ["a@b.example"], "subject": CANARY, "text": CANARY}),
    ("patient.search", {"name": CANARY}),
]  # fmt: skip


@pytest.mark.parametrize("far_ends", ["up", "down"])
def test_no_name_and_no_secret_in_logs_errors_or_raw_pages(world: World, far_ends: str) -> None:
    """Through every connector's path, into every log: once with far ends that answer, once with far ends that are away."""
    written = io.StringIO()
    logs.configure("DEBUG", stream=written)
    facts = {**PATIENT, "name": CANARY, "phone": "13917317731", "idCard": "110101198503120025", "address": f"{CANARY}路"}
    facts.pop("idCard")
    world.patient_id = str(world.call("patient.save", "canary", **facts)["patientId"])
    with runtime.transaction() as session:
        for row in book.listed(session):
            address = (
                {**row.address, "port": 9, "url": "http://127.0.0.1:9"} if far_ends == "down" and row.kind != "mllp_listener" else row.address
            )
            book.put(session, row.name, row.kind, address=address, secrets={**(row.secrets or {}), "canary": SECRET}, direction=row.direction)
        for name, kind in (("http", "http"), ("mail", "smtp")):
            book.put(session, name, kind, address={"url": "http://127.0.0.1:9", "host": "127.0.0.1", "port": 9, "sender": "c@d.example"},
                     secrets={"token": SECRET})  # fmt: skip
    errors = []
    for number, (type_, given) in enumerate(CALLS):
        about = {"patientId": world.patient_id} if type_.startswith(("hl7", "payment", "fhir")) else {}
        try:
            world.call(type_, f"i1:t{number}:1", **about, **given)
        except (BpmnError, ConnectorFailed) as error:
            errors.append(f"{error.message} {error.args} {error.details}")
    bad = f"MSH|^~\\&|LAB|H|C|C|20261122||ORU^R01|X9|P|2.5.1\rPID|1||77^^^X||{CANARY}\rOBR|1|NONE\r".encode()
    for payload in (bad, f"no hl7 at all {CANARY}".encode()):
        received(world, payload)
    with world.sessions() as session:
        rows = session.scalars(select(MessageLog)).all()
        assert len(rows) >= 10
        errors += [row.error or "" for row in rows] + [row.last_error or "" for row in book.listed(session)]
        masked = orjson.dumps([search.stages(row, masked=True, known=search.known_of(session, row)) for row in rows if row.patient_id]).decode()
    pages = b"".join(path.read_bytes() for path in world.settings.var_dir.glob("carelane.db*"))
    assert b"message_log" in pages, "the pages were read"
    for canary in (CANARY, SECRET, "13917317731"):
        for piece in {canary.encode(), canary.encode("gb18030"), canary.encode("utf-16-le"), orjson.dumps(canary)[1:-1]}:
            assert piece not in pages, f"{canary} in the database's pages"
        assert canary not in written.getvalue()
        assert not [text for text in errors if canary in text]
        assert canary not in masked


def test_a_name_that_a_far_end_repeats_is_masked_in_its_complaint(world: World, session: Session) -> None:
    from integrations.messages import log

    patient = session.get_one(log.Patient, world.patient_id)

    def refuse(*_args: Any, **_options: Any) -> bytes:
        raise BpmnError("FAR_END_REFUSED", f"no bed for {patient.body['name']}, {patient.body['phone']}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mllp, "send", refuse)
        with pytest.raises(BpmnError) as refused:
            order(world)
    assert refused.value.message == one(session, direction="out").error == "no bed for 王**, 138******00"


# ── masks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "stage",
    [
        f"MSH|^~\\&|A|B|C|D|20261122||ADT^A40|1|P|2.5.1\rMRG|{CANARY}^^^X\rZPI|1|{CANARY}\rPV2|||{CANARY}\rNK1|1|{CANARY}\r",
        f"MSH$%~\\&$A$B\rPID$1$${CANARY}\r",
        f"MSH|^~\\&|A\rMSA|AE|1|no {CANARY}\rERR|||207|E||||{CANARY}\r",
        f'<a name="{CANARY}"><b>{CANARY}</b></a>',
        f'{{"name": "{CANARY}", "items": [{{"phone": "{CANARY}"}}]}}',
        f"id,name\n1,{CANARY}\n",
        {"resourceType": "Patient", "name": [{"family": CANARY, "given": [CANARY]}], "telecom": [{"value": CANARY}]},
        [{"address": {"line": [CANARY]}}],
    ],
)  # fmt: skip
def test_no_wire_shows_a_name_where_it_is_masked(stage: Any) -> None:
    assert CANARY not in orjson.dumps(redact.mask_stage(stage)).decode()


def test_structure_stays_readable_where_it_is_masked() -> None:
    assert redact.mask_stage("<order><code>718-7</code></order>") == "<order><code>***-*</code></order>"
    assert redact.mask_hl7("OBX|1|NM|718-7^HGB||13.1|g/dL") == "OBX|1|NM|718-7^HGB||****|g/dL"
