"""Peers that are not ours: the `hl7` library's own MLLP client and server, plain and over TLS where both sides show certificates."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.mllp import open_hl7_connection, start_hl7_server
from sqlalchemy import select

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import book
from integrations.hl7.listener import Listener
from integrations.messages.tables import MessageLog
from tests.integrations.conftest import World
from tests.integrations.test_hl7_inbound import told
from tests.integrations.test_mllp import result, self_signed

Answer = Callable[[hl7.Message], list[str]]
REFERRAL = {"referralId": "R-5", "reason": "需手术", "summary": "右下肺炎", "department": "surgery", "priority": "stat"}


def accepted(code: str, *segments: str, then: tuple[str, ...] = ()) -> Answer:
    """A server that answers with this code, further segments, and further answers after it."""

    def answer(message: hl7.Message) -> list[str]:
        first = message.create_ack(ack_code=code)
        more = [str(message.create_ack(ack_code=each)) for each in then]
        return ["\r".join([str(first).rstrip("\r"), *segments]) + "\r", *more]

    return answer


@contextmanager
def peer(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[hl7.Message]]]:
    """The library's own server on a free port, in an event loop of its own, and what it got."""
    got: list[hl7.Message] = []
    loop, ready = asyncio.new_event_loop(), threading.Event()
    port: list[int] = []

    async def serve(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                got.append(message)
                for text in answer(message):
                    writer.writeblock(text.encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await start_hl7_server(serve, host="127.0.0.1", port=0, encoding="utf-8", ssl=context)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield port[0], got
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)


def ask(port: int, *texts: str, context: ssl.SSLContext | None = None, answers: int = 1) -> list[hl7.Message]:
    """What the library's own client is answered to messages on one connection."""

    async def go() -> list[hl7.Message]:
        more = {"ssl": context, "server_hostname": "localhost"} if context else {}
        reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8", **more)
        found = []
        for text in texts:
            writer.writemessage(hl7.parse(text))
            await writer.drain()
            found += [await asyncio.wait_for(reader.readmessage(), 10) for _ in range(answers)]
        writer.close()
        return found

    with ThreadPoolExecutor(1) as own:  # a browser test's loop may run in this thread
        return own.submit(asyncio.run, go()).result()


def lead(world: World, name: str, port: int, **address: Any) -> None:
    """Makes a connection of ours lead to that peer."""
    with world.sessions() as session:
        made = {"host": "127.0.0.1", "port": port, "timeout": 5, "idempotent": True, **address}
        book.put(session, name, "mllp", address=made)
        session.commit()
    book.forget()


def arrive(world: World, key: str = "k1") -> dict[str, object]:
    return world.call("hl7.adt_a04", key, patientId=world.patient_id, visitNumber="V1", department="surgery")


# ── we send ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_our_message_is_understood_and_its_answer_too(world: World) -> None:
    with peer(accepted("AA", "PV1|1|O|||||||||||||||||H-42")) as (port, got):
        lead(world, "his", port)
        assert arrive(world) == {"hisVisitId": "H-42", "ack": "AA"}
    (message,) = got
    assert str(message.segment("PID")[5]) == "王^小明^^^^^L"
    assert [str(message.segment("MSH")(n)) for n in (9, 12, 15, 16)] == ["ADT^A04^ADT_A01", "2.5.1", "", ""]


def test_ae_is_tried_again_and_ar_is_not(world: World) -> None:
    codes = iter(["AE", "AA", "AR"])

    def answer(message: hl7.Message) -> list[str]:
        return accepted(next(codes))(message)

    with peer(answer) as (port, got):
        lead(world, "his", port)
        with pytest.raises(ConnectorFailed) as failed:
            arrive(world)
        assert failed.value.kind == "transient"
        assert arrive(world)["ack"] == "AA"
        with pytest.raises(BpmnError) as refused:
            arrive(world, "k2")
        assert refused.value.code == "FAR_END_REFUSED"
    assert str(got[0].segment("MSH")(10)) == str(got[1].segment("MSH")(10)) != str(got[2].segment("MSH")(10))


def test_enhanced_mode_waits_for_the_application(world: World) -> None:
    with peer(accepted("CA", then=("AA",))) as (port, got):
        lead(world, "his", port, acknowledgement="enhanced")
        assert arrive(world)["ack"] == "AA"
    assert [str(got[0].segment("MSH")(n)) for n in (15, 16)] == ["AL", "AL"]
    with peer(accepted("CA", then=("AR",))) as (port, _):
        lead(world, "his", port, acknowledgement="enhanced")
        with pytest.raises(BpmnError):
            arrive(world, "k2")
    with peer(accepted("CA")) as (port, _):
        lead(world, "his", port, acknowledgement="enhanced", timeout=0.5)
        with pytest.raises(ConnectorFailed, match="no answer"):
            arrive(world, "k3")


@pytest.mark.parametrize(("answer", "status"), [("P", "pending"), ("A", "accepted"), ("R", "rejected")])
def test_a_referral_goes_out_and_its_answer_says_how_it_stands(world: World, answer: str, status: str) -> None:
    with peer(accepted("AA", f"RF1|{answer}|||||R-5|||||EXT-9", "PRD|RT")) as (port, got):
        lead(world, "referral_hl7", port)
        made = world.call("hl7.ref_i12", patientId=world.patient_id, diagnosis="肺炎", diagnosisCode="J18.9", **REFERRAL)
        assert made == {"ack": "AA", "status": status, "taskId": "EXT-9"}
        assert world.call("hl7.ref_i12", patientId=world.patient_id, diagnosis="肺炎", diagnosisCode="J18.9", **REFERRAL) == made
    (message,) = got
    assert [str(segment[0]) for segment in message] == ["MSH", "RF1", "PRD", "PRD", "PID", "DG1", "PV1", "NTE"]
    assert [str(message.segment("RF1")(n)) for n in (1, 2, 6)] == ["P^Pending^HL70283", "S", "R-5"]
    assert [p["status"] for p in told(world, "referral_update")] == ([] if status == "pending" else [status])


def test_our_decision_about_a_referral_goes_out(world: World) -> None:
    with peer(accepted("AA")) as (port, got):
        lead(world, "referral_hl7", port)
        assert world.call("hl7.rri_i12", patientId=world.patient_id, referralId="R-77", decision="R", text="无床位") == {"ack": "AA"}
    assert str(got[0].segment("RF1")(1)) == "R^Rejected^HL70283"
    assert str(got[0].segment("NTE")(3)) == "无床位"


def test_tls_where_both_sides_show_a_certificate_as_sender(world: World, tmp_path: Path) -> None:
    server, server_key, client, client_key = certificates(tmp_path)
    with peer(accepted("AA"), server_context(server, server_key, client)) as (port, got):
        address = {"tls": True, "server_name": "localhost", "ca_file": str(server)}
        lead(world, "his", port, **address)
        with pytest.raises(ConnectorFailed):
            arrive(world)
        assert got == []
        lead(world, "his", port, **address, client_certificate_file=str(client), client_key_file=str(client_key))
        assert arrive(world)["ack"] == "AA"


# ── we listen ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_their_messages_are_answered_one_by_one(world: World) -> None:
    texts = [result("NOBODY", f"C{n}").decode() for n in range(3)]
    answers = ask(world.listener.port, *texts)
    assert [(str(a.segment("MSA")[1]), str(a.segment("MSA")[2])) for a in answers] == [("AA", f"C{n}") for n in range(3)]


@pytest.mark.parametrize(
    ("accept", "application", "codes"),
    [
        ("AL", "NE", ["CA"]),
        ("SU", "", ["CA"]),
        ("NE", "AL", ["AA"]),
        ("AL", "AL", ["CA", "AE"]),
        ("AL", "ER", ["CA", "AE"]),
        ("AL", "SU", ["CA"]),
    ],
)
def test_the_sender_is_answered_in_the_mode_it_asks_for(world: World, accept: str, application: str, codes: list[str]) -> None:
    text = result("NOBODY").decode().replace("|P|2.5.1\r", f"|P|2.5.1|||{accept}|{application}\r")
    answers = ask(world.listener.port, text, answers=len(codes))
    assert [str(a.segment("MSA")[1]) for a in answers] == codes  # AE: nobody here sent the order NOBODY


def test_a_referral_is_answered_by_rri(world: World) -> None:
    text = "MSH|^~\\&|HIS|H|||20261122||REF^I12^REF_I12|9|P|2.5.1\rRF1|P|R||||R-1\rPRD|RP\rPID|1||1||王^小明\r"
    (answer,) = ask(world.listener.port, text)
    assert str(answer.segment("MSH")[9]) == "RRI^I12^RRI_I12"
    assert [str(segment[0]) for segment in answer] == ["MSH", "MSA", "RF1", "PRD", "PID"]


def test_tls_where_both_sides_show_a_certificate_as_listener(world: World, tmp_path: Path) -> None:
    server, server_key, client, client_key = certificates(tmp_path)
    address = {"port": 0, "tls": True, "certificate_file": server, "key_file": server_key, "client_ca_file": client}
    listener, stop = Listener(world.sessions, world.settings, address, "mllp_tls"), threading.Event()
    thread = threading.Thread(target=listener.run, args=(stop,), daemon=True)
    thread.start()
    try:
        trusting = ssl.create_default_context(cafile=str(server))
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            ask(listener.port, result("X").decode(), context=trusting)
        trusting.load_cert_chain(client, client_key)
        (answer,) = ask(listener.port, result("X", "C7").decode(), context=trusting)
        assert str(answer.segment("MSA")[2]) == "C7"
    finally:
        stop.set()
        thread.join(5)
    with world.sessions() as session:
        assert [row.connection for row in session.scalars(select(MessageLog).where(MessageLog.direction == "in"))] == ["mllp_tls"]


def certificates(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Certificate and key of a server and of a client, each its own authority."""
    made = []
    for name in ("server", "client"):
        (folder / name).mkdir()
        made += self_signed(folder / name)
    server, server_key, client, client_key = made
    return server, server_key, client, client_key


def server_context(certificate: Path, key: Path, client: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client)
    return context
