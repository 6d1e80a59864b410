"""Whatever the process and the order of events: nothing is lost, and writing the state down changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from SpiffWorkflow.util.task import TaskState

from engine.execution import state
from tests.engine.generate import Block, Generated, blocks, generate
from tests.engine.world import Memory, Stored, World

MOST_STEPS = 400
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
many = settings(few, max_examples=3_000)

Action = tuple[str, str]


def possible(world: World) -> list[Action]:
    """What may happen next."""
    found: set[Action] = set()
    for token in (t for s in world.run.scopes.values() for t in s.tasks.values()):
        for wait in token.notes.get("waits", ()):
            kind = wait.partition(":")[0]
            if kind in ("task", "job", "message", "timer"):
                found.add((kind, "" if kind == "timer" else token.element.id))
    return sorted(found)


def do(world: World, action: Action, value: int) -> None:
    kind, element = action
    match kind:
        case "task":
            world.complete(element, n=value)
        case "job":
            world.answer(element, answer=value)
        case "message":
            world.publish(element, "k", news=value)
        case "timer":
            world.later(hours=1)


def check_tokens(world: World) -> None:
    """Every token waits for something that can be seen from outside, or stands at a join."""
    for scope in world.run.scopes.values():
        for token in scope.tasks.values():
            assert token.has_state(TaskState.STARTED), f"{token.element.id} is {token.state}"
            assert token.notes.get("waits") or token.notes.get("joined"), f"{token.element.id} waits for nothing"
        if scope.kind != "process":
            assert scope.owner_token() is not None
            assert scope.lives()


def walk(world: World, made: Generated, seed: int) -> Iterator[Action]:
    """Lets things happen at random until the instance is over."""
    chance = random.Random(seed)
    world.deploy(made.xml)
    world.start(made.variables)
    yield "start", ""
    for _ in range(MOST_STEPS):
        if world.over:
            return
        actions = possible(world)
        assert actions, f"nothing can happen any more: {world.at}"
        action = chance.choice(actions)
        do(world, action, chance.randrange(6))
        yield action
    pytest.fail(f"not over after {MOST_STEPS} steps: {world.at}")


def check_ends(world: World, made: Generated, actions: list[Action]) -> None:
    assert world.over
    assert world.incidents == []
    for fork, after in made.forks:
        if ("timer", "") in actions:
            assert world.times(after) <= world.times(fork)
        else:
            assert world.times(after) == world.times(fork), "each parallel block is joined once"


def both_ways(block: Block, seed: int) -> None:
    made = generate(block)
    plain, reloaded = Memory(reload=False), Memory(reload=True)
    actions = []
    for action, same in zip(walk(plain, made, seed), walk(reloaded, made, seed), strict=True):
        assert action == same
        actions.append(action)
        check_tokens(plain)
        assert orjson.dumps(state.dump(plain.run)) == orjson.dumps(state.dump(reloaded.run))
    assert plain.trace == reloaded.trace
    assert plain.variables == reloaded.variables
    check_ends(plain, made, actions)


@few
@given(blocks, st.integers(0, 2**16))
def test_a_run_that_is_written_down_after_every_step_goes_like_one_that_stays_in_memory(block: Block, seed: int) -> None:
    both_ways(block, seed)


@pytest.mark.bench
@pytest.mark.timeout(3600)
@many
@given(blocks, st.integers(0, 2**16))
def test_the_same_with_thousands_of_processes(block: Block, seed: int) -> None:
    both_ways(block, seed)


def in_database(stored: Stored, block: Block, seed: int) -> None:
    made = generate(block)
    stored.now = Memory(reload=False).now
    actions = []
    for action in walk(stored, made, seed):
        actions.append(action)
        check_tokens(stored)  # and `Stored` compares the rows with the state after each step
    check_ends(stored, made, actions)


@settings(few, max_examples=20)
@given(blocks, st.integers(0, 2**16))
def test_the_rows_in_the_database_are_what_the_state_waits_for(stored: Stored, block: Block, seed: int) -> None:
    in_database(stored, block, seed)


@pytest.mark.bench
@pytest.mark.timeout(3600)
@settings(many, max_examples=400)
@given(blocks, st.integers(0, 2**16))
def test_the_same_over_thousands_of_steps(stored: Stored, block: Block, seed: int) -> None:
    in_database(stored, block, seed)
