"""A far end that bears few calls at once gets no more, whoever works; what waits for it keeps nothing else waiting."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import write_lock
from engine.execution import check, instances, jobs, lanes
from engine.execution.tables import Job
from tests.engine.build import end, process, service, start

SLOW = process(start(), service("a", type_="slow"), end(), flows="start -> a -> end", id="slow")
QUICK = process(start(), service("b", type_="quick"), end(), flows="start -> b -> end", id="quick")
LEASE = timedelta(seconds=30)


class Two:
    """`slow` bears two calls at once."""

    def most(self) -> Mapping[str, int]:
        return {"slow": 2}

    def of(self, type: str, input: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        return headers.get("connection", type)


@pytest.fixture
def engine(any_database: Engine) -> Iterator[Engine]:
    lanes.use(Two())
    with Session(any_database) as session:
        check.deploy(session, {"slow.bpmn": SLOW, "quick.bpmn": QUICK}, by="test")
        for _ in range(lanes.WINDOW + 5):
            instances.start(session, "slow")
        instances.start(session, "quick")
        session.commit()
    yield any_database
    lanes.use(None)


def claim(engine: Engine, owner: str, limit: int = 4) -> Counter[str]:
    with Session(engine, expire_on_commit=False) as session:
        write_lock(session)
        taken = jobs.claim(session, owner, limit, LEASE, kinds=("call",))
        session.commit()
        return Counter(job.type for job in taken)


def test_no_more_than_it_bears_and_others_do_not_wait(engine: Engine) -> None:
    assert claim(engine, "one") == Counter(slow=2, quick=1), "the quick one is behind hundreds of slow ones"
    assert claim(engine, "two") == Counter()


def test_room_is_made_by_an_end_and_by_a_lease_that_runs_out(engine: Engine) -> None:
    claim(engine, "one")
    with Session(engine) as session:
        job = session.scalars(select(Job).where(Job.state == "running", Job.type == "slow")).first()
        assert job
        job.state = "done"
        session.commit()
    assert claim(engine, "two") == Counter(slow=1)
    with clock.at(clock.now() + LEASE + timedelta(seconds=1)):
        assert claim(engine, "three") == Counter(slow=2, quick=1)


def test_workers_that_claim_at_the_same_moment_do_not_exceed_it(engine: Engine) -> None:
    gate, taken = threading.Barrier(6), []

    def work(number: int) -> None:
        gate.wait()
        taken.append(claim(engine, f"w{number}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken, Counter()) == Counter(slow=2, quick=1)


def test_without_limits_nothing_is_looked_at_twice(engine: Engine) -> None:
    lanes.use(None)
    assert claim(engine, "one", 10) == Counter(slow=10)
