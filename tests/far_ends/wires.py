"""Small far ends that speak a wire and misbehave on demand: each counts its effects by the key under which they came."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Mood = Literal["well", "busy", "refuse", "lost"]  # lost: it does what was asked, and is never heard of again
NAME, CARD, PHONE = "欧阳小明", "110101198503120017", "13800138000"
PERSON = {"name": NAME, "idCard": CARD, "phone": PHONE}
PATIENT = {  # as FHIR has it
    "resourceType": "Patient", "identifier": [{"system": "urn:oid:2.16.156.1.1", "value": CARD}], "name": [{"text": NAME, "family": NAME}],
    "telecom": [{"system": "phone", "value": PHONE}],
}  # fmt: skip
STUDY = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]}, "00080050": {"vr": "SH", "Value": ["ACC1"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": NAME}]}, "00100020": {"vr": "LO", "Value": ["77"]},
}  # fmt: skip


class Far:
    """What a far end is like today, and what it has done: key → how often the wire carried it, one effect each."""

    def __init__(self) -> None:
        self.mood: Mood = "well"
        self.effects: dict[str, int] = {}
        self.port = 0
        self.closing = threading.Event()

    def did(self, key: str) -> bool:
        """Notes an effect; whether the caller should hear of it."""
        self.effects[key] = self.effects.get(key, 0) + 1
        if self.mood == "lost":
            self.closing.wait(20)
        return self.mood != "lost"


class Server(socketserver.ThreadingTCPServer):
    """One thread a caller."""

    allow_reuse_address, daemon_threads, block_on_close = True, True, False
    far: Far


@contextmanager
def _serving(server: socketserver.BaseServer, far: Far) -> Iterator[Far]:
    far.port = int(server.server_address[1])  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    yield far
    far.closing.set()
    server.shutdown()
    server.server_close()


def _tcp(handler: type[socketserver.BaseRequestHandler]) -> Any:
    far, server = Far(), Server(("127.0.0.1", 0), handler)
    server.far = far
    return _serving(server, far)


# ── HTTP: any path, FHIR, DICOMweb ───────────────────────────────────────────────────────────────────────────────────────


class _Http(BaseHTTPRequestHandler):
    server: Any

    def log_message(self, *_: Any) -> None: ...

    def _any(self) -> None:
        far: Far = self.server.far
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if far.mood in ("busy", "refuse"):
            self._tell(503 if far.mood == "busy" else 400, {"resourceType": "OperationOutcome"})
            return
        status, key, answer = self._answer(json.loads(body) if body else {})
        if far.did(key):
            self._tell(status, answer)

    def _answer(self, body: dict[str, Any]) -> tuple[int, str, Any]:
        path = urlsplit(self.path).path
        if self.command == "GET" and path.endswith("/studies"):
            return 200, "read", [STUDY]
        if self.command == "GET":
            return 200, "read", {"resourceType": "Bundle", "total": 1, "entry": [{"resource": {**PATIENT, "id": "p1"}}]}
        if body.get("type") == "transaction":
            entries = [{"response": {"status": "201 Created", "location": "Patient/p1/_history/1"}} for _ in body["entry"]]
            return (
                200,
                str([entry["request"] for entry in body["entry"]]),
                {"resourceType": "Bundle", "type": "transaction-response", "entry": entries},
            )
        if "resourceType" in body:
            return 201, self.headers.get("If-None-Exist") or self.path, {**body, "id": "p1", "meta": {"versionId": "1"}}
        return 200, self.headers.get("Idempotency-Key") or "none", {"patient": PERSON}

    def _tell(self, status: int, body: Any) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Set-Cookie": f"session={CARD}", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _any  # noqa: N815  the base class names them so


@contextmanager
def http() -> Iterator[Far]:
    """Answers FHIR, DICOMweb and any other JSON request; what it is told twice it recognises by the request's own key."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Http)
    server.daemon_threads, server.block_on_close, server.far = True, False, Far()
    with _serving(server, server.far) as far:
        yield far


# ── MLLP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Mllp(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        far, text = self.server.far, b""
        while not text.endswith(b"\x1c\r"):
            piece = self.request.recv(65536)
            if not piece:
                return
            text += piece
        control = text.split(b"\r")[0].split(b"|")[9].decode()
        code = {"busy": "AE", "refuse": "AR"}.get(far.mood, "AA")
        if code != "AA" or far.did(control):
            answer = f"MSH|^~\\&|FAR|H|CARELANE|C|20261122||ACK|1|P|2.5.1\rMSA|{code}|{control}|\rPID|1||77||{NAME}\r"
            self.request.sendall(b"\x0b" + answer.encode() + b"\x1c\r")


