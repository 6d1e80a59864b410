"""The engine against a model of it: whatever happens in whatever order, the same things wait, and writing the state down loses nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from engine.db import Base
from engine.execution import state
from engine.execution.run import Run
from tests.engine.generate import Block
from tests.engine.oracle import Oracle, blocks, named, shown
from tests.engine.world import Memory, Stored, World

counted = Counter[str]()


class Machine(RuleBasedStateMachine):
    """One instance after the other, each beside its oracle."""

    def world_of(self) -> World:
        return Memory(reload=True)  # it asserts after each step that dump → load → dump gives the same bytes

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.oracle: Oracle | None = None

    @property
    def busy(self) -> bool:
        return self.oracle is not None and self.oracle.state is not None

    @precondition(lambda self: not self.busy)
    @rule(block=blocks)
    def begin(self, block: Block) -> None:
        made, plan = named(block)
        self.world, self.oracle = self.world_of(), Oracle(plan)
        self.world.deploy(made.xml)
        self.world.start(made.variables)

    @precondition(lambda self: self.busy)
    @rule(which=st.integers(0, 99), value=st.integers(0, 5))
    def happen(self, which: int, value: int) -> None:
        assert self.world
        assert self.oracle
        waiting = self.oracle.waiting()
        _, kind, element = waiting[which % len(waiting)]
        match kind:
            case "user":
                self.world.complete(element, n=value)
            case "service":
                self.world.answer(element, answer=value)
            case _:
                self.world.publish(element, "k", news=value)
        self.oracle.complete(element, value if kind == "user" else None)

    @precondition(lambda self: self.busy and self.oracle.timers())
    @rule()
    def an_hour_passes(self) -> None:
        assert self.world
        assert self.oracle
        self.world.later(hours=1)
        self.oracle.hour()

    @invariant()
    def the_same_things_wait(self) -> None:
        if self.world is None or self.oracle is None:
            return
        counted["steps"] += 1
        waiting, timers = shown(self.world)
        assert waiting == Counter((kind, element) for _, kind, element in self.oracle.waiting())
        assert timers == self.oracle.timers()
        assert self.world.over == (self.oracle.state is None)
        assert self.world.incidents == []


def play(machine: type[Machine], runs: int, phases: Collection[Phase] = tuple(Phase)) -> None:
    counted.clear()
    health = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=runs, stateful_step_count=50, deadline=None, phases=phases, suppress_health_check=health)
    )
    print(f"{counted['steps']} steps")


@pytest.mark.parametrize("runs", [20, pytest.param(150, marks=[pytest.mark.bench, pytest.mark.timeout(3600)])])
def test_in_memory_and_written_down_after_every_step(runs: int) -> None:
    play(Machine, runs)
    assert counted["steps"] >= runs * 25, "500 steps in the suite, 5,000 in the long run"


@pytest.mark.parametrize("runs", [5, pytest.param(60, marks=[pytest.mark.bench, pytest.mark.timeout(3600)])])
def test_in_a_database(stored: Stored, runs: int) -> None:
    class InDatabase(Machine):
        def world_of(self) -> World:
            stored.session.rollback()
            for table in reversed(Base.metadata.sorted_tables):  # `Stored` looks at every instance there is, after each step
                stored.session.execute(table.delete())
            stored.session.commit()
            stored.session.expunge_all()
            return Stored(stored.session)

        @invariant()
        def dump_load_dump_is_the_same(self) -> None:
            if self.world is not None:
                run: Run = self.world.run
                dumped = state.dump(run)
                assert orjson.dumps(state.dump(state.load(orjson.loads(orjson.dumps(dumped)), run.env))) == orjson.dumps(dumped)

    play(InDatabase, runs)


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that forgets to disarm a timer when its activity is over."""
    monkeypatch.setattr(Run, "disarm", lambda _self, _token: None)


def test_the_model_sees_an_engine_that_is_wrong(forgetful: Any) -> None:
    with pytest.raises((AssertionError, ExceptionGroup)):
        play(Machine, 60, [Phase.generate])
