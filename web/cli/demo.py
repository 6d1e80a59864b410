"""`carelane demo`: a whole clinic with one command. This process only starts the others and watches over them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from types import FrameType
from urllib.error import URLError

import click

import migrations
from engine.db import open_engine, sessions, write_lock
from engine.settings import Settings
from web.accounts.demo import PASSWORD, STAFF
from web.cli import serve
from web.demo import setup

PARTS = {
    "far ends": ["-m", "integrations.simulators"],
    "worker": ["-m", "web.cli.run", "worker"],
    "web": ["-m", "web.cli.run", "serve"],
}
PAST = ["-m", "web.demo"]
PATIENCE = 60  # seconds that the web may take to answer for the first time


@click.command()
@click.option("--port", type=int, default=8000, show_default=True, help="Port of the web.")
@click.option("--no-past", is_flag=True, help="Do not play the two weeks that lie behind the clinic.")
def demo(port: int, no_past: bool) -> None:
    """Start a demonstration clinic: web, worker and simulated far ends, with staff of every role."""
    settings = Settings.from_env(port=port, simulators=True)
    engine = open_engine(settings)
    migrations.upgrade(engine)
    serve.prepare(settings, engine)
    with sessions(engine)() as session:
        write_lock(session)
        created = setup.prepare(session, settings)
        session.commit()
    engine.dispose()
    if created:
        click.echo(f"Deployed: {', '.join(created)}")
    Clinic(settings, past=not no_past).run()


class Clinic:
    """The child processes. One that dies is started again; all end with us."""

    def __init__(self, settings: Settings, *, past: bool) -> None:
        self.settings = settings
        self.env = {**os.environ, "CARELANE_PORT": str(settings.port), "CARELANE_SIMULATORS": "true"}
        self.past = past
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False

    def run(self) -> None:
        """Starts everything, says where it is, and watches until it is told to stop."""
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        for name in PARTS:
            self._start(name)
        if self._answers():
            self._greet()
            if self.past:
                self.running["past"] = subprocess.Popen([sys.executable, *PAST], env=self.env)
        while not self.stopping:
            time.sleep(0.5)
            self._watch()
        self._end()

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _start(self, name: str) -> None:
        self.running[name] = subprocess.Popen([sys.executable, *PARTS[name]], env=self.env, start_new_session=True)

    def _watch(self) -> None:
        for name, process in list(self.running.items()):
            if process.poll() is None:
                continue
            if name == "past":
                del self.running[name]
            elif not self.stopping:
                click.echo(f"The {name} ended with {process.returncode} and is started again.", err=True)
                time.sleep(1)
                self._start(name)

    def _answers(self) -> bool:
        url = f"http://{self.settings.host}:{self.settings.port}/health/live"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.stopping:
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return True
            except (URLError, ConnectionError, TimeoutError):
                self._watch()
                time.sleep(0.2)
        if not self.stopping:
            click.echo(f"The web does not answer on {url}. Is the port taken? PORT=8001 make run chooses another.", err=True)
            self.stopping = True
        return False

    def _greet(self) -> None:
        click.echo(f"\nCarelane runs at {self.settings.public_url}  (Ctrl+C ends it)\n")
        click.echo(f"Sign in with one of these names; the password of each is {PASSWORD}:")
        for login, zh, en, roles in STAFF:
            click.echo(f"  {login:14} {zh} {en} ({', '.join(role.replace('_', ' ') for role, _ in roles)})")
        click.echo("", nl=True)
        sys.stdout.flush()

    def _end(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + 10
        for process in self.running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
