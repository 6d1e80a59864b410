"""Starts processes that are going to be killed: `python -m tests.chaos.keeper FOLDER DATABASE VARIANT`.

Everything is imported once. Each line of its input, `worker` or `web PORT`, forks a process that is a group of its own, and is
answered by its id. VARIANT of workers is right, keyless (the far end gets no stable key) or early (acknowledged before it is done).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import gunicorn.app.base
import gunicorn.workers.gthread

import integrations
from engine.db import open_engine, sessions
from engine.execution import connectors, jobs
from engine.execution.tables import Job
from engine.execution.worker import Worker
from engine.settings import Settings
from tests.chaos.day import settings_at
from tests.chaos.far_end import Charge, FarEnd
from tests.conftest import load_tables
from web.cli.serve import run_web

LEASE_SECONDS = 1
PRELOADED = (gunicorn.app.base, gunicorn.workers.gthread)


class Noting(Worker):
    """Writes down when it takes which calls."""

    books: FarEnd

    def _claim(self, *, calls: int, own: int) -> list[Job]:
        taken = super()._claim(calls=calls, own=own)
        self.books.claimed([job.key for job in taken if job.kind == "call"])
        return taken


class Early(Noting):
    """Broken on purpose: says that it is done, then does it."""

    def _call(self, job: Job) -> None:
        with self.sessions() as session:
            call = jobs.call_of(session, job)
        self._settle(job, lambda session: jobs.finish(session, job, self.owner, {"receipt": call.key}))
        time.sleep(0.15)  # as long as the far end takes in the other variants: there a kill hurts most
        self._connector(call)


def work(settings: Settings, variant: str) -> None:
    """Works until it is killed."""
    factory = sessions(open_engine(settings))
    books = FarEnd(settings.var_dir / "books.db")
    connectors.register(Charge(books, honours_keys=variant != "keyless"))
    integrations.load(sessions=factory, settings=settings)
    worker = (Early if variant == "early" else Noting)(factory, settings)
    worker.books = books
    worker.run_forever(threading.Event(), idle=0.1)


def main(folder: str, database: str, variant: str) -> None:
    """Forks what it is asked for until its input ends."""
    load_tables()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed
    for line in sys.stdin:
        what, _, port = line.strip().partition(" ")
        if pid := os.fork():
            print(pid, flush=True)
            continue
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        settings = settings_at(Path(folder), database, **({"port": int(port)} if port else {"worker_threads": 4}))
        try:
            if what == "web":
                run_web(settings)
            else:
                work(settings, variant)
        finally:
            os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
