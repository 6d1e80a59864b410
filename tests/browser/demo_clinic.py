"""A demonstration clinic in processes of its own, started as a newcomer would."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from engine.db import open_engine
from engine.settings import Settings
from tests.machines import free_port

ROOT = Path(__file__).parents[2]


@dataclass
class DemoClinic:
    """Where the clinic is reached, and its database for looking at what the pages did."""

    url: str
    settings: Settings
    engine: Engine
    process: subprocess.Popen[bytes]
    env: dict[str, str]
    log: Path

    def kill(self, name: str) -> None:
        """SIGKILLs one of the clinic's own processes (`serve` or `worker`); the clinic starts it again."""
        listing = subprocess.run(["pgrep", "-f", "-P", str(self.process.pid), name], capture_output=True, text=True, check=True)
        for pid in listing.stdout.split():
            os.kill(int(pid), 9)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[DemoClinic]:
    """Starts `carelane demo` on free ports with its files under `folder`, and ends it afterwards."""
    settings = Settings.from_env({}, var_dir=folder / "var", port=free_port(), mllp_port=free_port(), simulators=True)
    env = {
        **os.environ, "CARELANE_VAR_DIR": str(settings.var_dir), "CARELANE_MLLP_PORT": str(settings.mllp_port), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    log = folder / "demo.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "web.cli.run", "demo", "--port", str(settings.port), *options]
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        wait_for(settings.public_url, process, log)
        engine = open_engine(settings)
        yield DemoClinic(settings.public_url, settings, engine, process, env, log)
        engine.dispose()
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> None:
    """Until the web answers; fails with the log when the clinic ends or takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the clinic ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"the clinic did not answer within {seconds:g} s:\n{log.read_text()[-3000:]}")
