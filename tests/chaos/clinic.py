"""A clinic under fire: people at work over HTTP, and its web and worker processes killed under them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from engine.db import open_engine
from engine.execution import check
from engine.execution.tables import Event, Incident, Instance, Job, Task
from tests import machines
from tests.chaos.day import prepare, settings_at
from tests.chaos.far_end import FarEnd
from tests.conftest import ROOT
from tests.engine.build import end, process, service, start, user

MODEL = process(start(), user("ask"), service("pay", type_="charge"), user("hand_out"), end(), flows="start -> ask -> pay -> hand_out -> end")
PATIENCE = 90.0  # seconds in which a request is answered at last


@dataclass
class Clinic:
    """A database, a far end, people, one web process and two workers; what is killed is started again at once."""

    folder: Path
    database: str = ""
    variant: str = "right"
    users: int = 8
    pause: float = 0.3  # seconds between a person's visits
    seed: int = 7
    acknowledged: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)  # visits that were asked for
    refused: list[str] = field(default_factory=list)  # answers that tell a person no
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.settings = settings_at(self.folder, self.database)
        self.token = prepare(self.settings)
        # Reads of the test itself; the processes have engines of their own.
        self.engine: Engine = (
            open_engine(self.settings) if not self.database else create_engine(self.database, pool_size=self.users, pool_pre_ping=True)
        )
        with Session(self.engine) as session:
            check.deploy(session, {"p.bpmn": MODEL}, by="test")
            session.commit()
        self.far_end = FarEnd(self.folder / "books.db")
        self.port = machines.free_port()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.chance = random.Random(self.seed)
        arguments = [sys.executable, "-m", "tests.chaos.keeper", str(self.folder), self.database, self.variant]
        log = (self.folder / "log").open("wb")
        self.keeper = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.alive: dict[int, str] = {}

    # -- processes

    def begin(self, what: str) -> int:
        """Starts a `worker` or the `web`."""
        assert self.keeper.stdin
        assert self.keeper.stdout
        self.keeper.stdin.write(f"{what} {self.port}\n" if what == "web" else f"{what}\n")
        self.keeper.stdin.flush()
        pid = int(self.keeper.stdout.readline())
        self.alive[pid] = what
        return pid

    def kill(self, pid: int) -> str:
        """Kills a process with all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return self.alive.pop(pid)

    def end(self) -> None:
        """Leaves nothing running."""
        for pid in list(self.alive):
            self.kill(pid)
        assert self.keeper.stdin
        self.keeper.stdin.close()
        self.keeper.wait(20)
        self.engine.dispose()

    # -- people

    def person(self, number: int) -> None:
        """Starts visits and completes their first task, asking again with the same key until there is an answer."""
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", headers={"Authorization": f"Bearer {self.token}"}, timeout=20
        ) as web:
            count = 0
            while not self.closing.is_set():
                count += 1
                key = f"{number}-{count}"
                with self.lock:
                    self.keys.add(key)
                made = self.ask(web, "/instances", f"s{key}", {"processId": "p", "businessKey": key})
                if made is None:
                    return
                task = self.task(made["id"])
                if self.ask(web, f"/tasks/{task}/complete", f"c{key}", {"values": {"by": key}}) is None:
                    return
                with self.lock:
                    self.acknowledged.append(made["id"])
                time.sleep(self.pause)

    def task(self, instance: str) -> str:
        """The visit's task, as soon as the database says which."""
        while True:
            with suppress(OperationalError), Session(self.engine) as session:
                return session.scalars(select(Task.id).where(Task.instance_id == instance, Task.element_id == "ask")).one()
            time.sleep(0.1)

    def ask(self, web: httpx.Client, path: str, key: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer at last; None when it was a refusal."""
        until = time.monotonic() + PATIENCE
        last = "nothing was asked"
        while time.monotonic() < until:
            try:
                answer = web.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code < 300:
                    found: dict[str, Any] = answer.json()
                    return found
                last = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500:
                    break
            time.sleep(0.05)
        with self.lock:
            self.refused.append(f"{path}: {last}")
        return None

    # -- the day

    def run(self, fire: Callable[[], None]) -> None:
        """People work while `fire` does its worst; then everything is let finish."""
        for what in ("web", "worker", "worker"):
            self.begin(what)
        self.ready()
        people = [threading.Thread(target=self.person, args=(n,)) for n in range(self.users)]
        for one in people:
            one.start()
        try:
            fire()
        finally:
            self.closing.set()
            for one in people:
                one.join()
        self.wait(lambda: self.open_jobs() == 0, 120)
        time.sleep(0.3)

    def kill_often(self, count: int, whom: tuple[str, ...] = ("worker", "worker", "web")) -> None:
        """Kills processes, workers in the middle of their calls; each is started again at once."""
        for _ in range(count):
            what = self.chance.choice(whom)
            pid = self.chance.choice([pid for pid, kind in self.alive.items() if kind == what])
            before = self.far_end.count("asked")
            self.wait(lambda before=before: self.far_end.count("asked") > before, 60)  # type: ignore[misc]
            time.sleep(self.chance.uniform(0, 0.25))
            self.kill(pid)
            self.kills[what] += 1
            self.begin(what)

    def ready(self) -> None:
        """Waits until the web answers."""

        def answers() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=5).status_code == 200
            return False

        self.wait(answers, 60)

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready()` is true."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline, f"it did not happen in time; the log: {(self.folder / 'log').read_text()[-2000:]}"
            time.sleep(0.01)

    def open_jobs(self) -> int:
        """Calls that are not done."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).where(Job.state.in_(("ready", "running")))) or 0

    # -- the verdict

    def faults(self) -> dict[str, int]:
        """What must be zero."""
        mine = set(self.acknowledged)
        with Session(self.engine) as session:
            asked = Counter(session.scalars(select(Event.instance_id).where(Event.kind == "completed", Event.element_id == "ask")))
            there = Counter(session.scalars(select(Task.instance_id).where(Task.element_id == "hand_out", Task.state == "open")))
            states = Counter(session.scalars(select(Instance.state)))
            keys = Counter(session.scalars(select(Instance.business_key)))
            incidents = session.scalar(select(func.count()).select_from(Incident)) or 0
        return {
            "lost": len(mine - set(asked)),
            "stuck": len(mine - set(there)) + sum(states.values()) - states["running"],
            "uncharged": max(len(mine) - self.far_end.count("keys"), 0),
            "charged twice": self.far_end.count("charged") - self.far_end.count("keys"),
            "steps twice": sum(count > 1 for count in asked.values()) + sum(count > 1 for count in there.values()),
            "visits twice": sum(count > 1 for count in keys.values()),
            "refused": len(self.refused),
            "incidents": incidents,
        }

    def redelivered(self) -> int:
        """Claims beyond the first of each call."""
        with Session(self.engine) as session:
            tries, calls = session.execute(select(func.sum(Job.attempts), func.count()).where(Job.kind == "call")).one()
        return int(tries or 0) - int(calls)