@contextmanager
def mllp() -> Iterator[Far]:
    """A receiver of HL7 v2: AA, AE (busy), AR (refuse)."""
    with _tcp(_Mllp) as far:
        yield far


# ── SMTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Smtp(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        far = self.server.far
        self._say("220 far end")
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb = line[:4].upper()
            if verb == "DATA":
                self._say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                number = next(part for part in text.decode().splitlines() if part.lower().startswith("message-id:"))
                if not far.did(number):
                    return
            if verb == "MAIL" and far.mood in ("busy", "refuse"):
                self._say("451 later" if far.mood == "busy" else "554 never")
            else:
                self._say("221 bye" if verb == "QUIT" else "250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def smtp() -> Iterator[Far]:
    """A mail server: 451 when it is busy, 554 when it refuses."""
    with _tcp(_Smtp) as far:
        yield far


# ── AMQP 0-9-1 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Amqp(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        from pika import frame, spec

        self.left = b""
        said = {
            spec.Connection.StartOk: spec.Connection.Tune(10, 131072, 0), spec.Connection.Open: spec.Connection.OpenOk(),
            spec.Channel.Open: spec.Channel.OpenOk(), spec.Confirm.Select: spec.Confirm.SelectOk(),
            spec.Channel.Close: spec.Channel.CloseOk(), spec.Connection.Close: spec.Connection.CloseOk(),
        }  # fmt: skip
        for came in self._frames():
            if isinstance(came, frame.ProtocolHeader):
                self._tell(0, spec.Connection.Start(server_properties={"capabilities": {"publisher_confirms": True, "basic.nack": True}}))
            elif isinstance(came, frame.Header):
                number = str(came.properties.message_id)
            elif isinstance(came, frame.Body):
                self._published(came.channel_number, number)
            elif type(came.method) in said:
                self._tell(came.channel_number, said[type(came.method)])

    def _published(self, channel: int, number: str) -> None:
        from pika import spec

        far = self.server.far
        if far.mood == "busy":
            self._tell(channel, spec.Basic.Nack(1))
        elif far.mood == "refuse":
            self._tell(channel, spec.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40))
        elif far.did(number):
            self._tell(channel, spec.Basic.Ack(1))

    def _frames(self) -> Iterator[Any]:
        from pika import frame

        while True:
            used, came = frame.decode_frame(self.left)
            if came is None:
                piece = self.request.recv(65536)
                if not piece:
                    return
                self.left += piece
                continue
            self.left = self.left[used:]
            yield came

    def _tell(self, channel: int, method: Any) -> None:
        from pika import frame

        self.request.sendall(frame.Method(channel, method).marshal())


@contextmanager
def amqp() -> Iterator[Far]:
    """A broker with confirms: a nack when it is busy, a closed channel when it refuses."""
    with _tcp(_Amqp) as far:
        yield far


# ── DICOM ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def dicom() -> Iterator[Far]:
    """An archive that knows one study: out of resources when it is busy, cannot process when it refuses."""
    from pydicom import Dataset
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification  # type: ignore[attr-defined]

    far, study = Far(), Dataset.from_json(STUDY)
    study.SpecificCharacterSet = "ISO_IR 192"
    bad: Mapping[str, int] = {"busy": 0xA700, "refuse": 0xA900}

    def found(_event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if far.mood in bad:
            yield bad[far.mood], None
        elif far.did("read"):
            yield 0xFF00, study

    def echoed(_event: Any) -> int:
        if far.mood not in bad:
            far.did("read")
        return bad.get(far.mood, 0)

    ae = AE("FAR")
    for context in (StudyRootQueryRetrieveInformationModelFind, Verification):
        ae.add_supported_context(context)
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, found), (evt.EVT_C_ECHO, echoed)])
    far.port = int(server.socket.getsockname()[1])
    yield far
    far.closing.set()
    server.shutdown()


# ── PostgreSQL, as far as its first answer ───────────────────────────────────────────────────────────────────────────────


class _Postgres(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        first = self.request.recv(65536)
        if first[4:8] == b"\x04\xd2\x16\x2f":  # SSLRequest
            self.request.sendall(b"N")
            self.request.recv(65536)
        state, words = (
            ("53300", "sorry, too many clients already") if self.server.far.mood == "busy" else ("28P01", "password authentication failed")
        )
        body = b"".join(mark + text.encode() + b"\0" for mark, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", state), (b"M", words))) + b"\0"
        self.request.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)


@contextmanager
def postgres() -> Iterator[Far]:
    """A database that lets nobody in: no room when it is busy, a wrong password when it refuses."""
    with _tcp(_Postgres) as far:
        yield far
