"""How a completion's cost grows: with the instances in the database, the rounds of a loop, the data; and what an instance weighs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from benchmarks.engine.visit import begin, complete, cpu, prepare, row, sqlite, visit, wall_time
from engine import clock
from engine.db import new_id
from engine.execution import instances, state, tasks
from engine.execution.environment import Deployed
from engine.execution.tables import Instance, Task, urgency
from tests.engine.build import end, process, script, start, user, xor

LOOP = process(
    start(), xor("top"), user("work"), script("count", "=n + 1", "n"), xor("again", default="again_end"), end(),
    flows=["start -> top -> work -> count -> again", "again -> top : n < 1000000", "again -> end"], id="loop",
)  # fmt: skip
ROLES = ("registrar", "triage_nurse", "doctor", "pharmacist")


def fill(engine: Engine, count: int) -> None:
    """`count` further instances, each with an open task: copies of one that was really started."""
    original = begin(engine, {"n": 2, "patientId": "p1"})
    with engine.begin() as connection:
        instance = dict(connection.execute(Instance.__table__.select().where(Instance.id == original)).mappings().one())
        task = dict(connection.execute(Task.__table__.select().where(Task.instance_id == original)).mappings().one())
        now = clock.now()
        for begin_at in range(0, count, 5000):
            ids = [new_id() for _ in range(min(5000, count - begin_at))]
            connection.execute(insert(Instance.__table__), [{**instance, "id": id} for id in ids])
            tasks_ = [
                {
                    **task, "id": new_id(), "instance_id": id, "role": ROLES[n % 4], "roles": [ROLES[n % 4]], "offer": ROLES[n % 4],
                    "priority": n * 7919 % 101, "created": now + timedelta(seconds=n), "due": due,
                    "urgency": urgency(n % 5 or None, n * 7919 % 101, due),
                }
                for n, id in enumerate(ids)
                for due in (None if n % 3 else now + timedelta(minutes=n % 600),)
            ]  # fmt: skip
            connection.execute(insert(Task.__table__), tasks_)
        if engine.dialect.name == "sqlite":
            connection.execute(text("ANALYZE"))


def by_instances(engine: Engine, *, full: bool) -> Iterator[dict[str, Any]]:
    """Completions and the inbox with more and more in the database."""
    base, there = None, 0
    for count in (10, 1_000, 100_000 if full else 20_000):
        fill(engine, count - there)
        there = count
        value = cpu(lambda: visit(engine), 30)
        yield row(f"CPU of a visit, {count} instances in the database", "ms", value, "10 instances", base, "≤ 1.3")
        base = base or value

    def inbox() -> None:
        with Session(engine) as session:
            found = tasks.inbox(session, user="ann", roles=["doctor"], limit=20)
            assert len(found) == 20

    yield row(f"a role's 20 most urgent of {there} open tasks", "ms", wall_time(inbox, 20), goal="≤ 5 ms")


def by_rounds(engine: Engine, *, full: bool) -> Iterator[dict[str, Any]]:
    """Completions late in a loop."""
    instance, done, base = begin(engine, {"n": 0}, "loop"), 0, None
    for rounds in (10, 100, 1_000, *([10_000] if full else [])):
        while done < rounds:
            complete(engine, instance, "work", {"x": 1})
            done += 1
        value = cpu(lambda: complete(engine, instance, "work", {"x": 1}), 40)
        done += 43
        yield row(f"CPU of a completion at round {rounds} of a loop", "ms", value, "round 10", base, "≤ 1.3")
        base = base or value


def by_data(engine: Engine) -> Iterator[dict[str, Any]]:
    """Completions of an instance that carries much."""
    base = None
    for kilobytes in (1, 100, 1_000):
        rows = [{"code": f"c{n:05d}", "text": "x" * 70} for n in range(kilobytes * 10)]
        instance = begin(engine, {"n": 0, "rows": rows}, "loop")
        value = cpu(lambda instance=instance: complete(engine, instance, "work", {"x": 1}), 25)  # type: ignore[misc]
        yield row(f"CPU of a completion with {kilobytes} KB of data", "ms", value, "1 KB", base, "≤ 1.5 at 100 KB")
        base = base or value


def weight(engine: Engine) -> Iterator[dict[str, Any]]:
    """What an instance weighs: loaded, and finished in the database."""
    with Session(engine) as session:
        env = Deployed(session)
        body = instances.get(session, begin(engine, {"n": 2, "patientId": "p1"})).body
        state.load(body, env)
        tracemalloc.start()
        loaded = [state.load(body, env) for _ in range(200)]
        size = tracemalloc.get_traced_memory()[0] / len(loaded) / 1024
        tracemalloc.stop()
        yield row("memory of a loaded instance", "KB", size, goal="≤ 100 KB")
    visit(engine)
    with engine.connect() as connection:
        query = "SELECT length(body) + 200 FROM instance WHERE state = 'completed' ORDER BY started DESC LIMIT 1"
        yield row("a finished instance without its history", "KB", connection.execute(text(query)).scalar_one() / 1024, goal="≤ 8 KB")


def measure(*, full: bool) -> Iterator[dict[str, Any]]:
    """Benchmark (b)."""
    with TemporaryDirectory() as folder:
        engine = sqlite(Path(folder), "growth.db")
        prepare(engine)
        prepare(engine, LOOP)
        yield from by_rounds(engine, full=full)
        yield from by_data(engine)
        yield from weight(engine)
        yield from by_instances(engine, full=full)
        engine.dispose()
