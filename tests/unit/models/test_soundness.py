"""The token game finds where tokens get stuck or multiply, and stays silent about sound models."""

from __future__ import annotations

import pytest

from engine.models.read import read
from engine.models.soundness import MOST_POSITIONS, Explored, explore
from tests.unit.models.drawing import PLAIN, draw, event, timer, when

OR = {"x_a": when("p"), "x_b": when("q")}
# name → nodes, flows, what is inside, stuck, multiplied
SHAPES = {
    "a line": ("s:startEvent a:task e:endEvent", "s>a>e", {}, [], []),
    "parallel split and join": ("s:startEvent x:parallelGateway a:task b:task y:parallelGateway e:endEvent", "s>x>a>y>e x>b>y", {}, [], []),
    "choice and merge": ("s:startEvent x:exclusiveGateway a:task b:task y:exclusiveGateway e:endEvent", "s>x>a>y>e x>b>y", OR, [], []),
    "choice into a parallel join": ("s:startEvent x:exclusiveGateway a:task b:task y:parallelGateway e:endEvent", "s>x>a>y>e x>b>y", OR, ["y"], []),
    "some paths into a parallel join": ("s:startEvent x:inclusiveGateway a:task b:task y:parallelGateway e:endEvent", "s>x>a>y>e x>b>y", OR,
                                        ["y"], []),
    "some paths into an inclusive join": ("s:startEvent x:inclusiveGateway a:task b:task y:inclusiveGateway e:endEvent", "s>x>a>y>e x>b>y", OR,
                                          [], []),
    "parallel paths into a merge": ("s:startEvent x:parallelGateway a:task b:task y:exclusiveGateway c:task e:endEvent", "s>x>a>y>c>e x>b>y", {},
                                    [], ["y"]),
    "an implicit split into a join": ("s:startEvent a:task b:task c:task y:parallelGateway e:endEvent", "s>a>b>y>e a>c>y", {}, [], []),
    "a loop that can be left": ("s:startEvent m:exclusiveGateway a:task x:exclusiveGateway e:endEvent", "s>m>a>x>e x>m", {"x_m": when("p")}, [], []),
    "a join that waits for its own loop": ("s:startEvent y:parallelGateway a:task x:exclusiveGateway e:endEvent", "s>y>a>x>e x>y", {}, ["y"], []),
    "a merge before a join": ("s:startEvent x:parallelGateway a:task b:task m:exclusiveGateway c:task y:parallelGateway d:task e:endEvent",
                              "s>x>a>m>c>y>e x>b>m x>d>y", {}, ["y"], ["m", "c"]),
    "a jump": ("s:startEvent t:intermediateThrowEvent c:intermediateCatchEvent e:endEvent", "s>t c>e",
               {"t": event("link", name="on"), "c": event("link", name="on")}, [], []),
    "a way out by terminating": ("s:startEvent x:parallelGateway a:task f:endEvent b:exclusiveGateway y:parallelGateway e:endEvent",
                                 "s>x>a>y>e x>b>y b>f", {"f": event("terminate")}, [], []),
}  # fmt: skip


def play(nodes: str, flows: str, inside: dict[str, str], attributes: dict[str, str] | None = None, extra: str = "") -> Explored:
    [model] = read(draw(nodes, flows, inside, attributes, extra=extra, dialect=PLAIN))
    return explore(model, None)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str) -> None:
    nodes, flows, inside, stuck, multiplied = SHAPES[shape]
    found = play(nodes, flows, inside)
    assert found.complete
    assert [e.id for e in found.stuck] == stuck
    assert set(multiplied) <= {e.id for e in found.multiplied}
    assert bool(multiplied) == bool(found.multiplied)


def test_what_only_an_event_brings_about_is_told_apart() -> None:
    nodes = "s:startEvent x:parallelGateway a:task b:task d:boundaryEvent f:endEvent y:parallelGateway e:endEvent"
    found = play(nodes, "s>x>a>y>e x>b>y d>f", {"d": timer("PT1H")}, {"d": 'attachedToRef="a"'})
    assert ([e.id for e in found.stuck], [e.id for e in found.exposed]) == ([], ["y"])


def test_an_event_gateway_that_no_event_gets_out_of_is_certain() -> None:
    nodes = "s:startEvent g:eventBasedGateway a:intermediateCatchEvent b:intermediateCatchEvent y:parallelGateway e:endEvent"
    found = play(nodes, "s>g>a>y>e g>b>y", {"a": timer("PT1H"), "b": timer("PT2H")})
    assert ([e.id for e in found.stuck], found.exposed) == (["y"], [])


def test_starts_that_nobody_drew_begin_together() -> None:
    found = play("a:task b:task y:parallelGateway c:task", "a>y>c b>y", {})
    assert (found.complete, found.stuck) == (True, [])


def test_wide_parallel_work_stays_small() -> None:
    branches = " ".join(f"t{n}:task u{n}:boundaryEvent v{n}:exclusiveGateway w{n}:task" for n in range(30))
    flows = "s>x y>e " + " ".join(f"x>t{n}>v{n}>y u{n}>w{n}>v{n}" for n in range(30))
    inside = {f"u{n}": timer("PT1H") for n in range(30)}
    attributes = {f"u{n}": f'attachedToRef="t{n}"' for n in range(30)}
    found = play(f"s:startEvent x:parallelGateway e:endEvent y:parallelGateway {branches}", flows, inside, attributes)
    assert (found.complete, found.stuck, found.exposed, found.multiplied) == (True, [], [], [])


def test_too_many_positions_are_given_up_without_a_finding() -> None:
    branches = [f"t{n}" for n in range(14)]
    nodes = "s:startEvent x:parallelGateway e:endEvent y:inclusiveGateway " + " ".join(f"{b}:exclusiveGateway" for b in branches)
    tails = " ".join(f"{b}a:intermediateThrowEvent {b}b:intermediateThrowEvent" for b in branches)
    flows = "s>x y>e " + " ".join(f"x>{b}>{b}a>y {b}>{b}b>y" for b in branches)
    found = play(f"{nodes} {tails}", flows, {})
    assert 2 ** len(branches) > MOST_POSITIONS
    assert (found.complete, found.stuck, found.multiplied) == (False, [], [])
