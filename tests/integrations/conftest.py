"""Real SQLite, real sockets: each test gets a database, the demo's connections and the simulated far ends on free ports."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session, sessionmaker

import integrations
from engine import db
from engine.execution.connectors import Call, get
from engine.models import tables as model_tables
from engine.settings import Settings
from integrations import demo, runtime, tables
from integrations.connections import book, circuit
from integrations.hl7.listener import Listener
from integrations.http import close_clients
from integrations.messages.tables import MessageLog
from integrations.simulators import Simulators
from integrations.simulators.desk import Desk
from integrations.simulators.ports import HOST, Keys, Ports, keys

assert model_tables
assert tables

PATIENT = {"name": "王小明", "sex": "male", "birthDate": "1985-03-12", "idCard": "110101198503120017", "phone": "13800138000"}


@pytest.fixture(scope="session")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """RSA keys are slow to make: once for all tests."""
    return keys(Settings(var_dir=tmp_path_factory.mktemp("keys")))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table, made once: a copy of a file is quicker than forty CREATE TABLE."""
    settings = Settings(var_dir=tmp_path_factory.mktemp("empty"))
    engine = db.open_engine(settings)
    db.Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return settings.var_dir / "carelane.db"


@pytest.fixture
def settings(tmp_path: Path, secret: Keys, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("integrations.demo.keys", lambda _settings: secret)
    return Settings(var_dir=tmp_path / "var", port=18000)


@pytest.fixture
def sessions(settings: Settings, empty_database: Path) -> Iterator[sessionmaker[Session]]:
    settings.var_dir.mkdir(parents=True)
    shutil.copy(empty_database, settings.var_dir / "carelane.db")
    engine = db.open_engine(settings)
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF") and None)
    made = db.sessions(engine)
    integrations.load(sessions=made, settings=settings)
    book.forget()
    circuit.reset()
    yield made
    close_clients()
    engine.dispose()


@dataclass
class World:
    """The clinic's side and the far ends of one test."""

    settings: Settings
    sessions: sessionmaker[Session]
    simulators: Simulators
    listener: Listener
    patient_id: str = ""

    def placed(self) -> None:
        """Waits until the listener has handed on what it acknowledged."""
        for _ in range(200):
            with self.sessions() as session:
                if not session.scalar(select(func.count()).where(MessageLog.state == "stored")):
                    return
            time.sleep(0.02)
        raise AssertionError("a stored message is not placed")

    @property
    def desk(self) -> Desk:
        return self.simulators.desk

    def call(self, type_: str, key: str = "i1:t1:1", **values: object) -> dict[str, object]:
        """Calls a connector as the worker would."""
        call = Call(type=type_, input=values, headers={}, key=key, instance_id="i1", element_id="Task_1", subject=self.patient_id)
        return dict(get(type_).call(call))


@pytest.fixture
def world(settings: Settings, sessions: sessionmaker[Session], secret: Keys) -> Iterator[World]:
    """Simulated far ends with auto mode off, our listener, and one patient."""
    stop = threading.Event()
    listener = Listener(sessions, settings, {"port": 0})
    simulators = Simulators(
        Desk(auto=False, delay=0.05), Ports(), secret, listener={"host": HOST, "port": listener.port, "timeout": 5},
        fhir_url="http://127.0.0.1:9/fhir",
    )  # fmt: skip
    threads = [threading.Thread(target=part.run, args=(stop,), daemon=True) for part in (listener, simulators)]
    for thread in threads:
        thread.start()
    with sessions() as session:
        demo.connect(session, replace(settings, port=18000), simulators.ports)
        session.commit()
    made = World(settings, sessions, simulators, listener)
    made.patient_id = str(made.call("patient.save", "patient", **PATIENT)["patientId"])
    yield made
    stop.set()
    threads[0].join(5)  # the far ends may end later: they touch no database


@pytest.fixture(autouse=True)
def _no_runtime_left_over() -> Iterator[None]:
    yield
    runtime._runtime.sessions = None
    runtime._runtime.settings = None
