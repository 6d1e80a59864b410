"""The shape of a clinic visit, durable after every completion, beside stock SpiffWorkflow with its JSON in one row.

start → user → service → XOR → user → AND(user, service) → join → user → end. Both sides load the instance, complete one
thing and commit, in the same database with the same settings; ours also writes the inbox, the jobs and the record.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, bindparam, create_engine, select, text
from sqlalchemy.orm import Session

from engine.db import ENGINE, Base, arm_sqlite, keyring, new_id, open_engine, write_lock
from engine.errors import Stale
from engine.execution import check, instances, jobs, tasks
from engine.execution.prepared import Prepared
from engine.execution.tables import Job, Task
from engine.settings import Settings
from tests.conftest import load_tables
from tests.engine.build import both, end, process, service, start, user, xor

VISIT = process(
    start(), user("register"), service("search"), xor("g", default="g_j0"), user("triage"), xor("j0"), both("f"), user("exam"),
    service("lab"), both("j"), user("pay"), end(),
    flows=["start -> register -> search -> g", "g -> triage : n > 1", "g -> j0", "triage -> j0", "j0 -> f", "f -> exam -> j", "f -> lab -> j", "j -> pay -> end"],
)  # fmt: skip
ORDER = ("register", "search", "triage", "exam", "lab", "pay")
_task = Task.__table__.c
FIND = Prepared(
    select(_task.id).where(_task.instance_id == bindparam("at_instance"), _task.element_id == bindparam("at_element"), _task.state == "open")
)
LEASE = timedelta(seconds=60)


# -- ours -----------------------------------------------------------------------------------------------------------------


def prepare(engine: Engine, model: bytes = VISIT) -> None:
    """A fresh schema with the model deployed."""
    load_tables()
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        check.deploy(session, {"p.bpmn": model}, by="bench")
        session.commit()


def begin(engine: Engine, variables: dict[str, Any], process_id: str = "p") -> str:
    """One started instance."""
    with Session(engine, expire_on_commit=False) as session:
        write_lock(session)
        row = instances.start(session, process_id, variables)
        session.commit()
        return row.id


def complete(engine: Engine, instance: str, element: str, values: dict[str, Any]) -> bool:
    """One completed task, as a request does it; False when it is not open (yet)."""
    with Session(engine, expire_on_commit=False) as session:
        write_lock(session)
        found = FIND.first(session.connection(), {"at_instance": instance, "at_element": element})
        if found is None:
            return False
        tasks.complete(session, found["id"], values, user="ann")
        session.commit()
    return True


def serve(engine: Engine, owner: str = "bench") -> None:
    """One claimed and finished call: as a worker does it."""
    with Session(engine, expire_on_commit=False) as session:
        write_lock(session)
        taken = jobs.claim(session, owner, 1, LEASE, kinds=("call",))
        session.commit()
    for job in taken:
        again(lambda job=job: finish(engine, job, owner))  # type: ignore[misc]


def finish(engine: Engine, job: Job, owner: str) -> None:
    """The second half of a call."""
    with Session(engine, expire_on_commit=False) as session:
        write_lock(session)
        jobs.finish(session, job, owner, {job.element_id: "done"})
        session.commit()


def again(act: Callable[[], Any]) -> Any:
    """Tries once more what was overtaken by another step of the same instance, as requests and workers do."""
    while True:
        try:
            return act()
        except Stale:
            continue


def visit(engine: Engine) -> None:
    """One whole instance."""
    instance = begin(engine, {"n": 2, "patientId": "p1"})
    for element in ORDER:
        if element in ("search", "lab"):
            serve(engine, f"w{os.getpid()}")
        else:
            while not again(lambda element=element: complete(engine, instance, element, {element: "some text", "at": 5})):  # type: ignore[misc]
                serve(engine, f"w{os.getpid()}")  # another process has this instance's call in hand


# -- stock ----------------------------------------------------------------------------------------------------------------

STOCK = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d"
 targetNamespace="t"><process id="p" isExecutable="true"><startEvent id="start"/>%s<exclusiveGateway id="g" default="g_j0"/>
<exclusiveGateway id="j0"/><parallelGateway id="f"/><parallelGateway id="j"/><endEvent id="end"/>%s</process></definitions>"""


def stock_xml() -> bytes:
    """The same diagram in the dialect that SpiffWorkflow parses; what connectors do waits as a user task does."""
    users = "".join(f'<userTask id="{element}"/>' for element in ORDER)
    path = "start register search g triage j0 f exam j pay end"
    pairs = [*zip(path.split(), path.split()[1:], strict=False), ("g", "j0"), ("f", "lab"), ("lab", "j")]
    flows = "".join(
        f'<sequenceFlow id="{a}_{b}" sourceRef="{a}" targetRef="{b}">'
        + ("<conditionExpression>n &gt; 1</conditionExpression>" if (a, b) == ("g", "triage") else "")
        + "</sequenceFlow>"
        for a, b in pairs
    )
    return (STOCK % (users, flows)).encode()


