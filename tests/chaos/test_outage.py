"""The database stops under people who work: crashed, shut down or hanging, for up to five seconds. Nothing comes of it but waiting."""

from __future__ import annotations

import os
import pwd
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from sqlalchemy import make_url

from tests import machines
from tests.chaos.clinic import Clinic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

READY_FAILS, READY_AGAIN = 2.0, 5.0  # seconds


@dataclass
class Server:
    """A PostgreSQL server that can be stopped and started."""

    data: Path
    url: str
    user: int | None = None

    def control(self, *arguments: str) -> None:
        """pg_ctl."""
        program = machines.postgres_bin() / "pg_ctl"  # type: ignore[operator]
        done = subprocess.run(
            [program, "-D", self.data, "-w", "-s", *arguments], user=self.user, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )  # fmt: skip
        assert done.returncode == 0, arguments

    def stop(self, how: str) -> None:
        """`immediate` is a crash, `fast` an orderly end, `hang` a machine that answers nothing any more."""
        if how == "hang":
            self._signal(signal.SIGSTOP)
        else:
            self.control("stop", "-m", how)

    def start(self, how: str) -> None:
        """Undoes `stop`."""
        if how == "hang":
            self._signal(signal.SIGCONT)
            return
        port = make_url(self.url).port
        options = f"-p {port} -c unix_socket_directories={self.data} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self.control("start", "-l", str(self.data / "log"), "-o", options)

    def _signal(self, what: signal.Signals) -> None:
        main = int((self.data / "postmaster.pid").read_text().split()[0])
        for pid in [main, *_children(main)]:
            with suppress(ProcessLookupError):
                os.kill(pid, what)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    if machines.postgres_bin() is None:
        pytest.skip("PostgreSQL is not installed")
    with TemporaryDirectory(prefix="carelane-outage-") as folder, machines.postgres(Path(folder)) as url:
        user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        made = Server(Path(folder) / "data", url, user)
        yield made
        with suppress(AssertionError):
            made.control("stop", "-m", "immediate")


@dataclass
class Watch:
    """What /health/ready says, and how long it took to say so."""

    url: str
    failed: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)

    def is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(self.url, timeout=READY_FAILS - 0.5).status_code == 200
        return False

    def until(self, wanted: bool, seconds: float) -> float:
        begun = time.monotonic()
        while self.is_ready() is not wanted:
            if time.monotonic() - begun > seconds:
                break
            time.sleep(0.02)
        return time.monotonic() - begun


def outages(clinic: Clinic, server: Server, watch: Watch, count: int) -> Callable[[], None]:
    """Stops the database `count` times for 0 to 5 s, in turn by crash, shutdown and hanging."""
    chance = random.Random(11)

    def fire() -> None:
        for number in range(count):
            before, how, span = clinic.far_end.count("asked"), ("immediate", "fast", "hang")[number % 3], chance.uniform(0, 5)
            span = span if number >= 3 else 3 + span / 3  # one long outage of each kind at least
            clinic.wait(lambda before=before: clinic.far_end.count("asked") > before, 60)  # type: ignore[misc]
            begun = time.monotonic()
            server.stop(how)
            if span > READY_FAILS:
                watch.failed.append(watch.until(False, READY_FAILS + 1))
            time.sleep(max(span - (time.monotonic() - begun), 0))
            server.start(how)
            watch.again.append(watch.until(True, READY_AGAIN + 5))

    return fire


@pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.bench)])
def test_a_stopped_database_costs_nothing_but_time(server: Server, count: int) -> None:
    with TemporaryDirectory(prefix="carelane-chaos-") as folder, machines.postgres_database(server.url) as url:
        clinic = Clinic(Path(folder), url, users=8 if count < 10 else 20, pause=0.3)
        try:
            watch = Watch(f"http://127.0.0.1:{clinic.port}/health/ready")
            clinic.run(outages(clinic, server, watch, count))
            print(
                f"{len(clinic.acknowledged)} acknowledged, {count} outages, {clinic.redelivered()} redelivered, {clinic.faults()}; "
                f"not ready after at most {max(watch.failed):.2f} s, ready again after at most {max(watch.again):.2f} s"
            )
            assert not any(clinic.faults().values()), (clinic.faults(), clinic.refused[:3])
            assert max(watch.failed) <= READY_FAILS
            assert max(watch.again) <= READY_AGAIN
        finally:
            clinic.end()
