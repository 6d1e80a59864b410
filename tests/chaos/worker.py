"""A worker process to be killed: `python -m tests.chaos.worker DATABASE BOOKS VARIANT`.

VARIANT is right, keyless (the far end gets no stable key) or early (the job is acknowledged before it is done).
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from sqlalchemy import create_engine

from engine.db import arm_sqlite, keyring, sessions
from engine.execution import connectors, jobs
from engine.execution.tables import Job
from engine.execution.worker import Worker
from engine.settings import Settings
from tests.chaos.far_end import Charge, FarEnd
from tests.conftest import load_tables

KEY = b"0" * 32


class Early(Worker):
    """Broken on purpose: says that it is done, then does it."""

    def _call(self, job: Job) -> None:
        with self.sessions() as session:
            call = jobs.call_of(session, job)
        self._settle(job, lambda session: jobs.finish(session, job, self.owner, {"receipt": call.key}))
        time.sleep(0.15)  # as long as the far end takes in the other variants: there a kill hurts most
        self._connector(call)


def main(database: str, books: str, variant: str) -> None:
    """Works until it is killed."""
    load_tables()
    keyring.use(KEY)
    engine = create_engine(database, pool_size=10)
    if engine.dialect.name == "sqlite":
        arm_sqlite(engine)
    connectors.register(Charge(FarEnd(Path(books)), honours_keys=variant != "keyless"))
    settings = Settings(lease_seconds=1, worker_threads=4).checked()
    worker = (Early if variant == "early" else Worker)(sessions(engine), settings)
    worker.run_forever(threading.Event(), idle=0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
