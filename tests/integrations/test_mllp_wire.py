"""What a wire can do wrong: framing, size, two messages at once, a process that dies. Nothing is dropped, nothing is acknowledged too early."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from engine.errors import Conflict
from integrations.hl7 import mllp, read
from integrations.hl7.listener import sweep
from integrations.hl7.together import Together
from integrations.messages import worklist
from integrations.messages.tables import MessageLog
from tests.integrations.conftest import World
from tests.integrations.test_messy_hl7 import BODY, HEAD, take
from tests.integrations.test_mllp import result

ROOT = Path(__file__).parent.parent.parent
A, B = result("X", "A"), result("Y", "B")


def talk(world: World, wire: bytes, answers: int) -> list[str]:
    """The control ids that were acknowledged after these bytes, and an end of ours."""
    with socket.create_connection(("127.0.0.1", world.listener.port), 10) as peer:
        peer.sendall(wire)
        kept = bytearray()
        found = [read.parse(read.split(mllp.read_frame(peer, kept) or b"")[0]) for _ in range(answers)]
        peer.shutdown(socket.SHUT_WR)
        assert mllp.read_frame(peer, kept) is None
    world.placed()
    return [f"{m.get('MSA', 1)} {m.get('MSA', 2)}".strip() for m in found]


def reasons(world: World) -> list[str]:
    with world.sessions() as session:
        return sorted(item.reason for item, _ in worklist.open_items(session))


@pytest.mark.parametrize(
    ("wire", "acknowledged", "listed"),
    [
        (b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c\r", ["AA A", "AA B"], ["unknown_order", "unknown_order"]),  # FS without CR
        (A + b"\x1c\r" + b"\x0b" + B + b"\x1c\r", ["AA A", "AA B"], ["unknown_order", "unknown_order"]),  # no VT
        (b"\r\n\r\n\x0b" + A + b"\x1c\r\n\n", ["AA A"], ["unknown_order"]),  # blank lines around
        (b"\x0b" + A + B + b"\x1c\r", ["AA A", "AA B"], ["unknown_order", "unknown_order"]),  # two in one frame: an answer each
        (b"\x0b" + A[:90] + b"\x0b" + B + b"\x1c\r", ["AA B"], ["truncated", "unknown_order"]),  # the first was cut short
        (b"\x0b" + A[:90], [], ["truncated"]),  # the peer went away
        (A, [], ["truncated"]),  # no framing at all
        (b"hello\x0b" + A + b"\x1c\r", ["AA A"], ["unknown_order", "unreadable"]),  # noise before
        (b"\x0b\x1c\r", ["AR"], ["unreadable"]),
        (b"", [], []),
        (b"\r\n", [], []),
    ],
)
def test_wrong_framing(world: World, wire: bytes, acknowledged: list[str], listed: list[str]) -> None:
    assert talk(world, wire, len(acknowledged)) == acknowledged
    assert reasons(world) == listed


def test_what_was_cut_short_and_comes_again_whole_is_not_taken_for_a_reuse(world: World) -> None:
    tests = [{"code": "718-7", "name": "HGB"}]
    world.call("hl7.oml_o21", "k1", patientId=world.patient_id, visitNumber="V1", orderId="X", tests=tests)
    talk(world, b"\x0b" + A[:120], 0)
    assert talk(world, mllp.frame(A), 1) == ["AA A"]
    with world.sessions() as session:
        rows = session.scalars(select(MessageLog).where(MessageLog.direction == "in").order_by(MessageLog.id)).all()
    assert [row.state for row in rows] == ["unmatched", "matched"]


def test_a_frame_over_the_limit_is_refused_and_its_beginning_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp, "MOST_BYTES", 200_000)
    with socket.create_connection(("127.0.0.1", world.listener.port), 10) as peer:
        with suppress(OSError):
            peer.sendall(b"\x0b" + A + b"NTE|1||" + b"x" * 400_000)
        answer = read.parse(read.split(mllp.read_frame(peer) or b"")[0])
    assert (answer.get("MSA", 1), answer.get("MSA", 2)) == ("AR", "A")
    assert reasons(world) == ["too_large"]


def test_a_batch_is_answered_by_a_batch(world: World) -> None:
    batch = b"FHS|^~\\&\rBHS|^~\\&\r" + A + B + b"BTS|2\rFTS|1\r"
    with socket.create_connection(("127.0.0.1", world.listener.port), 10) as peer:
        peer.sendall(mllp.frame(batch))
        answer = mllp.read_frame(peer) or b""
    assert answer.startswith(b"BHS|^~\\&\rMSH")
    assert answer.endswith(b"BTS|2\r")
    assert [read.parse(piece).get("MSA", 2) for piece in read.split(answer)] == ["A", "B"]


UNSEEN: dict[str, bytes] = {
    "GBK, MSH-18 missing": (HEAD.format(60) + "\r" + BODY.replace("HGB", "血红蛋白")).encode("gbk"),
    "GB2312 declared, GBK characters": (HEAD.format(61) + "||||||GB2312\r" + BODY.replace("HGB", "镕")).encode("gbk"),
    "declared and false charset": (HEAD.format(62) + "||||||BIG-5\r" + BODY.replace("HGB", "血红蛋白")).encode(),
    "byte order mark and LF": b"\xef\xbb\xbf" + (HEAD.format(63) + "\n" + BODY.replace("\r", "\n")).encode(),
    "mixed line ends": (HEAD.format(64) + "\r\n" + BODY.replace("\r", "\n", 1)).encode(),
    "UTF-16 little-endian": ("\ufeff" + HEAD.format(65) + "\r" + BODY).encode("utf-16-le"),
    "segment names in lower case": (HEAD.format(66) + "\r" + BODY.replace("OBR", "obr")).encode(),
    "a huge field": (HEAD.format(67) + "\r" + BODY.replace("|131|", "|" + "9" * 500_000 + "|")).encode(),
    "ten thousand observations": (HEAD.format(68) + "\r" + BODY + "OBX|2|NM|1-8^X||1\r" * 3000).encode(),
    "a NUL in a field": (HEAD.format(69) + "\r" + BODY.replace("HGB", "H\x00B")).encode(),
    "a NUL in the control id": (HEAD.format("7\x000") + "\r" + BODY).encode(),
    "a control id of 300 characters": (HEAD.format("7" * 300) + "\r" + BODY).encode(),
    "repeated order numbers": (HEAD.format(71) + "\r" + BODY + "OBR|2|ORDER-1||2-9^Y\rOBX|1|ST|2-9^Y||ok\r").encode(),
    "only separators": (HEAD.format(72) + "\rPID|||||||\rOBR|||||\rOBX||||||||||||||||\r").encode(),
    "an observation without a group": (HEAD.format(73) + "\rOBX|1|NM|1^X||1\r").encode(),
    "a value of a type nobody knows": (HEAD.format(74) + "\r" + BODY.replace("|NM|", "|QQ|")).encode(),
    "an embedded document": (
        HEAD.format(75) + "\r" + BODY.replace("|NM|", "|ED|").replace("|131|", "|^AP^^Base64^" + "QUJD" * 20_000 + "|")
    ).encode(),
    "four separators the same": b"MSH||||||||ORU|R01|76|P|2.5.1\rPID|1\r",
    "a separator that is a letter's neighbour": (HEAD.format(77) + "\r" + BODY).replace("|", "\x01").encode(),
    "a date of the year 0": (HEAD.format(78).replace("20261122", "00000000") + "\r" + BODY).encode(),
    "version 3": b'<?xml version="1.0"?><ORU_R01 xmlns="urn:hl7-org:v2xml"/>',
    "ASTM": b"H|\\^&|||Analyser|||||||P|1\rP|1\rO|1|ORDER-1\rR|1|^^^GLU|5.5\rL|1|N\r",
    "an order number of 5,000 characters": (HEAD.format(79) + "\r" + BODY.replace("ORDER-1", "O" * 5000)).encode(),
    "a message in the middle of text": b"--begin--\r" + (HEAD.format(80) + "\r" + BODY).encode() + b"--end--",
    "emoji and rare characters": (HEAD.format(81) + "\r" + BODY.replace("HGB", "🩸𠮷")).encode(),
    "GB18030 with four bytes": (HEAD.format(82) + "||||||GB 18030-2000\r" + BODY.replace("HGB", "𠮷")).encode("gb18030"),
}


@pytest.mark.parametrize("raw", UNSEEN.values(), ids=UNSEEN)
def test_messages_that_nobody_has_seen_before(world: World, raw: bytes) -> None:
    tests = [{"code": "718-7", "name": "HGB"}]
    world.call("hl7.oml_o21", "k1", patientId=world.patient_id, visitNumber="V1", orderId="ORDER-1", tests=tests)
    rows = take(world.sessions, raw)
    with world.sessions() as session:
        listed = {item.message_id: item.detail for item, _ in worklist.open_items(session)}
    assert rows
    for row in rows:
        assert row.raw
        assert row.state == "matched" or listed[row.id]


@given(pieces=st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"MSH|^~\\&|", b"PID|1", b"\x00", b"x"]), max_size=14))
def test_no_byte_that_matters_is_lost_whatever_the_framing(pieces: list[bytes]) -> None:
    wire = b"".join(pieces)
    left, right = socket.socketpair()
    with left, right:
        left.sendall(wire)
        left.shutdown(socket.SHUT_WR)
        kept, found = bytearray(), []
        while (got := mllp.receive(right, kept)) is not None:
            found.append(got.payload)
    for mark in (b"M", b"x", b"P"):
        assert sum(payload.count(mark) for payload in found) == wire.count(mark)


SERVE = """
import sys, threading
from pathlib import Path
import integrations
from engine import db
from engine.settings import Settings
from integrations.hl7.listener import Listener
settings = Settings(var_dir=Path(sys.argv[1]))
sessions = db.sessions(db.open_engine(settings))
integrations.load(sessions=sessions, settings=settings)
listener = Listener(sessions, settings, {"port": 0})
print(listener.port, flush=True)
listener.run(threading.Event())
"""


@pytest.mark.parametrize("after", [1, 3, 8])
def test_what_was_acknowledged_outlives_a_kill(world: World, after: int) -> None:
    command = [sys.executable, "-c", SERVE, str(world.settings.var_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        acknowledged = []
        with socket.create_connection(("127.0.0.1", port), 20) as peer:
            kept = bytearray()
            with suppress(OSError):
                for number in range(20):
                    peer.sendall(mllp.frame(result("NOBODY", f"K{number}")))
                    if number == after:
                        server.send_signal(signal.SIGKILL)
                    if (answer := mllp.read_frame(peer, kept)) is None:
                        break
                    acknowledged.append(read.parse(read.split(answer)[0]).get("MSA", 2))
        server.wait(10)
    assert len(acknowledged) >= after
    with world.sessions() as session:
        stored = {row.control.split("|")[1] for row in session.scalars(select(MessageLog).where(MessageLog.direction == "in"))}
    assert set(acknowledged) <= stored
    sweep(world.sessions, older=0)
    world.placed()
    assert reasons(world) == ["unknown_order"] * len(stored)


def test_what_a_peer_sends_ahead_is_stored_in_one_transaction_and_answered_in_order(world: World) -> None:
    commits: list[int] = []
    event.listen(world.sessions.kw["bind"], "commit", lambda _connection: commits.append(1))
    text = "MSH|^~\\&|LAB|H|C|C|2026||ZZZ^Z01|A{0}|P|2.5.1\rZZZ|1\r"
    with mllp.connect({"host": "127.0.0.1", "port": world.listener.port, "timeout": 20}, {}) as connection:
        connection.sendall(b"".join(mllp.frame(text.format(n).encode()) for n in range(20)))
        kept = bytearray()
        answers = [read.parse((mllp.read_frame(connection, kept) or b"").decode()).get("MSA", 2) for _ in range(20)]
    assert answers == [f"A{n}" for n in range(20)]
    world.placed()
    assert len(commits) <= 6, "storing and placing, a few times where the pieces of TCP fell apart"


def test_one_that_fails_among_many_does_not_cost_the_others_theirs() -> None:
    def work(given: Sequence[int]) -> list[int]:
        if 3 in given:
            raise Conflict("three")
        return [2 * number for number in given]

    together: Together[int, int] = Together(work)
    found: dict[int, object] = {}

    def bring(number: int) -> None:
        try:
            found[number] = together.do(number)
        except Conflict as error:
            found[number] = error.message

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert found == {0: 0, 1: 2, 2: 4, 3: "three", 4: 8, 5: 10}


def test_an_error_of_another_kind_leaves_nobody_waiting() -> None:
    entered, go = threading.Event(), threading.Event()

    def work(given: Sequence[str]) -> list[str]:
        if "first" in given:
            entered.set()
            assert go.wait(5)
            return list(given)
        raise ZeroDivisionError

    together: Together[str, str] = Together(work)
    ended: list[str] = []

    def bring(name: str) -> None:
        try:
            together.do(name)
        except (ZeroDivisionError, ConnectionError) as error:
            ended.append(type(error).__name__)

    threads = [threading.Thread(target=bring, args=(name,)) for name in ("first", "second", "third")]
    threads[0].start()
    assert entered.wait(5)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.1)
    go.set()
    for thread in threads:
        thread.join(5)
    assert sorted(ended) == ["ConnectionError", "ZeroDivisionError"]
