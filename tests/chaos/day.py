"""One day of a small clinic, told as its clients see it: what was answered is written down, what was not is asked again.

Everything goes through the product's own edges: HTTP, the worker, MLLP, a payment's hook, the command line. The process may end
at any line; started again, the day goes on until all is done. `FarEnd`, acknowledgements and the database are what is judged.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

import integrations
from engine import clock
from engine.db import Base, open_engine, sessions, write_lock
from engine.errors import Refused
from engine.execution import connectors, environment, instances, messages
from engine.execution.connectors import Call
from engine.execution.tables import Event, Incident, Instance, Job, Message, Subscription, Task
from engine.execution.worker import Worker
from engine.models.tables import Definition
from engine.settings import Settings
from integrations.connections.tables import Connection
from integrations.hl7 import inbound, mllp
from integrations.hl7.listener import Listener, sweep
from integrations.messages.tables import MessageLog, WorkItem
from integrations.patients.tables import Patient
from integrations.payments import ledger, providers
from integrations.payments.tables import Payment, PaymentEntry
from tests.chaos.far_end import Charge, FarEnd
from tests.conftest import load_tables
from tests.engine.build import catch, end, message, process, receive, send, service, start, timer, user
from web import create_app
from web.accounts import demo
from web.accounts.sessions import COOKIE
from web.accounts.tables import Account, LoginSession
from web.api import tokens
from web.cli import main as carelane

MODELS = {
    "visit.bpmn": process(
        start(), user("ask"), service("pay", type_="charge"), service("file", type_="patient.save", inputs={
            "name": "王小明", "sex": "male", "birthDate": "1985-03-12", "idCard": "110101198503120017"}, outputs={"patientId": "=patientId"}),
        receive("go", "go", "=order"), receive("paid", "payment_notified", "=order"), catch("rest", timer("Duration", "PT0S")),
        send("tell", "told", "=order"), end(),
        flows="start -> ask -> pay -> file -> go -> paid -> rest -> tell -> end", id="visit",
    ),
    "echo.bpmn": process(start("start", message("told")), end(), flows="start -> end", id="echo"),
    "nap.bpmn": process(start(), catch("sleep", timer("Duration", "PT0S")), end(), flows="start -> sleep -> end", id="nap"),
    "hold.bpmn": process(start(), service("held", type_="hold"), end(), flows="start -> held -> end", id="hold"),
    "once.bpmn": process(start("start", timer("Duration", "PT0S")), user("look"), end(), flows="start -> look -> end", id="once"),
}  # fmt: skip
ORDER = "ORDER-1"
GATEWAY = "gateway-key"
HEADERS = {"Authorization": "", "Content-Type": "application/json"}
HL7 = (
    "MSH|^~\\&|LAB|H|CARELANE|CLINIC|20261122||ORU^R01^ORU_R01|{0}|P|2.5.1\rPID|1||nobody^^^CARELANE^MR\rORC|RE|none-{0}\r"
    "OBR|1|none-{0}||718-7^HGB^LN|||||||||||||||||||||F\rOBX|1|NM|718-7^HGB^LN||13.1|g/dL|12-16|N|||F\r"
)
PATIENCE = 40.0  # seconds in which a day must come to its end


def settings_at(folder: Path, url: str = "", **changes: Any) -> Settings:
    """An installation under `folder`."""
    given: dict[str, Any] = {"lease_seconds": 1, "worker_threads": 2, "threads": 8, "log_level": "ERROR", **changes}
    data_key = base64.b64encode(b"k" * 32).decode()
    return Settings(var_dir=folder, database_url=url, secret_key="s", data_key=data_key, base_url="http://localhost", **given).checked()


def prepare(settings: Settings) -> str:
    """An empty clinic: its schema, its staff, a payment gateway, one open payment, one program's token (which is returned)."""
    load_tables()
    engine = open_engine(settings)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        demo.seed(session)
        session.flush()
        _, token = tokens.create(session, "chaos", tokens.SCOPES, by="test")
        account = session.scalars(select(Account).where(Account.login == "doctor")).one()
        seen = clock.now() - timedelta(minutes=5)
        session.add(LoginSession(token_hash=hashlib.sha256(b"cookie").hexdigest(), account_id=account.id, created=seen, seen=seen))
        session.add(
            Connection(
                name="gw", kind="gateway", secrets={"shared_key": GATEWAY}, address={"url": "http://127.0.0.1:9"}, created=seen, changed=seen
            )
        )
        ledger.opened(session, ORDER, amount=500, currency="CNY", channel="insurance", connection="gw", patient_id="p1")
        session.commit()
    engine.dispose()
    return token


