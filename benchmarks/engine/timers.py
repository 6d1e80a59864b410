"""Many timers due together: how long until the last has fired, how late each is, none lost, none twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from benchmarks.engine.visit import begin, prepare, row, sqlite
from engine import clock
from engine.db import new_id, sessions
from engine.execution.tables import Event, Instance, Job
from engine.execution.worker import Worker
from engine.settings import Settings
from tests.engine.build import catch, end, process, start, timer

MODEL = process(start(), catch("wait", timer("Duration", "=span")), end(), flows="start -> wait -> end")


def measure(*, full: bool) -> Iterator[dict[str, Any]]:
    """Benchmark (d)."""
    count = 10_000 if full else 1_000
    with TemporaryDirectory() as folder:
        engine = sqlite(Path(folder), "timers.db")
        prepare(engine, MODEL)
        original = begin(engine, {"span": "PT0S"})
        with engine.begin() as connection:
            instance = dict(connection.execute(Instance.__table__.select().where(Instance.id == original)).mappings().one())
            job = dict(connection.execute(Job.__table__.select().where(Job.instance_id == original)).mappings().one())
            ids = [new_id() for _ in range(count - 1)]
            connection.execute(insert(Instance.__table__), [{**instance, "id": id} for id in ids])
            due = clock.now()
            connection.execute(insert(Job.__table__), [{**job, "id": new_id(), "instance_id": id, "key": new_id(), "due": due} for id in ids])
        worker = Worker(sessions(engine), Settings(var_dir=Path(folder), worker_threads=8).checked())
        begun = time.perf_counter()
        while worker.run_once():
            pass
        span = time.perf_counter() - begun
        with Session(engine) as session:
            fired = session.scalar(select(func.count()).where(Event.kind == "completed", Event.element_id == "wait"))
            late = sorted(
                (at - due).total_seconds()
                for at in session.scalars(select(Event.at).where(Event.kind == "completed", Event.element_id == "wait"))
            )
        engine.dispose()
    yield row(f"{count} timers due together: fired once each", "timers", float(fired or 0), "set", float(count), "exactly 1")
    yield row(f"{count} timers due together: rate of one worker", "timers/s", count / span)
    yield row(f"{count} timers due together: 99th percentile of lateness", "s", late[int(len(late) * 0.99) - 1], goal="≤ 60 s")
