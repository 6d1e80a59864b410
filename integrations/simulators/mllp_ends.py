"""HIS, LIS and RIS over MLLP: accept, acknowledge, and send results to our listener."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from engine.errors import BpmnError, ConnectorFailed
from integrations.hl7 import ack, mllp, read, write
from integrations.hl7.read import Message
from integrations.queues.desk import DEPARTMENTS
from integrations.simulators import pharmacy_end, reports
from integrations.simulators.desk import Desk, Faults, Item
from integrations.simulators.ports import HOST

ZONE = "Asia/Shanghai"
Accept = Callable[[Message], list[str]]  # notes the message and gives the segments that follow MSA in the answer


class MllpEnd:
    """One MLLP server. While it is down its port is closed, as when a machine is off."""

    def __init__(self, desk: Desk, name: str, port: int, accept: Accept) -> None:
        self._desk, self._name, self._accept = desk, name, accept
        self._server: socket.socket | None = socket.create_server((HOST, port), backlog=64)
        self.port: int = self._server.getsockname()[1]

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop` is set."""
        while not stop.is_set():
            if self._desk.is_down(self._name):
                self._close()
                stop.wait(0.1)
                continue
            if self._server is None:
                self._server = socket.create_server((HOST, self.port), backlog=64)
            self._server.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                peer, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _serve(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            peer.settimeout(30)
            kept = bytearray()
            while (payload := mllp.read_frame(peer, kept)) is not None and not self._desk.is_down(self._name):
                answer = self._answer(payload)
                if answer is None:
                    return
                peer.sendall(mllp.frame(answer))

    def _answer(self, payload: bytes) -> bytes | None:
        faults = self._desk.faults.get(self._name, Faults())
        message = read.parse(read.split(payload)[0])
        luck = self._desk.random.random()
        if luck < faults.error:
            return self._ack(message, "AE", "out of memory", [])
        segments = self._desk.once(f"{self._name}|{message.control}", lambda: self._accept(message))
        if luck < faults.error + faults.hang:
            time.sleep(faults.hang_seconds)
            return None
        if luck < faults.error + faults.hang + faults.lost:
            return None
        if segments[:1] == ["AR"]:
            return self._ack(message, "AR", segments[1], [])
        return self._ack(message, "AA", "", segments)

    def _ack(self, message: Message, code: str, text: str, segments: list[str]) -> bytes:
        plain = ack.answer(message, code, text, at=datetime.now(UTC), zone=ZONE, control=write.control_id(f"{time.time_ns()}"))
        return plain + "".join(f"{segment}\r" for segment in segments).encode()


def his(desk: Desk) -> Accept:
    """The HIS: registers visits and books charges."""

    def accept(message: Message) -> list[str]:
        if not message.get("PID", 5, 1):
            return ["AR", "the patient has no name"]
        if (department := message.get("PV1", 3)) and department not in DEPARTMENTS:
            return ["AR", f"there is no department {department}"]
        visit = message.get("PV1", 19)
        if message.kind.startswith("DFT"):
            lines = [(message.of(ft1, 6), message.of(ft1, 7, 2), message.of(ft1, 11)) for ft1 in message.segments("FT1")]
            shown = {"patient": reports.patient(message), "visit": visit, "lines": [f"{kind} {name} {amount}" for kind, name, amount in lines]}
            desk.add(Item(f"his-{message.control}", "his", "charge", visit, "noted", shown))
            return []
        shown = {"patient": reports.patient(message), "visit": visit or message.get("SCH", 1), "department": department}
        if not message.kind.endswith("A04"):
            shown["lines"] = [message.kind, *filter(None, (message.get("MRG", 1), message.get("SCH", 25)))]
        desk.add(Item(f"his-{message.control}", "his", "visit", str(shown["visit"]), "noted", shown))
        if message.first("SCH") is not None:
            return [write.segment("SCH", {1: message.get("SCH", 1), 2: f"B{write.control_id(message.get('SCH', 1))[:9]}"})]
        return [write.segment("PV1", {1: 1, 2: "O", 19: f"H{write.control_id(visit)[:10]}"})]

    return accept


def orders(desk: Desk, end: str) -> Accept:
    """LIS or RIS: takes an order and answers it later."""

    def accept(message: Message) -> list[str]:
        order = message.get("OBR", 2)
        tests = [{"code": message.of(obr, 4), "name": message.of(obr, 4, 2)} for obr in message.segments("OBR")]
        filler = f"{'L' if end == 'lis' else 'R'}{write.control_id(order)[:9]}"
        data = {
            "filler": filler, "tests": tests, "pid": str(message.first("PID")), "accession": message.get("IPC", 1),
            "study": message.get("IPC", 3),
            "modality": message.get("IPC", 5),
        }  # fmt: skip
        shown = {"patient": reports.patient(message), "visit": message.get("PV1", 19), "tests": [t["name"] or t["code"] for t in tests]}
        desk.add(Item(f"{end}-{order}", end, "order", order, "waiting", shown, data))
        segments = [write.segment("ORC", {1: "OK", 2: order, 3: filler})]
        if data["accession"]:
            segments.append(write.segment("IPC", {1: data["accession"], 3: data["study"]}))
        return segments

    return accept


_ANSWERS: Mapping[str, Callable[[Desk, Item, str], str]] = {
    "lis": lambda desk, item, action: reports.laboratory(item, action, desk.random),
    "ris": lambda _desk, item, action: reports.imaging(item, action),
    "pharmacy": lambda _desk, item, action: pharmacy_end.dispense(item, action),
}


def send_result(desk: Desk, item: Item, action: str, listener: Mapping[str, Any]) -> None:
    """Sends the report of an order to the listener; what cannot be delivered is tried again soon."""
    text = _ANSWERS[item.end](desk, item, action)
    control = read.parse(text).control
    try:
        ack.judge(mllp.send(listener, text.encode(), idempotent=True), control)
    except (ConnectorFailed, BpmnError):
        with desk.lock:
            item.tries += 1
            item.due = time.time() + min(30, 2**item.tries)
            item.data["pending"] = action
        return
    with desk.lock:
        item.state, item.answer = "answered", action
        item.data.pop("pending", None)
        desk.save()
