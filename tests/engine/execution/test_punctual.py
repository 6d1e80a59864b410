"""Timers are punctual: ten a second within two seconds, ten thousand due together each once and soon."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from engine.db import sessions
from engine.execution import check, instances
from engine.execution.tables import Event, Job
from engine.execution.worker import Worker
from engine.settings import Settings
from tests.engine.build import catch, end, process, start, timer

WAIT = process(start(), catch("wait", timer("Duration", "=span")), end(), flows="start -> wait -> end")
EVERY, WITHIN = 0.1, 2.0  # seconds


@pytest.mark.slow
@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=[pytest.mark.bench, pytest.mark.timeout(1800)])])
def test_ten_timers_a_second_fire_within_two_seconds(database: Engine, settings: Settings, count: int) -> None:
    with Session(database) as session:
        check.deploy(session, {"p.bpmn": WAIT}, by="test")

        for number in range(count):
            instances.start(session, "p", {"span": timedelta(seconds=3 + number * EVERY)})
        session.commit()
        dues = {job.instance_id: job.due for job in session.scalars(select(Job))}
    stop = threading.Event()
    worker = threading.Thread(target=Worker(sessions(database), settings).run_forever, args=(stop,))
    worker.start()
    try:
        until = time.monotonic() + 3 + count * EVERY + 30
        while len(fired := times(database)) < count and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        stop.set()
        worker.join()
    assert sorted(instance for instance, _ in fired) == sorted(dues), "each once"
    late = sorted((at - dues[instance]).total_seconds() for instance, at in fired)
    print(f"{count} timers at 10/s: {late[int(len(late) * 0.99) - 1]:.2f} s late at most but for 1%, {late[-1]:.2f} s in all")
    assert late[0] >= 0, "never early"
    assert late[int(len(late) * 0.99) - 1] <= WITHIN


def times(engine: Engine) -> list[tuple[str, datetime]]:
    with Session(engine) as session:
        query = select(Event.instance_id, Event.at).where(Event.kind == "completed", Event.element_id == "wait")
        return [(str(instance), at) for instance, at in session.execute(query)]
