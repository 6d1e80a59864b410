"""The MLLP listener: stores what comes in, commits, only then acknowledges, and places it afterwards."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from engine import clock, faults
from engine.db import new_id, write_lock
from engine.errors import CarelaneError
from engine.settings import Settings
from integrations import units
from integrations.connections import book, tls
from integrations.hl7 import ack, inbound, mllp, read
from integrations.hl7.together import Together
from integrations.messages import routes
from integrations.messages.tables import MessageLog

logger = structlog.get_logger(__name__)
SWEEP_SECONDS = 2.0
IDLE_SECONDS = 300.0
MOST_CONNECTIONS = 200
MOST_TOGETHER = 50  # messages that a peer sends ahead and that are stored together
STOPPED = "This connection is stopped; send it again later."
_UNFIT = {
    "truncated": "It ended before its frame did, so it may be incomplete; it was not acknowledged, and the sender will send it again.",
    "too_large": "It is larger than a message may be; only its beginning was kept.",
}


Taken = tuple[list[bytes], list[inbound.Received]]  # the answers to a payload, and what is new in it


def _is_unfit(got: mllp.Frame) -> bool:
    """Whether something must not be taken for a whole message."""
    return got.fault in _UNFIT or bool(got.fault and b"MSH" not in got.payload[:200])


class Listener:
    """Listens on one address for one inbound connection; one thread a peer, one more that places what was left over."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings, address: Mapping[str, Any], connection: str = "mllp") -> None:
        self._sessions, self._settings, self._address, self._connection = sessions, settings, address, connection
        self._server = socket.create_server((str(address.get("host", "127.0.0.1")), int(address.get("port", 0))), backlog=128)
        self._server.settimeout(0.1)
        self._tls = tls.server(address)
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._stop = threading.Event()
        self._storing = Together(self._store_together)
        self._placing = Together(self._place_together)
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
                    if not self._all(connection, [got, *mllp.ready(kept, MOST_TOGETHER - 1)]):
                        break
        except OSError as error:
            logger.info("mllp_peer_gone", connection=self._connection, reason=type(error).__name__)
        finally:
            self._peers.pop(threading.current_thread(), None)
            self._slots.release()

    def _all(self, connection: socket.socket, frames: list[mllp.Frame]) -> bool:
        """Takes what arrived off the wire, in its order; False when the peer must begin anew."""
        for unfit, group in groupby(frames, _is_unfit):
            if not unfit:
                self._answer_all(connection, [got.payload for got in group])
            else:
                for got in group:
                    if not self._refuse(connection, got):
                        return False
        return True

    def _answer_all(self, connection: socket.socket, payloads: list[bytes]) -> None:
        taken = self._store(payloads)
        connection.sendall(b"".join(mllp.frame(answer) for answers, _ in taken for answer in answers))
        faults.point("mllp.acknowledged")
        stored = [item for _, items in taken for item in items]
        if stored:
            self._placing.do([(item.row.id, item.row.kind) for item in stored])
        for item in stored:
            if ack.asked_later(item.message, good=True) or ack.asked_later(item.message, good=False):
                self._answer_later(connection, item)

    def _refuse(self, connection: socket.socket, got: mllp.Frame) -> bool:
        self._keep(got)
        if got.fault == "too_large":
            text = f"The message is longer than {mllp.MOST_BYTES // 1024 // 1024} MB; its beginning was kept."
            connection.sendall(mllp.frame(self._answer(got.payload, "AR", text)))
        return got.fault != "too_large"

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

    def _store(self, payloads: list[bytes]) -> list[Taken]:
        """Durable first, then the answers; a database that fails leaves the sender without one, so that it sends again."""
        try:
            return self._storing.do(payloads)
        except SQLAlchemyError as error:
            raise ConnectionError("the message could not be stored") from error

    def _store_together(self, brought: Sequence[list[bytes]]) -> list[list[Taken]]:
        """What the peers brought at the same moment, in one transaction."""
        payloads = [payload for one in brought for payload in one]
        with self._sessions() as session:
            write_lock(session)
            if not book.accepts(session, self._connection):
                return [[([self._answer(payload, "AE", STOPPED)], []) for payload in one] for one in brought]
            received = inbound.store_many(session, self._connection, payloads)
            taken = [
                (inbound.replies(items, payload, zone=self._settings.clinic_zone), [item for item in items if item.new])
                for items, payload in zip(received, payloads, strict=True)
            ]
            with faults.around("mllp.store"):
                session.commit()
        given = iter(taken)
        return [list(islice(given, len(one))) for one in brought]

    def _place_together(self, brought: Sequence[list[tuple[str, str]]]) -> list[None]:
        place_all(self._sessions, [message for one in brought for message in one], self._connection)
        return [None] * len(brought)

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


def place_all(sessions: sessionmaker[Session], messages: Sequence[tuple[str, str]], connection: str) -> None:
    """Places stored messages (id and kind) in one transaction; when that fails, each in one of its own."""
    try:
        with sessions() as session:
            routed = {id_: inbound.mapped(session, session.get_one(MessageLog, id_)) for id_, kind in messages if routes.of(connection, kind)}
            session.rollback()  # nothing is held while a mapping takes its time
            write_lock(session)
            for row in session.scalars(select(MessageLog).where(MessageLog.id.in_([id_ for id_, _ in messages]))).all():
                inbound.place(session, row.id, routed.get(row.id))
            with faults.around("mllp.place"):
                session.commit()
    except (CarelaneError, SQLAlchemyError):
        for id_, _ in messages:
            place_one(sessions, id_)


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