@dataclass
class Hold:
    """A connector during whose first call a person suspends the visit."""

    engine: Engine
    type: str = "hold"

    def call(self, call: Call) -> Mapping[str, Any]:
        with Session(self.engine) as session:
            write_lock(session)
            known = session.scalar(select(func.count()).where(Event.instance_id == call.instance_id, Event.kind == "suspended"))
            if not known:
                instances.suspend(session, call.instance_id, "look first", actor="ann")
                session.commit()
        return {}


class Day:
    """The clinic's processes and its clients, in one operating-system process that may be killed."""

    def __init__(self, settings: Settings, token: str) -> None:
        self.settings, self.folder = settings, settings.var_dir
        self.engine = open_engine(settings)
        self.far_end = FarEnd(self.folder / "books.db")
        connectors.register(Charge(self.far_end, honours_keys=True, pause=0))
        connectors.register(Hold(self.engine))
        environment.configure(settings)
        integrations.load(sessions=sessions(self.engine), settings=settings)
        self.worker = Worker(sessions(self.engine), settings)
        app = create_app(settings)
        self.web, self.app = app.test_client(), app
        self.web.set_cookie(COOKIE, "cookie")
        self.bearer = {"Authorization": f"Bearer {token}"}

    # -- what clients do: each line of the day is asked until it is answered, and once answered never again

    def told(self, what: str, act: Callable[[], Any]) -> Any:
        """Does `act` unless an earlier run got its answer; the answer is on disk before the day goes on."""
        path = self.folder / "answers" / what
        if path.exists():
            return path.read_text()
        answer = str(act())
        path.parent.mkdir(exist_ok=True)
        with (path.parent / f"{what}.new").open("w") as file:
            file.write(answer)
            file.flush()
            os.fsync(file.fileno())
        (path.parent / f"{what}.new").rename(path)
        return answer

    def post(self, path: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A program's request, with a key that makes asking again safe."""
        answer = self.web.post(f"/api/v1{path}", json=body, headers={**self.bearer, "Idempotency-Key": key})
        assert answer.status_code < 300, answer.get_data(as_text=True)
        found: dict[str, Any] = answer.get_json()
        return found

    def command(self, *arguments: str) -> str:
        """A command of the command line."""
        env = {
            "CARELANE_VAR_DIR": str(self.folder),
            "CARELANE_DATABASE_URL": self.settings.database_url,
            "CARELANE_DATA_KEY": self.settings.data_key,
        }
        done = CliRunner().invoke(carelane, list(arguments), env=env)
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        return done.output

    def begin(self, process_id: str, key: str, **variables: Any) -> str:
        return str(self.told(key, lambda: self.post("/instances", key, {"processId": process_id, "variables": variables})["id"]))

    def hook(self) -> int:
        """The gateway's notification, sent until it is taken."""
        body = (
            f'{{"id": "N1", "event": "PAID", "trade_no": "{ledger.trade_no(ORDER)}", "state": "paid", "transaction_id": "T1", "amount": 500}}'
        )
        now = str(int(clock.now().timestamp()))
        headers = {"X-Timestamp": now, "X-Signature": providers.gateway_signature(GATEWAY, now, body)}
        status = self.web.post("/hooks/gw", data=body, headers=headers).status_code
        assert status == 200, status
        return status

    def hl7(self, port: int, control: str) -> str:
        """A result from the laboratory, sent until it is acknowledged."""
        answer = mllp.send({"host": "127.0.0.1", "port": port, "timeout": 5}, HL7.format(control).encode(), idempotent=True)
        assert b"MSA|A" in answer, answer
        return "acknowledged"

    def run(self) -> None:
        """The whole day, from wherever an earlier run of it ended."""
        folder = self.folder / "models"
        folder.mkdir(exist_ok=True)
        for name, content in MODELS.items():
            (folder / name).write_bytes(content)
        self.told("deploy", lambda: self.command("deploy", str(folder)))
        visit = self.begin("visit", "visit", order=ORDER)
        self.begin("nap", "nap-1")
        self.begin("nap", "nap-2")
        self.begin("hold", "hold")
        doomed = self.begin("visit", "doomed", order="ORDER-2")
        self.told("cancelled", lambda: self.cancel(doomed))
        self.told("go", lambda: self.post("/messages", "go", {"name": "go", "key": ORDER, "messageId": "go-1", "payload": {}}))
        self.told("ask", lambda: self.post(f"/tasks/{self.task(visit)}/complete", "ask", {"values": {}}))
        self.told("hook", self.hook)
        self.told("stray", self.stray)
        self.laboratory()
        self.work()
        self.told("read", lambda: self.look(visit))

    def look(self, visit: str) -> int:
        """A doctor looks at the visit."""
        status = self.web.get(f"/visits/{visit}").status_code
        assert status == 200, status
        return status

    def cancel(self, instance: str) -> str:
        """Cancels from the command line; that somebody has cancelled it already is as good."""
        with Session(self.engine) as session:
            if instances.get(session, instance).state == "cancelled":
                return "done"
        return self.command("instances", "cancel", instance, "--reason", "test")

    def task(self, instance: str) -> str:
        with Session(self.engine) as session:
            return str(session.scalars(select(Task.id).where(Task.instance_id == instance, Task.element_id == "ask")).one())

    def stray(self) -> bool:
        """A message that nobody waits for, and that is kept for a moment."""
        with Session(self.engine) as session:
            write_lock(session)
            done = messages.publish(session, "stray", "k", {}, message_id="stray-1", ttl=timedelta(milliseconds=50))
            session.commit()
            return done.buffered

    def laboratory(self) -> None:
        """Two results for orders that nobody knows; the second cannot be handed on when it comes, neither with others nor alone."""
        place, refused = inbound.place, self.folder / "refused"

        def tried() -> str:
            return refused.read_text() if refused.exists() else ""

        def stubborn(session: Session, message_id: str, *more: Any) -> Any:
            if session.get_one(MessageLog, message_id).control.endswith("C2") and len(tries := tried()) < 2:
                refused.write_text(tries + ".")
                raise Refused("not now")
            return place(session, message_id, *more)

        inbound.place = stubborn  # type: ignore[assignment]
        stop, listener = threading.Event(), Listener(sessions(self.engine), self.settings, {"port": 0})
        thread = threading.Thread(target=listener.run, args=(stop,), daemon=True)
        thread.start()
        for control in ("C1", "C2"):
            self.told(control, lambda control=control: self.hl7(listener.port, control))
        stop.set()
        thread.join(10)

    # -- what the clinic does by itself

    def work(self) -> None:
        """The worker, until nothing is left to do."""
        until = time.monotonic() + PATIENCE
        while self.left():
            assert time.monotonic() < until, f"stuck: {self.left()}"
            self.worker.run_once()
            self.worker._tidy()
            sweep(sessions(self.engine), older=0)
            self.resume()
            time.sleep(0.02)
        self.alone()

    def alone(self) -> None:
        """A timer that was claimed before goes by itself: its worker may have been ended by it."""
        instance = self.begin("nap", "nap-alone")
        with Session(self.engine) as session:
            session.execute(update(Job).where(Job.instance_id == instance, Job.state == "ready").values(attempts=1))
            session.commit()
        until = time.monotonic() + PATIENCE
        while self.left():
            assert time.monotonic() < until, f"stuck: {self.left()}"
            self.worker.run_once()
            time.sleep(0.02)

    def resume(self) -> None:
        """A person lets the suspended visit go on once its call is back."""
        with Session(self.engine) as session:
            write_lock(session)
            for row in session.scalars(select(Instance).where(Instance.state == "suspended")):
                back = (Job.state == "ready") | (Job.lease < clock.now())  # or its worker was killed
                if session.scalar(select(Job.id).where(Job.instance_id == row.id, back)):
                    instances.resume(session, row.id, "looked", actor="ann")
            session.commit()

    def left(self) -> dict[str, Any]:
        """What is still to be done."""
        with Session(self.engine) as session:
            rows = session.execute(select(Instance.process_id, Instance.state).where(Instance.state.in_(("running", "suspended")))).all()
            waiting = [tuple(row) for row in rows if row[0] != "once"]
            stored = session.scalar(select(func.count()).where(MessageLog.state == "stored"))
            kept = session.scalar(select(func.count()).where(Message.state == "waiting"))
            starts = session.scalar(select(func.count()).where(Subscription.kind == "timer"))
            echo = session.scalar(select(func.count()).where(Instance.process_id == "echo"))
            found = {"running": waiting, "stored": stored, "kept": kept, "starts": starts, "no echo": not echo}
        return {name: count for name, count in found.items() if count}


def wrong(settings: Settings) -> list[str]:
    """What a legal day would not have left behind: nothing lost, nothing doubled, nothing stuck."""
    engine, found = open_engine(settings), []

    def expect(what: str, seen: Any, wanted: Any) -> None:
        if seen != wanted:
            found.append(f"{what}: {seen!r}, not {wanted!r}")

    with Session(engine) as session:
        states = Counter(tuple(row) for row in session.execute(select(Instance.process_id, Instance.state)))
        expect("instances", dict(sorted(states.items())), {
            ("echo", "completed"): 1, ("hold", "completed"): 1, ("nap", "completed"): 3, ("once", "running"): 1, ("visit", "cancelled"): 1,
            ("visit", "completed"): 1,
        })  # fmt: skip
        passed = Counter(
            session.execute(
                select(Event.instance_id, Event.element_id).where(Event.kind == "completed", Event.element_id.is_not(None))
            ).tuples()
        )
        expect("steps passed twice", [step for step, count in passed.items() if count > 1], [])
        expect("steps of the visits", Counter(element for _, element in passed)["rest"], 1)
        expect("versions", sorted(session.execute(select(Definition.key, Definition.version)).tuples()), sorted((m[:-5], 1) for m in MODELS))
        jobs = Counter(session.scalars(select(Job.state)))
        expect("jobs neither done nor cancelled", {state: n for state, n in jobs.items() if state not in ("done", "cancelled")}, {})
        expect("incidents", list(session.scalars(select(Incident.message).where(Incident.state == "open"))), [])
        expect("messages", sorted(session.execute(select(Message.name, Message.state)).tuples()),
               [("go", "correlated"), ("payment_notified", "correlated"), ("stray", "expired"), ("told", "correlated")])  # fmt: skip
        expect(
            "notifications and results",
            sorted(session.scalars(select(MessageLog.control).where(MessageLog.direction == "in"))),
            ["LAB/H|C1", "LAB/H|C2", "N1"],
        )
        expect("results on the work list", session.scalar(select(func.count()).select_from(WorkItem)), 2)
        expect("payment", list(session.execute(select(Payment.state, Payment.transaction_id)).tuples()), [("paid", "T1")])
        expect("ledger", sorted(session.scalars(select(PaymentEntry.kind))), ["order", "paid"])
        expect("patients", session.scalar(select(func.count()).select_from(Patient)), 1)
    books = FarEnd(settings.var_dir / "books.db")
    expect("charges", (books.count("charged"), books.count("keys")), (1, 1))
    engine.dispose()
    return found
