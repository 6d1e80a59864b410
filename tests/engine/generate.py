"""Well-formed processes at random: blocks in blocks, so that each one can be completed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.engine.build import (
    both,
    boundary,
    each,
    end,
    process,
    receive,
    script,
    service,
    some,
    start,
    sub,
    task,
    timer,
    user,
    xor,
)

Block = tuple[Any, ...]
leaves = st.sampled_from([("user",), ("service",), ("script",), ("receive",)])


def _inner(blocks: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    several = st.lists(blocks, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.tuples(st.just("seq"), several),
        st.tuples(st.just("xor"), several),
        st.tuples(st.just("and"), several),
        st.tuples(st.just("or"), several),
        st.tuples(st.just("loop"), blocks),
        st.tuples(st.just("sub"), blocks),
        st.tuples(st.just("each"), blocks, st.booleans(), st.integers(0, 3)),
        st.tuples(st.just("late"), blocks, st.booleans()),
    )


blocks: st.SearchStrategy[Block] = st.recursive(leaves, _inner, max_leaves=8)


@dataclass
class Generated:
    """A model, its first variables, and its parallel blocks as (fork, what follows the join)."""

    xml: bytes = b""
    variables: dict[str, Any] = field(default_factory=lambda: {"n": 0, "key": "k"})
    forks: list[tuple[str, str]] = field(default_factory=list)


def generate(block: Block) -> Generated:
    """The process of a block."""
    made = Generated()
    parts, flows, first, last = _Writer(made).write(block)
    made.xml = process(start(), *parts, end(), flows=[*flows, f"start -> {first}", f"{last} -> end"])
    return made


Written = tuple[list[str], list[str], str, str]  # elements, flows, first and last element


class _Writer:
    def __init__(self, made: Generated) -> None:
        self.made = made
        self.count = 0

    def id(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def write(self, block: Block) -> Written:
        written: Written = getattr(self, f"_{block[0]}")(*block[1:])
        return written

    def _user(self) -> Written:
        id = self.id("u")
        return [user(id)], [], id, id

    def _service(self) -> Written:
        id = self.id("v")
        return [service(id, inputs={"x": "=n"})], [], id, id

    def _receive(self) -> Written:
        id = self.id("m")
        return [receive(id, id, "=key")], [], id, id

    def _script(self) -> Written:
        id = self.id("s")
        return [script(id, "=n + 1", "n")], [], id, id

    def _seq(self, blocks: tuple[Block, ...]) -> Written:
        parts, flows, first, last = self.write(blocks[0])
        for block in blocks[1:]:
            more, inner, begin, finish = self.write(block)
            parts, flows, last = [*parts, *more], [*flows, *inner, f"{last} -> {begin}"], finish
        return parts, flows, first, last

    def _split(self, kind: str, blocks: tuple[Block, ...], fork: str, join: str) -> Written:
        gateway = {"xor": xor, "and": lambda gate, **_: both(gate), "or": some}[kind]
        parts: list[str] = []
        flows: list[str] = []
        default = None
        for n, block in enumerate(blocks):
            more, inner, begin, finish = self.write(block)
            when = "" if kind == "and" or n == len(blocks) - 1 else f" : modulo(n, {n + 2}) = 0"
            default = None if when or kind == "and" else f"{fork}_{begin}"
            parts, flows = [*parts, *more], [*flows, *inner, f"{fork} -> {begin}{when}", f"{finish} -> {join}"]
        return [gateway(fork, default=default), *parts, gateway(join)], flows, fork, join

    def _xor(self, blocks: tuple[Block, ...]) -> Written:
        return self._split("xor", blocks, self.id("x"), self.id("xj"))

    def _or(self, blocks: tuple[Block, ...]) -> Written:
        return self._split("or", blocks, self.id("o"), self.id("oj"))

    def _and(self, blocks: tuple[Block, ...]) -> Written:
        parts, flows, fork, join = self._split("and", blocks, self.id("f"), self.id("fj"))
        after = self.id("after")
        self.made.forks.append((fork, after))
        return [*parts, task(after)], [*flows, f"{join} -> {after}"], fork, after

    def _loop(self, block: Block) -> Written:
        parts, flows, first, last = self.write(block)
        top, count, again, out, name = self.id("t"), self.id("c"), self.id("a"), self.id("out"), self.id("rounds")
        self.made.variables[name] = 0
        parts = [xor(top), *parts, script(count, f"={name} + 1", name), xor(again, default=f"{again}_{out}"), task(out)]
        flows = [*flows, f"{top} -> {first}", f"{last} -> {count} -> {again}", f"{again} -> {top} : {name} < 2", f"{again} -> {out}"]
        return parts, flows, top, out

    def _box(self, block: Block, id: str, loop: str = "") -> str:
        parts, flows, first, last = self.write(block)
        begin, finish = self.id("bs"), self.id("be")
        return sub(id, start(begin), *parts, end(finish), flows=[*flows, f"{begin} -> {first}", f"{last} -> {finish}"], loop=loop)

    def _sub(self, block: Block) -> Written:
        id = self.id("box")
        return [self._box(block, id)], [], id, id

    def _each(self, block: Block, sequential: bool, times: int) -> Written:
        id = self.id("each")
        items = str(list(range(times)))
        return [self._box(block, id, each(f"={items}", sequential=sequential, out=f"out_{id}", of="=item"))], [], id, id

    def _late(self, block: Block, interrupting: bool) -> Written:
        box, event, join, beside, finish = self.id("box"), self.id("b"), self.id("xm"), self.id("s"), self.id("le")
        parts = [self._box(block, box), boundary(event, box, timer("Duration", "PT1H"), interrupting=interrupting)]
        if interrupting:
            return [*parts, xor(join)], [f"{box} -> {join}", f"{event} -> {join}"], box, join
        return [*parts, script(beside, "=n + 1", "n"), end(finish)], [f"{event} -> {beside} -> {finish}"], box, box
