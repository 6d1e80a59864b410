"""Plays the token game of a process without its data, to find where tokens get stuck or multiply.

Every choice is tried: each flow out of an exclusive gateway, each subset out of an inclusive one, a boundary event that fires
or does not. The game is given up, without a finding, when it has too many positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product

from engine.models.elements import Element, ProcessModel

MOST_POSITIONS = 4000
WIDEST_CHOICE = 5
MOST_TOKENS = 5  # on one flow

Marking = frozenset[tuple[str, int]]  # flow id → how many tokens it holds
Position = tuple[Marking, bool]  # …, and whether an event chose the way here


@dataclass
class Explored:
    """What came of the game on one level.

    `stuck` waits for ever after some decision of the process itself; `exposed` only when a certain event happens.
    """

    stuck: list[Element] = field(default_factory=list)
    exposed: list[Element] = field(default_factory=list)
    multiplied: list[Element] = field(default_factory=list)
    complete: bool = True


def explore(model: ProcessModel, level: str | None) -> Explored:
    """Plays the game on one level of a process, from each of its starts."""
    return _explore(_Board(model, level))


@dataclass(frozen=True)
class _Board:
    model: ProcessModel
    level: str | None

    def __hash__(self) -> int:
        return hash((id(self.model), self.level))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Board) and self.model is other.model and self.level == other.level


@lru_cache(maxsize=64)
def _explore(board: _Board) -> Explored:
    deep, wide = (_Game(board.model, board.level, deep=deep).play() for deep in (True, False))
    return Explored(deep.stuck, deep.exposed, wide.multiplied, deep.complete)


class _Game:
    """One way of playing: `deep` follows a path to where it waits before the next, which leaves few positions.

    Otherwise what is farthest from the end moves first, so that tokens on parallel paths meet where they can.
    """

    def __init__(self, model: ProcessModel, level: str | None, *, deep: bool) -> None:
        self.elements = {e.id: e for e in model.inside(level)}
        self.flows = {f.id: f for f in model.flows.values() if f.source in self.elements and f.target in self.elements}
        self.conditioned = {f.id for f in self.flows.values() if f.condition}
        self.borders: dict[str, list[Element]] = {}
        for element in self.elements.values():
            if element.type == "boundaryEvent" and element.attached_to and element.outgoing:
                self.borders.setdefault(element.attached_to, []).append(element)
        joins = [e for e in self.elements.values() if self._joins_some(e)]
        self.upstream = {f: self._upstream(f, e.id) for e in joins for f in e.incoming if f in self.flows}
        self.rank = self._steps(forward=deep)
        self.result = Explored()

    @staticmethod
    def _joins_some(element: Element) -> bool:
        return element.type == "inclusiveGateway" and len(element.incoming) > 1

    def _upstream(self, flow_id: str, join: str) -> set[str]:
        """The flows from which a token can come along this flow into its join without passing through the join before."""
        found: set[str] = set()
        todo = [flow_id]
        while todo:
            flow = todo.pop()
            if flow in found:
                continue
            found.add(flow)
            source = self.elements[self.flows[flow].source]
            before = [source, *([self.elements[source.attached_to]] if source.attached_to in self.elements else [])]
            todo += [f for e in before if e.id != join for f in e.incoming if f in self.flows]
        return found

    def play(self) -> Explored:
        seen: set[Position] = set()
        todo = self._starts()
        ended = False
        while todo:
            position = todo.pop()
            if position in seen:
                continue
            seen.add(position)
            if len(seen) > MOST_POSITIONS:
                return Explored(complete=False)
            ended = ended or not position[0]
            todo += self._next(dict(position[0]), event=position[1])
        if not ended:
            self.result.stuck += [e for e in self.result.exposed if e not in self.result.stuck]
        self.result.exposed = [e for e in self.result.exposed if e not in self.result.stuck]
        return self.result

    def _starts(self) -> list[Position]:
        """The first positions: each start by itself, or, where none is drawn, all at once that nothing leads to."""
        starts = [e for e in self.elements.values() if e.type == "startEvent" or e.instantiate]
        if starts:
            return [p for start in starts for p in self._leave(start, {}, event=False)]
        first = [e for e in self.elements.values() if not e.incoming and not (e.triggered or e.for_compensation or e.attached_to)]
        ways = product(*(self._choices(e) for e in first if e.outgoing))
        return [(frozenset((f, 1) for taken in way for f in taken), False) for way in ways]

    def _steps(self, *, forward: bool) -> dict[str, int]:
        """How many steps each element is away from the start (forward) or from the end; far where there is no way."""
        pairs = [(f.source, f.target) for f in self.flows.values()] + [
            (e.attached_to or "", e.id) for e in self.elements.values() if e.attached_to
        ]
        ways: dict[str, set[str]] = {}
        for source, target in pairs:
            ways.setdefault(source if forward else target, set()).add(target if forward else source)
        reached = {target if forward else source for source, target in pairs}
        found = dict.fromkeys((key for key in self.elements if key not in reached), 0)
        edge = list(found)
        while edge:
            nearer = {other: found[key] + 1 for key in edge for other in ways.get(key, ()) if other not in found}
            found |= nearer
            edge = list(nearer)
        return {key: found.get(key, len(self.elements)) for key in self.elements}

    def _next(self, marking: dict[str, int], *, event: bool) -> list[Position]:
        """The positions after the moves of one element; notes what is stuck when none can move.

        Looking at one element is enough: a token can only be taken by the element that it waits for, so that no other move
        prevents this one. What looks at all tokens (inclusive joins, ends that end everything) moves when nothing else can.
        """
        waiting = sorted({self.flows[f].target for f in marking}, key=lambda key: (-self.rank[key], key))
        if not event:
            self._note_multiplied(waiting, marking)
        if max(marking.values(), default=0) > MOST_TOKENS:
            return []  # what comes after would only repeat it
        for key in sorted(waiting, key=lambda key: self._looks_around(self.elements[key])):
            moves = list(self._moves(self.elements[key], marking, event=event))
            if moves:
                return moves
        found = self.result.exposed if event else self.result.stuck
        found += [e for e in (self.elements[key] for key in waiting) if e not in found]
        return []

    def _looks_around(self, element: Element) -> bool:
        return self._joins_some(element) or self._ends_all(element)

    @staticmethod
    def _ends_all(element: Element) -> bool:
        return element.type == "endEvent" and any(e.kind in ("terminate", "error", "cancel") for e in element.events)

    def _note_multiplied(self, waiting: list[str], marking: dict[str, int]) -> None:
        """Notes where two tokens meet that no gateway joins, and more than the end follows."""
        for element in (self.elements[key] for key in waiting):
            after = {self.elements[self.flows[f].target].type for f in element.outgoing if f in self.flows}
            last = element.type == "endEvent" or (element.type.endswith("Gateway") and after <= {"endEvent"})
            joins = element.type == "parallelGateway" or self._joins_some(element)
            tokens = sum(marking.get(f, 0) for f in element.incoming)
            if tokens > 1 and not last and not joins and element not in self.result.multiplied:
                self.result.multiplied.append(element)

    def _moves(self, element: Element, marking: dict[str, int], *, event: bool) -> Iterator[Position]:
        held = [f for f in element.incoming if f in marking]
        if element.type == "parallelGateway":
            wanted = [f for f in element.incoming if f in self.flows]
            if len(held) == len(wanted):
                yield from self._leave(element, _without(marking, wanted), event=event)
        elif self._joins_some(element):
            if not self._still_comes(element, held, marking):
                yield from self._leave(element, _without(marking, held), event=event)
        else:
            for flow in held:
                yield from self._leave(element, _without(marking, [flow]), event=event)

    def _still_comes(self, join: Element, held: list[str], marking: dict[str, int]) -> bool:
        """BPMN 2.0.2, 13.4.3: a token is waited for that can reach an empty flow into the join, and none that has one already."""
        empty = [f for f in join.incoming if f in self.flows and f not in held]
        elsewhere = [f for f in marking if f not in join.incoming]
        return any(any(f in self.upstream[to] for to in empty) and not any(f in self.upstream[to] for to in held) for f in elsewhere)

    def _leave(self, element: Element, marking: dict[str, int], *, event: bool) -> Iterator[Position]:
        """The positions after the element is done, for each way of leaving it."""
        if self._ends_all(element):
            yield frozenset(), event
            return
        for ways, chosen in self._ways(element):
            after = dict(marking)
            for flow in ways:
                after[flow] = after.get(flow, 0) + 1
            yield frozenset(after.items()), event or chosen

    def _ways(self, element: Element) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Each way of leaving an element, with whether an event chooses it."""
        by_event = element.type == "eventBasedGateway" and len(element.outgoing) > 1
        yield from ((ways, by_event) for ways in self._choices(element))
        for border in self.borders.get(element.id, []):
            for taken in self._choices(border):
                if border.interrupting:
                    yield taken, True
                else:
                    yield from ((taken + usual, True) for usual in self._choices(element))

    def _choices(self, element: Element) -> Iterator[tuple[str, ...]]:
        outs = tuple(f for f in element.outgoing if f in self.flows)
        if element.type == "intermediateThrowEvent" and any(e.kind == "link" for e in element.events):
            names = {e.name for e in element.events}
            outs = next((self._outs(c) for c in self.elements.values() if self._catches(c, names)), ())
        if element.type in ("exclusiveGateway", "eventBasedGateway", "complexGateway"):
            yield from ((f,) for f in outs) if outs else [()]
        elif element.type == "inclusiveGateway" or (element.type != "parallelGateway" and any(f in self.conditioned for f in outs)):
            always = tuple(f for f in outs if f not in self.conditioned and f != element.default and element.type != "inclusiveGateway")
            yield from _subsets(always, tuple(f for f in outs if f not in always))
        else:
            yield outs

    def _outs(self, element: Element) -> tuple[str, ...]:
        return tuple(f for f in element.outgoing if f in self.flows)

    @staticmethod
    def _catches(element: Element, names: set[str | None]) -> bool:
        return element.type == "intermediateCatchEvent" and any(e.kind == "link" and e.name in names for e in element.events)


def _without(marking: dict[str, int], flows: list[str]) -> dict[str, int]:
    """The marking after one token is taken from each of the flows."""
    rest = dict(marking)
    for flow in flows:
        rest[flow] -= 1
        if not rest[flow]:
            del rest[flow]
    return rest


def _subsets(always: tuple[str, ...], maybe: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What is always taken, with each choice among the rest; only one, two or all of many, to stay small."""
    sizes = range(0 if always else 1, len(maybe) + 1) if len(maybe) <= WIDEST_CHOICE else (1, 2, len(maybe))
    for size in sizes:
        yield from (always + chosen for chosen in combinations(maybe, size))
