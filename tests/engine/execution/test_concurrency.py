"""Many at once: exactly one completes a task, a join fires once, a step is one commit and few statements."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from engine.db import write_lock
from engine.errors import Conflict
from engine.execution import check, instances, tasks
from engine.execution.tables import Event, Instance, Task
from tests.engine.build import both, end, process, service, start, user, xor

JOIN = process(
    start(), both("f"), user("a"), user("b"), user("c"), both("j"), user("after"), end(),
    flows=["start -> f", "f -> a -> j", "f -> b -> j", "f -> c -> j", "j -> after -> end"],
)  # fmt: skip


@pytest.fixture
def engine(any_database: Engine) -> Engine:
    return any_database


def at_once(count: int, act: Callable[[int], object]) -> Counter[str]:
    """What `count` threads get that all begin together: "ok", or the name of the error."""
    gate, outcomes, lock = threading.Barrier(count), Counter[str](), threading.Lock()

    def one(number: int) -> None:
        gate.wait()
        try:
            act(number)
            outcome = "ok"
        except Conflict:  # Stale is one too
            outcome = "Conflict"
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def complete(engine: Engine, task_id: str, user_: str, *, tries: int = 1) -> None:
    """As a request does it: one transaction; a step that was overtaken may be tried again."""
    for left in reversed(range(tries)):
        with Session(engine, expire_on_commit=False) as session:
            try:
                write_lock(session)
                tasks.complete(session, task_id, {"by": user_}, user=user_)
                session.commit()
            except Conflict:
                if not left:
                    raise
            else:
                return


def opened(engine: Engine, model: bytes, variables: dict[str, Any] | None = None) -> tuple[str, list[str]]:
    with Session(engine, expire_on_commit=False) as session:
        check.deploy(session, {"p.bpmn": model}, by="test")
        row = instances.start(session, "p", variables)
        session.commit()
        return row.id, list(session.scalars(select(Task.id).where(Task.instance_id == row.id)))


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=[pytest.mark.bench, pytest.mark.timeout(3600)])])
def test_one_of_fifty_simultaneous_completions_succeeds(engine: Engine, rounds: int) -> None:
    model = process(start(), user("a"), user("after"), end(), flows="start -> a -> after -> end")
    for _ in range(rounds):
        instance, (task,) = opened(engine, model)
        assert at_once(50, lambda n, task=task: complete(engine, task, f"u{n}")) == {"ok": 1, "Conflict": 49}  # type: ignore[misc]
        with Session(engine) as session:
            done = session.scalars(
                select(Event.actor).where(Event.instance_id == instance, Event.kind == "completed", Event.element_id == "a")
            ).all()
            assert len(done) == 1
            assert instances.variables(session, instance)["by"] == done[0], "the recorded winner is the one whose values count"


@pytest.mark.parametrize("rounds", [10, pytest.param(500, marks=[pytest.mark.bench, pytest.mark.timeout(3600)])])
def test_a_join_with_simultaneous_branches_fires_once(engine: Engine, rounds: int) -> None:
    for _ in range(rounds):
        instance, branches = opened(engine, JOIN)
        assert at_once(3, lambda n, branches=branches: complete(engine, branches[n], f"u{n}", tries=5)) == {"ok": 3}  # type: ignore[misc]
        with Session(engine) as session:
            assert [t.element_id for t in session.scalars(select(Task).where(Task.instance_id == instance, Task.state == "open"))] == ["after"]


def test_claims_are_exclusive_too(engine: Engine) -> None:
    _, (task,) = opened(engine, process(start(), user("a"), end(), flows="start -> a -> end"))

    def claim(number: int) -> None:
        with Session(engine) as session:
            write_lock(session)
            tasks.claim(session, task, user=f"u{number}")
            session.commit()

    assert at_once(20, claim) == {"ok": 1, "Conflict": 19}


VISIT = process(
    start(), user("first"), service("call"), xor("x", default="x_last"), user("second"), both("f"), user("a"), service("b"), both("j"), user("last"), end(),
    flows=["start -> first -> call -> x", "x -> second : n > 1", "x -> last", "second -> f", "f -> a -> j", "f -> b -> j", "j -> last -> end"],
)  # fmt: skip


class TestCost:
    def statements(self, engine: Engine, act: Callable[[Session], object]) -> tuple[list[str], int]:
        """The statements and the commits of one step, as a request or a worker does it."""
        seen: list[str] = []
        commits: list[int] = []
        note = lambda _c, _cursor, statement, *_: seen.append(statement)  # noqa: E731
        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "commit", lambda _c: commits.append(1))
        try:
            with Session(engine, expire_on_commit=False) as session:
                write_lock(session)
                act(session)
                session.commit()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return [s for s in seen if not s.startswith("BEGIN")], len(commits)

    def test_a_completed_user_task_is_one_commit_and_at_most_eight_statements(self, engine: Engine) -> None:
        _, (task,) = opened(engine, VISIT, {"n": 2})
        found, commits = self.statements(engine, lambda session: tasks.complete(session, task, {"x": 1}, user="ann"))
        assert commits == 1
        assert len(found) <= 8, "\n".join(found)

    def test_also_when_it_leads_to_another_user_task(self, engine: Engine) -> None:
        _, (task,) = opened(engine, process(start(), user("a"), user("b"), end(), flows="start -> a -> b -> end"))
        found, commits = self.statements(engine, lambda session: tasks.complete(session, task, {"x": 1}, user="ann"))
        assert commits == 1
        assert len(found) <= 8, "\n".join(found)

    def test_nothing_is_written_for_what_is_only_foreseen(self, engine: Engine) -> None:
        instance, open_tasks = opened(engine, VISIT, {"n": 2})
        assert len(open_tasks) == 1
        with Session(engine) as session:
            body = session.get(Instance, instance).body  # type: ignore[union-attr]
        assert [len(scope["tokens"]) for scope in body["scopes"]] == [1]
