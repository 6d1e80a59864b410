"""The MLLP listener: stores what comes in, commits, only then acknowledges, and places it afterwards."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from engine import clock, faults
from engine.db import new_id, write_lock
from engine.errors import CarelaneError
from engine.settings import Settings
from integrations import units
from integrations.connections import book, tls
from integrations.hl7 import ack, inbound, mllp, read
from integrations.messages.tables import MessageLog

logger = structlog.get_logger(__name__)
SWEEP_SECONDS = 2.0
IDLE_SECONDS = 300.0
MOST_CONNECTIONS = 200
_UNFIT = {
    "truncated": "It ended before its frame did, so it may be incomplete; it was not acknowledged, and the sender will send it again.",
    "too_large": "It is larger than a message may be; only its beginning was kept.",
}


class Listener:
    """Listens on one address for one inbound connection; one thread a peer, one more that places what was left over."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings, address: Mapping[str, Any], connection: str = "mllp") -> None:
        self._sessions, self._settings, self._address, self._connection = sessions, settings, address, connection
        self._server = socket.create_server((str(address.get("host", "127.0.0.1")), int(address.get("port", 0))), backlog=128)
        self._server.settimeout(0.1)
        self._tls = tls.server(address)
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._stop = threading.Event()
        self._peers: dict[threading.Thread, socket.socket] = {}

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.getsockname()[1])

    def run(self, stop: threading.Event) -> None:
        """Serves until `stop` is set."""
        self._stop = stop
        sweeper = threading.Thread(target=self._sweep, name="mllp-sweep", daemon=True)
        sweeper.start()
        threading.Thread(target=units.warm, name="units", daemon=True).start()
        with self._server:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    peer, _ = self._server.accept()
                    self._slots.acquire()
                    thread = threading.Thread(target=self._serve, args=(peer,), name="mllp-peer", daemon=True)
                    self._peers[thread] = peer
                    thread.start()
        self._part()
        sweeper.join()

    def _part(self) -> None:
        """Lets each peer finish the message at hand; what it could not be answered it sends again."""
        for thread, peer in list(self._peers.items()):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RD)
            thread.join(5)

    def _serve(self, peer: socket.socket) -> None:
        try:
            with self._secured(peer) as connection:
                connection.settimeout(IDLE_SECONDS)
                kept = bytearray()
                while not self._stop.is_set() and (got := mllp.receive(connection, kept)) is not None:
                    if not self._one(connection, got):
                        break
        except OSError as error:
            logger.info("mllp_peer_gone", connection=self._connection, reason=type(error).__name__)
        finally:
            self._peers.pop(threading.current_thread(), None)
            self._slots.release()

    def _one(self, connection: socket.socket, got: mllp.Frame) -> bool:
        """Takes one thing off the wire; False when the peer must begin anew."""
        if got.fault in _UNFIT or (got.fault and b"MSH" not in got.payload[:200]):
            self._keep(got)
            if got.fault == "too_large":
                text = f"The message is longer than {mllp.MOST_BYTES // 1024 // 1024} MB; its beginning was kept."
                connection.sendall(mllp.frame(self._answer(got.payload, "AR", text)))
            return got.fault != "too_large"
        answers, stored = self._take(got.payload)
        connection.sendall(b"".join(mllp.frame(answer) for answer in answers))
        faults.point("mllp.acknowledged")
        for item in stored:
            place_one(self._sessions, item.row.id)
            if ack.asked_later(item.message, good=True) or ack.asked_later(item.message, good=False):
                self._answer_later(connection, item)
        return True

    def _keep(self, got: mllp.Frame) -> None:
        reason = got.fault if got.fault in _UNFIT else "unreadable"
        try:
            with self._sessions() as session:
                write_lock(session)
                inbound.keep(
                    session, self._connection, got.payload, reason, _UNFIT.get(got.fault, "It came outside a frame and is no HL7 v2 message.")
                )
                session.commit()
        except SQLAlchemyError as error:
            raise ConnectionError("the message could not be stored") from error

    def _answer_later(self, connection: socket.socket, item: inbound.Received) -> None:
        with self._sessions() as session:
            answer = inbound.later(session, item, zone=self._settings.clinic_zone)
        if answer is not None:
            connection.sendall(mllp.frame(answer))

    def _secured(self, peer: socket.socket) -> socket.socket:
        peer.settimeout(10)
        try:
            return self._tls.wrap_socket(peer, server_side=True) if self._tls else peer
        except OSError:
            peer.close()
            raise

    def _take(self, payload: bytes) -> tuple[list[bytes], list[inbound.Received]]:
        """Durable first, then the answer; a database that fails leaves the sender without one, so that it sends again."""
        try:
            with self._sessions() as session:
                write_lock(session)
                if not book.accepts(session, self._connection):
                    return [self._answer(payload, "AE", "This connection is stopped; send it again later.")], []
                received = inbound.store(session, self._connection, payload)
                answers = inbound.replies(received, payload, zone=self._settings.clinic_zone)
                with faults.around("mllp.store"):
                    session.commit()
                return answers, [item for item in received if item.new]
        except SQLAlchemyError as error:
            raise ConnectionError("the message could not be stored") from error

    def _answer(self, payload: bytes, code: str, text: str) -> bytes:
        """The answer to something of which nothing was stored: AE makes the sender try again, AR does not."""
        try:
            message: read.Message | None = read.parse(read.split(payload)[0])
        except (read.Unreadable, IndexError):
            message = None
        letter = ack.asked(message, good=False) or "A"
        return ack.answer(message, f"{letter}{code[1]}", text, at=clock.now(), zone=self._settings.clinic_zone, control=new_id().upper())

    def _sweep(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            sweep(self._sessions)


def place_one(sessions: sessionmaker[Session], message_id: str) -> None:
    """Places one stored message in a transaction of its own; what fails is left for the sweep, at last for the work list."""
    try:
        with sessions() as session:
            routed = inbound.mapped(session, session.get_one(MessageLog, message_id))
            session.rollback()  # nothing is held while a mapping takes its time
            write_lock(session)
            inbound.place(session, message_id, routed)
            with faults.around("mllp.place"):
                session.commit()
    except (CarelaneError, SQLAlchemyError) as error:
        logger.warning("message_not_placed", message=message_id, reason=type(error).__name__)
        with contextlib.suppress(SQLAlchemyError), sessions() as session:
            write_lock(session)
            inbound.postpone(session, message_id, error)
            with faults.around("mllp.postpone"):
                session.commit()


def sweep(sessions: sessionmaker[Session], older: float = 1.0) -> int:
    """Places what a crash or a passing error left behind; returns how many were tried."""
    try:
        with sessions() as session:
            waiting = inbound.pending(session, older=older)
    except SQLAlchemyError as error:
        logger.warning("sweep_failed", reason=type(error).__name__)
        return 0
    for message_id in waiting:
        place_one(sessions, message_id)
    return len(waiting)
