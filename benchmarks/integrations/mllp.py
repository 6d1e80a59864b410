"""MLLP in and out: messages per second and memory of our listener and sender, beside the bare `hl7` library doing the same.

The baseline parses and acknowledges and keeps nothing; ours has each message on the disk before it is acknowledged. Each end runs in a
process of its own, so that its memory is its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hl7.mllp

from benchmarks.engine.visit import row
from engine import db
from engine.execution.connectors import Call, get
from engine.settings import Settings
from integrations.hl7 import mllp

SENDERS = 4
RESULT = (
    "MSH|^~\\&|LAB|H|CARELANE|CLINIC|20261122||ORU^R01^ORU_R01|{control}|P|2.5.1\rPID|1||2026-000001^^^CARELANE^MR||王^小明\r"
    "ORC|RE|{control}\rOBR|1|{control}||718-7^HGB^LN|||||||||||||||||||||F\r"
    + "".join(f"OBX|{n}|NM|718-{n}^HGB^LN||13.1|g/dL|12-16|N|||F\r" for n in range(1, 11))
)


def measure(*, full: bool) -> Iterator[dict[str, Any]]:
    """Messages per second and memory, inbound and outbound."""
    count = 10_000 if full else 400
    with TemporaryDirectory() as folder:
        ours, bare = _receive("listen-ours", folder, count), _receive("listen-bare", folder, count)
    with TemporaryDirectory() as folder:
        sent, plain = _send("send-ours", folder, count), _send("send-bare", folder, count)
    about = f"{count} results, {SENDERS} senders"
    yield row(f"listener, {about}: durable before acknowledged", "messages/s", ours["rate"], "bare hl7 server, keeps nothing", bare["rate"])
    yield row(f"listener, {about}: with their placing", "messages/CPU s", ours["per_cpu"], "bare hl7 server, keeps nothing", bare["per_cpu"])
    yield row("listener: memory after them", "MB", ours["rss"], "bare hl7 server", bare["rss"])
    yield row("listener: memory grown during them", "MB", ours["grown"], "bare hl7 server", bare["grown"])
    yield row(
        f"sender, {count} registrations: logged before and after", "messages/s", sent["rate"], "bare hl7 client, one connection", plain["rate"]
    )
    yield row(f"sender, {count} registrations", "messages/CPU s", sent["per_cpu"], "bare hl7 client, one connection", plain["per_cpu"])
    yield row("sender: memory after them", "MB", sent["rss"], "bare hl7 client", plain["rss"])
    yield row("sender: memory grown during them", "MB", sent["grown"], "bare hl7 client", plain["grown"])


def _child(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.integrations.mllp", *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _receive(role: str, folder: str, count: int) -> dict[str, float]:
    """Sends `count` messages to a listener over some connections that stay open."""
    child = _child(role, folder)
    try:
        port = int(_line(child))
        _fire(port, 40, "warm")
        before, begun, spent = _rss(child.pid), time.perf_counter(), _cpu(child.pid)
        _fire(port, count, "C")
        rate = count / (time.perf_counter() - begun)
        time.sleep(0.5)  # what was acknowledged is placed
        return {"rate": rate, "rss": _rss(child.pid), "grown": _rss(child.pid) - before, "per_cpu": count / (_cpu(child.pid) - spent)}
    finally:
        child.kill()
        child.wait()


def _fire(port: int, count: int, name: str) -> None:
    def work(part: int) -> None:
        with mllp.connect({"host": "127.0.0.1", "port": port, "timeout": 60}, {}) as connection:
            kept = bytearray()
            for number in range(part, count, SENDERS):
                connection.sendall(mllp.frame(RESULT.format(control=f"{name}{number}").encode()))
                answer = mllp.read_frame(connection, kept)
                assert answer is not None
                assert b"|AA|" in answer

    threads = [threading.Thread(target=work, args=(part,)) for part in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(role: str, folder: str, count: int) -> dict[str, float]:
    """A sender against a bare server that acknowledges everything."""
    server = _child("listen-bare", folder)
    child = _child(role, folder, _line(server), str(count))
    try:
        return dict(json.loads(_line(child)))
    finally:
        for process in (child, server):
            process.kill()
            process.wait()


def _rss(pid: int | str = "self") -> float:
    """Resident memory in MB."""
    return next(int(line.split()[1]) / 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


def _cpu(pid: int) -> float:
    """Seconds of CPU time that a process has used, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _database(folder: str) -> tuple[Any, Settings]:
    import integrations
    from integrations import tables

    assert tables
    settings = Settings(var_dir=Path(folder)).checked()
    engine = db.open_engine(settings)
    db.Base.metadata.create_all(engine)
    integrations.load(sessions=db.sessions(engine), settings=settings)
    return engine, settings


def _listen_ours(folder: str) -> None:
    from integrations.hl7.listener import Listener

    engine, settings = _database(folder)
    listener = Listener(db.sessions(engine), settings, {"port": 0})
    print(listener.port, flush=True)
    listener.run(threading.Event())


def _listen_bare(_folder: str) -> None:
    async def serve() -> None:
        async def one(reader: Any, writer: Any) -> None:
            try:
                while True:
                    message = await reader.readmessage()
                    writer.writemessage(message.create_ack())
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await hl7.mllp.start_hl7_server(one, host="127.0.0.1", port=0, encoding="utf-8")
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


def _timed(count: int, send: Callable[[int], object]) -> None:
    for number in range(20):
        send(-1 - number)
    before, begun, spent = _rss(), time.perf_counter(), time.process_time()
    for number in range(count):
        send(number)
    rate, per_cpu = count / (time.perf_counter() - begun), count / (time.process_time() - spent)
    print(json.dumps({"rate": rate, "rss": _rss(), "grown": _rss() - before, "per_cpu": per_cpu}), flush=True)


def _send_ours(folder: str, port: str, count: str) -> None:
    from integrations.connections import book
    from integrations.patients import index

    engine, settings = _database(folder)
    with db.sessions(engine)() as session:
        patient = index.save(session, settings, {"name": "王小明", "sex": "male", "birthDate": "1985-03-12"}).id
        book.put(session, "his", "mllp", address={"host": "127.0.0.1", "port": int(port), "idempotent": True})
        session.commit()
    given = {"patientId": patient, "visitNumber": "V1", "department": "ent"}
    _timed(int(count), lambda n: get("hl7.adt_a04").call(Call("hl7.adt_a04", given, {}, f"i:{n}:1", "i", "Task", subject=patient)))


def _send_bare(_folder: str, port: str, count: str) -> None:
    from hl7.client import MLLPClient

    with MLLPClient("127.0.0.1", int(port)) as client:
        _timed(int(count), lambda n: hl7.parse(client.send_message(RESULT.format(control=f"C{n}")).decode()))


if __name__ == "__main__":
    roles = {"listen-ours": _listen_ours, "listen-bare": _listen_bare, "send-ours": _send_ours, "send-bare": _send_bare}
    roles[sys.argv[1]](*sys.argv[2:])