class Stock:
    """SpiffWorkflow as it comes: the whole workflow as JSON in one row, loaded and written at each completion."""

    def __init__(self, engine: Engine) -> None:
        from SpiffWorkflow.bpmn.parser import BpmnParser
        from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer

        self.engine = engine
        parser = BpmnParser()
        parser.add_bpmn_str(stock_xml())
        self.spec = parser.get_spec("p")
        self.serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS stock (id VARCHAR(20) PRIMARY KEY, body TEXT)"))

    def visit(self) -> None:
        """One whole instance."""
        from SpiffWorkflow.bpmn import BpmnWorkflow
        from SpiffWorkflow.util.task import TaskState

        workflow = BpmnWorkflow(self.spec)
        workflow.task_tree.data.update({"n": 2, "patientId": "p1"})
        workflow.do_engine_steps()
        id = new_id()
        self.save("INSERT INTO stock (id, body) VALUES (:id, :body)", id, workflow)
        for element in ORDER:
            with self.engine.begin() as connection:
                body = connection.execute(text("SELECT body FROM stock WHERE id = :id"), {"id": id}).scalar_one()
            workflow = self.serializer.deserialize_json(body)
            task = next(t for t in workflow.get_tasks(state=TaskState.READY) if t.task_spec.name == element)
            task.data.update({element: "some text", "at": 5})
            task.run()
            workflow.do_engine_steps()
            self.save("UPDATE stock SET body = :body WHERE id = :id", id, workflow)
        assert workflow.completed

    def save(self, statement: str, id: str, workflow: Any) -> None:
        """The whole workflow into its row."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"id": id, "body": self.serializer.serialize_json(workflow)})


# -- measuring ------------------------------------------------------------------------------------------------------------


def cpu(act: Callable[[], object], times: int) -> float:
    """Milliseconds of CPU for one call: the median of `times`, after a warm-up."""
    return cpu_of((act,), times)[0]


def cpu_of(acts: Sequence[Callable[[], object]], times: int) -> list[float]:
    """Milliseconds of CPU for one call of each: medians. They take turns, so that what else the machine does weighs on all alike."""
    spans: list[list[float]] = [[] for _ in acts]
    for turn in range(times + 3):
        for act, mine in zip(acts, spans, strict=True):
            before = time.process_time()
            act()
            if turn >= 3:
                mine.append((time.process_time() - before) * 1000)
    return [statistics.median(mine) for mine in spans]


def sqlite(folder: Path, name: str) -> Engine:
    """An SQLite file armed as in production."""
    keyring.use(b"0" * 32)
    engine = create_engine(f"sqlite:///{folder / name}", **ENGINE)
    arm_sqlite(engine)
    return engine


def bare(engine: Engine, size: int) -> Callable[[], None]:
    """A durable commit of the same number of bytes, and nothing else."""
    with engine.begin() as connection:
        kind = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, body {kind})"))
        connection.execute(text("INSERT INTO bare (id, body) VALUES (1, :body)"), {"body": b""})

    def act() -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE bare SET body = :body WHERE id = 1"), {"body": os.urandom(size)})

    return act


def on(engine: Engine, times: int) -> Iterator[dict[str, Any]]:
    """CPU and time of one instance, ours beside stock, on one database."""
    name = engine.dialect.name
    prepare(engine)
    stock = Stock(engine)
    ours_cpu, stock_cpu = cpu_of((lambda: visit(engine), stock.visit), times)
    yield row(f"CPU of a visit, {name}", "ms", ours_cpu, "stock SpiffWorkflow + one JSON row", stock_cpu)
    steps = len(ORDER) + 1
    yield row(f"CPU of a completion, {name}", "ms", ours_cpu / steps, "stock SpiffWorkflow + one JSON row", stock_cpu / steps)
    with Session(engine) as session:
        size = len(json.dumps(instances.get(session, begin(engine, {"n": 2})).body))
    act = bare(engine, size)
    wall = wall_time(lambda: visit(engine), times) / steps
    yield row(f"time of a completion, {name}", "ms", wall, f"bare durable commit of {size} bytes", wall_time(act, times * 5))


def wall_time(act: Callable[[], object], times: int) -> float:
    """Milliseconds on the clock for one call: the median."""
    spans = []
    for _ in range(times):
        before = time.perf_counter()
        act()
        spans.append((time.perf_counter() - before) * 1000)
    return statistics.median(spans)


def row(what: str, unit: str, value: float, baseline: str = "", base: float | None = None, goal: str = "") -> dict[str, Any]:
    """One line of the table."""
    ratio = None if not base else value / base
    return {"what": what, "unit": unit, "value": value, "baseline": baseline, "base": base, "ratio": ratio, "goal": goal}


def _worker(url: str, count: int, gate: Any) -> None:
    keyring.use(b"0" * 32)
    engine = create_engine(url, **ENGINE)
    if engine.dialect.name == "sqlite":
        arm_sqlite(engine)
    visit(engine)
    gate.wait()
    for _ in range(count):
        visit(engine)


def rate(url: str, workers: int, count: int) -> float:
    """Instances a second with so many processes."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(workers + 1)
    started = [context.Process(target=_worker, args=(url, count // workers, gate)) for _ in range(workers)]
    for each in started:
        each.start()
    gate.wait()
    before = time.perf_counter()
    for each in started:
        each.join()
    return count / (time.perf_counter() - before)


def two_workers(url: str, name: str, count: int) -> dict[str, Any]:
    """Throughput of two processes beside one."""
    one, two = rate(url, 1, count), rate(url, 2, count)
    return row(f"two workers, {name}", "visits/s", two, "one worker", one, "≥ 1.6 on PostgreSQL, ≥ 1 on SQLite")


def measure(*, full: bool) -> Iterator[dict[str, Any]]:
    """Benchmarks (a) and (c)."""
    from tests import machines

    times = 200 if full else 40
    with TemporaryDirectory() as folder:
        engine = sqlite(Path(folder), "visit.db")
        yield from on(engine, times)
        engine.dispose()
        yield two_workers(str(engine.url), "sqlite", times)
        if machines.postgres_bin() is None:
            return
        (Path(folder) / "pg").mkdir()
        with machines.postgres(Path(folder) / "pg") as server, machines.postgres_database(server) as url:
            engine = open_engine(Settings(var_dir=Path(folder), database_url=url).checked())
            keyring.use(b"0" * 32)
            yield from on(engine, times)
            engine.dispose()
            yield two_workers(url, "postgresql", times)
