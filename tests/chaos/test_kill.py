"""Workers killed in the middle of their work: nothing acknowledged is lost, nothing is charged twice.

The two broken variants show that the test can see a loss and a double charge.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from engine.db import Base, arm_sqlite, keyring, write_lock
from engine.execution import check, instances, tasks
from engine.execution.tables import Event, Instance, Job, Task
from tests.chaos.far_end import FarEnd
from tests.chaos.worker import KEY
from tests.conftest import ROOT, load_tables
from tests.engine.build import end, process, service, start, user

MODEL = process(start(), user("ask"), service("pay", type_="charge"), user("hand_out"), end(), flows="start -> ask -> pay -> hand_out -> end")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass
class Clinic:
    """A database, a far end, people who complete tasks, and workers that get killed."""

    folder: Path
    variant: str
    acknowledged: list[str] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        load_tables()
        keyring.use(KEY)
        self.url = f"sqlite:///{self.folder / 'clinic.db'}"
        self.engine: Engine = create_engine(self.url, pool_size=10)
        arm_sqlite(self.engine)
        Base.metadata.create_all(self.engine)
        self.books = self.folder / "books.db"
        self.far_end = FarEnd(self.books)
        self.closing = threading.Event()
        self.lock = threading.Lock()
        with Session(self.engine) as session:
            check.deploy(session, {"p.bpmn": MODEL}, by="test")
            session.commit()

    def person(self, name: str) -> None:
        """Starts visits and completes tasks; what was committed counts as acknowledged."""
        while not self.closing.is_set():
            with Session(self.engine, expire_on_commit=False) as session:
                write_lock(session)
                row = instances.start(session, "p")
                task = session.scalars(select(Task.id).where(Task.instance_id == row.id)).one()
                session.commit()
            with Session(self.engine) as session:
                write_lock(session)
                tasks.complete(session, task, {"by": name}, user=name)
                session.commit()
            with self.lock:
                self.acknowledged.append(row.id)
            time.sleep(0.5)

    def worker(self) -> subprocess.Popen[bytes]:
        """A worker in a process of its own."""
        arguments = [sys.executable, "-m", "tests.chaos.worker", self.url, str(self.books), self.variant]
        return subprocess.Popen(arguments, cwd=ROOT)

    def run(self, kills: int) -> None:
        """People work while worker after worker is killed, each in the middle of some calls; then a last one finishes."""
        chance = random.Random(7)
        people = [threading.Thread(target=self.person, args=(f"u{n}",)) for n in range(5)]
        for one in people:
            one.start()
        try:
            for _ in range(kills):
                self._kill_one(chance)
        finally:
            self.closing.set()
            for one in people:
                one.join()
        last = self.worker()
        try:
            self._wait(lambda: self._open_jobs() == 0, 120)
            time.sleep(0.5)
        finally:
            last.terminate()
            last.wait(20)

    def _kill_one(self, chance: random.Random) -> None:
        before, worker = self.far_end.count("asked"), self.worker()
        try:
            self._wait(lambda: self.far_end.count("asked") > before, 60)
            time.sleep(chance.uniform(0, 0.25))
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait(20)
            self.kills += 1

    def _wait(self, ready: object, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():  # type: ignore[operator]
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    def _open_jobs(self) -> int:
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).where(Job.state.in_(("ready", "running")))) or 0

    def state(self) -> dict[str, int]:
        """What came of the acknowledged completions."""
        with Session(self.engine) as session:
            done = set(session.scalars(select(Event.instance_id).where(Event.kind == "completed", Event.element_id == "ask")))
            there = set(session.scalars(select(Task.instance_id).where(Task.element_id == "hand_out", Task.state == "open")))
            tries = session.scalar(select(func.sum(Job.attempts)).where(Job.kind == "call")) or 0
            jobs_ = session.scalar(select(func.count()).where(Job.kind == "call")) or 0
            stuck = session.scalar(select(func.count()).where(Instance.state != "running")) or 0
        return {
            "lost": len(set(self.acknowledged) - done),
            "stuck": len(set(self.acknowledged) - there) + stuck,
            "uncharged": len(set(self.acknowledged)) - self.far_end.count("keys"),
            "double": self.far_end.count("charged") - self.far_end.count("keys"),
            "redelivered": tries - jobs_,
        }


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.bench)])
def test_nothing_acknowledged_is_lost_and_nothing_is_charged_twice(tmp_path: Path, kills: int) -> None:
    clinic = Clinic(tmp_path, "right")
    clinic.run(kills)
    state = clinic.state()
    print(f"{len(clinic.acknowledged)} acknowledged, {clinic.kills} kills: {state}")
    assert {name: state[name] for name in ("lost", "stuck", "uncharged", "double")} == {"lost": 0, "stuck": 0, "uncharged": 0, "double": 0}
    assert state["redelivered"] >= min(kills, 100) / 2, "the kills must have hit work in progress"


def test_without_a_stable_key_it_charges_twice(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, "keyless")
    clinic.run(3)
    assert clinic.state()["double"] > 0


def test_acknowledging_before_the_work_loses_it(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, "early")
    clinic.run(4)
    assert clinic.state()["uncharged"] > 0
