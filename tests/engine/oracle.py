"""What a generated process must do, said a second time and much more simply: a tree of blocks, each of which waits or is done.

It knows no tokens, gateways or scopes. Scripts that other branches could see are left out, so that the order in which parallel
branches move on within one step makes no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.engine.build import boundary, end, process, script, start, timer, xor
from tests.engine.generate import Block, Generated, Written, _inner, _Writer

leaves = st.sampled_from([("user",), ("service",), ("receive",)])
blocks: st.SearchStrategy[Block] = st.recursive(leaves, _inner, max_leaves=8)
ROUNDS = 2  # of every generated loop


@dataclass
class Plan:
    """A block of the model with the id of its first element."""

    kind: str
    block: Block
    first: str = ""
    inner: list[Plan] = field(default_factory=list)


class Named(_Writer):
    """Writes the model, and remembers which element came of which block."""

    def __init__(self, made: Generated) -> None:
        super().__init__(made)
        self.root = Plan("root", ("root",))
        self.open = [self.root]

    def write(self, block: Block) -> Written:
        if block[0] == "each":
            block = (*block[:3], max(block[3], 1))  # an empty list is another test's
        plan = Plan(block[0], block)
        self.open[-1].inner.append(plan)
        self.open.append(plan)
        written = super().write(block)
        self.open.pop()
        plan.first = written[2]
        return written

    def _late(self, block: Block, interrupting: bool) -> Written:
        """As the other's, but what happens beside the box changes nothing that a gateway looks at."""
        if interrupting:
            return super()._late(block, True)
        box, event, beside, finish = self.id("box"), self.id("b"), self.id("s"), self.id("le")
        parts = [self._box(block, box), boundary(event, box, timer("Duration", "PT1H"), interrupting=False)]
        return [*parts, script(beside, "=1", "beside"), end(finish)], [f"{event} -> {beside} -> {finish}"], box, box


def named(block: Block) -> tuple[Generated, Plan]:
    """The process of a block and its plan."""
    made = Generated()
    writer = Named(made)
    parts, flows, first, last = writer.write(block)
    made.xml = process(start(), *parts, xor("last"), end(), flows=[*flows, f"start -> {first}", f"{last} -> last -> end"])
    return made, writer.root.inner[0]


class Oracle:
    """What waits now."""

    def __init__(self, plan: Plan) -> None:
        self.n = 0
        self.rounds: Counter[int] = Counter()
        self.order = count()
        self.state: State | None = self.begin(plan)

    def begin(self, plan: Plan) -> State:
        """A block that has been reached."""
        return State(self, plan)

    def waiting(self) -> list[tuple[int, str, str]]:
        """(arrival, kind, element) of everything that can be completed."""
        return sorted(self.state.leaves()) if self.state else []

    def complete(self, element: str, n: int | None) -> None:
        """The first of those that wait at the element is completed; a task sets n."""
        assert self.state
        if n is not None:
            self.n = n
        arrival = next(at for at, _, id in self.waiting() if id == element)
        if self.state.complete(arrival):
            self.state = None

    def hour(self) -> None:
        """Every timer that is armed comes due, in the order in which they were armed."""
        for arrival in sorted(self.state.armed_since()) if self.state else []:
            if self.state and arrival in self.state.armed_since() and self.state.fire(arrival):
                self.state = None

    def timers(self) -> int:
        """How many are armed."""
        return self.state.timers() if self.state else 0


class State:
    """A block in progress."""

    def __init__(self, oracle: Oracle, plan: Plan) -> None:
        self.oracle, self.plan = oracle, plan
        self.arrival = next(oracle.order)
        self.armed = plan.kind == "late"
        self.left: list[Plan] = []  # what follows, one by one
        inner = plan.inner
        match plan.kind:
            case "user" | "service" | "receive":
                now: list[Plan] = []
            case "seq":
                now, self.left = inner[:1], inner[1:]
            case "xor":
                now = [self._chosen()[0]]
            case "or":
                now = self._chosen()
            case "each":
                now, self.left = (inner, inner * (plan.block[3] - 1)) if plan.block[2] else (inner * plan.block[3], [])
            case _:  # and, loop, sub, late
                now = inner
        self.now = [oracle.begin(each) for each in now]

    def _chosen(self) -> list[Plan]:
        n, branches = self.oracle.n, self.plan.inner
        return [branch for k, branch in enumerate(branches[:-1]) if n % (k + 2) == 0] or branches[-1:]

    def leaves(self) -> Iterator[tuple[int, str, str]]:
        if self.plan.kind in ("user", "service", "receive"):
            yield self.arrival, self.plan.kind, self.plan.first
        for each in self.now:
            yield from each.leaves()

    def complete(self, arrival: int) -> bool:
        """True when that was the last thing the block waited for."""
        if not self.now:
            return True
        for each in self.now:
            if any(at == arrival for at, _, _ in each.leaves()):
                return self._after([each] if each.complete(arrival) else [])
        raise AssertionError("nobody waits there")

    def armed_since(self) -> list[int]:
        """When each armed timer was armed."""
        return [self.arrival] * self.armed + [at for each in self.now for at in each.armed_since()]

    def fire(self, arrival: int) -> bool:
        """The timer that was armed then comes due; True when the block is over."""
        if self.arrival == arrival:
            self.armed = False
            return bool(self.plan.block[2])
        holder = next(each for each in self.now if arrival in each.armed_since())
        return self._after([holder] if holder.fire(arrival) else [])

    def _after(self, done: list[State]) -> bool:
        self.now = [each for each in self.now if each not in done]
        if not done or self.now:
            return False
        if self.plan.kind == "loop":
            self.oracle.rounds[id(self.plan)] += 1
            if self.oracle.rounds[id(self.plan)] < ROUNDS:
                self.left = self.plan.inner[:]
        if not self.left:
            return True
        self.now = [self.oracle.begin(self.left[0])]
        self.left = self.left[1:]
        return False

    def timers(self) -> int:
        return len(self.armed_since())


def shown(world: Any) -> tuple[Counter[tuple[str, str]], int]:
    """What an instance waits for: (kind, element) of tasks, calls and messages, and the number of timers."""
    kinds = {"task": "user", "job": "service", "message": "receive"}
    found: Counter[tuple[str, str]] = Counter()
    timers = 0
    for token in (t for s in world.run.scopes.values() for t in s.tasks.values()):
        for wait in token.notes.get("waits", ()):
            kind = wait.partition(":")[0]
            timers += kind == "timer"
            if kind in kinds:
                found[kinds[kind], token.element.id] += 1
    return found, timers
