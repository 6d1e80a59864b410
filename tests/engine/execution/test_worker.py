"""The worker: timers fired together, each once; one that fails keeps no other waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import sessions, write_lock
from engine.errors import Conflict
from engine.execution import check, connectors, instances, jobs
from engine.execution.connectors import Call
from engine.execution.tables import Event, Instance, Job
from engine.execution.worker import TOGETHER, Worker
from engine.settings import Settings
from tests.engine.build import boundary, catch, end, process, service, start, timer, user

WAIT = process(start(), catch("wait", timer("Duration", "PT0S")), user("after"), end(), flows="start -> wait -> after -> end")
CALL = process(start(), service("work", type_="slow"), end(), flows="start -> work -> end")


@pytest.fixture
def engine(any_database: Engine) -> Engine:
    return any_database


@pytest.fixture
def worker(engine: Engine, settings: Settings) -> Worker:
    return Worker(sessions(engine), settings)


def begin(engine: Engine, model: bytes, count: int = 1) -> list[str]:
    with Session(engine, expire_on_commit=False) as session:
        check.deploy(session, {"p.bpmn": model}, by="test")
        rows = [instances.start(session, "p") for _ in range(count)]
        session.commit()
        return [row.id for row in rows]


def fired(engine: Engine) -> Counter[str]:
    with Session(engine) as session:
        return Counter(session.scalars(select(Event.instance_id).where(Event.kind == "completed", Event.element_id == "wait")))


def states(engine: Engine) -> Counter[str]:
    with Session(engine) as session:
        return Counter(session.scalars(select(Job.state)))


class TestTogether:
    def test_each_timer_fires_once(self, engine: Engine, worker: Worker) -> None:
        ids = begin(engine, WAIT, TOGETHER * 2 + 3)
        assert worker.run_once() == len(ids)
        assert fired(engine) == Counter(ids)
        assert worker.run_once() == 0

    def test_it_takes_few_transactions(self, engine: Engine, worker: Worker) -> None:
        begin(engine, WAIT, TOGETHER * 2)
        with faults.watched() as passed:
            worker.run_once()
        assert "worker.batch.after" in passed
        assert "worker.fire.after" not in passed

    def test_one_that_fails_keeps_no_other_waiting(self, engine: Engine, worker: Worker) -> None:
        ids = begin(engine, WAIT, 5)
        timers = worker._claim(calls=0, own=10)
        with Session(engine) as session:
            session.execute(update(Instance).where(Instance.id == ids[2]).values(state="completed"))
            session.commit()
        worker.do_all(timers)
        assert fired(engine) == Counter(ids[:2] + ids[3:])
        assert states(engine) == Counter(done=4, cancelled=1)

    def test_a_timer_that_may_have_ended_its_worker_goes_alone(self, engine: Engine, worker: Worker) -> None:
        begin(engine, WAIT, 3)
        with Session(engine) as session:
            session.execute(update(Job).values(attempts=1))
            session.commit()
        with faults.watched() as passed:
            worker.run_once()
        assert "worker.fire.after" in passed
        assert "worker.batch.after" not in passed

    def test_a_crash_in_the_middle_loses_none_and_fires_none_twice(self, engine: Engine, worker: Worker, settings: Settings) -> None:
        ids = begin(engine, WAIT, 5)
        with faults.armed("step.written", times=3), pytest.raises(faults.Injected):
            worker.run_once()
        assert fired(engine) == Counter()
        with clock.at(clock.now() + timedelta(seconds=settings.lease_seconds + 1)):
            Worker(sessions(engine), settings).run_once()
        assert fired(engine) == Counter(ids)

    def test_timers_of_another_worker_are_left_alone(self, engine: Engine, worker: Worker) -> None:
        ids = begin(engine, WAIT, 3)
        with Session(engine, expire_on_commit=False) as session:
            write_lock(session)
            mine = jobs.claim(session, "me", 10, timedelta(seconds=9))
            session.commit()
        with Session(engine) as session:
            session.execute(update(Job).where(Job.instance_id == ids[0]).values(owner="you"))
            session.commit()
        with Session(engine) as session:
            write_lock(session)
            with pytest.raises(Conflict):
                jobs.fire_together(session, mine, "me")
        assert fired(engine) == Counter()

    def test_two_timers_of_one_instance(self, engine: Engine, worker: Worker) -> None:
        model = process(
            start(), user("look"), boundary("soon", "look", timer("Duration", "PT0S"), interrupting=False),
            boundary("late", "look", timer("Duration", "PT0S")), end(), end("a"), end("b"),
            flows=["start -> look -> end", "soon -> a", "late -> b"],
        )  # fmt: skip
        (instance,) = begin(engine, model)
        while worker.run_once():
            pass
        with Session(engine) as session:
            assert session.get(Instance, instance).state == "completed"  # type: ignore[union-attr]
            ends = session.scalars(select(Event.element_id).where(Event.kind == "completed", Event.element_id.in_(("soon", "late")))).all()
        assert "late" in ends
        assert len(ends) == len(set(ends))


@dataclass
class Slow:
    """A connector during whose call something else happens."""

    meanwhile: Any
    calls: int = 0
    type: str = "slow"

    def call(self, call: Call) -> Mapping[str, Any]:
        self.calls += 1
        if self.calls == 1:
            self.meanwhile()
        return {}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow(lambda: None)
    monkeypatch.setitem(connectors._connectors, "slow", made)
    return made


class TestMeanwhile:
    def do(self, engine: Engine, act: Any) -> None:
        with Session(engine) as session:
            write_lock(session)
            act(session)
            session.commit()

    def test_a_visit_suspended_during_a_call_goes_on_when_it_is_resumed(self, engine: Engine, worker: Worker, slow: Slow) -> None:
        (instance,) = begin(engine, CALL)
        slow.meanwhile = lambda: self.do(engine, lambda session: instances.suspend(session, instance, "look", actor="ann"))
        worker.run_once()
        assert states(engine) == Counter(ready=1)
        assert worker.run_once() == 0, "nothing of a suspended visit is called"
        self.do(engine, lambda session: instances.resume(session, instance, "looked", actor="ann"))
        assert worker.run_once() == 1
        with Session(engine) as session:
            assert session.get(Instance, instance).state == "completed"  # type: ignore[union-attr]

    def test_the_outcome_for_a_cancelled_visit_is_dropped(self, engine: Engine, worker: Worker, slow: Slow) -> None:
        (instance,) = begin(engine, CALL)
        slow.meanwhile = lambda: self.do(engine, lambda session: instances.cancel(session, instance, "gone", actor="ann"))
        worker.run_once()
        assert states(engine) == Counter(cancelled=1)

    def test_a_database_that_comes_back_soon_gets_the_outcome(
        self, engine: Engine, worker: Worker, slow: Slow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(engine, CALL)
        finish, failures = jobs.finish, iter([1, 1])

        def down(*given: Any) -> None:
            if next(failures, None):
                raise OperationalError("", {}, OSError("gone"))
            finish(*given)

        monkeypatch.setattr(jobs, "finish", down)
        worker.run_once()
        assert states(engine) == Counter(done=1)
        assert slow.calls == 1

    def test_a_database_that_stays_away_leaves_the_job_to_its_lease(
        self, engine: Engine, worker: Worker, slow: Slow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(engine, CALL)
        worker.lease = timedelta(seconds=0.2)

        def down(*_: Any) -> None:
            raise OperationalError("", {}, OSError("gone"))

        monkeypatch.setattr(jobs, "finish", down)
        worker.run_once()
        with Session(engine) as session:
            assert session.scalar(select(func.count()).where(Job.state == "running")) == 1
