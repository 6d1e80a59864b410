"""Plays the token game of a process without its data, to find where tokens get stuck or multiply.

Every choice is tried: each flow out of an exclusive gateway, each subset out of an inclusive one, a boundary event that fires
or does not. The game is given up, without a finding, when it has too many positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

from engine.models.elements import Element, ProcessModel

MOST_POSITIONS = 4000
WIDEST_CHOICE = 5

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
    return _Game(board.model, board.level).play()


class _Game:
    def __init__(self, model: ProcessModel, level: str | None) -> None:
        self.elements = {e.id: e for e in model.inside(level)}
        self.flows = {f.id: f for f in model.flows.values() if f.source in self.elements and f.target in self.elements}
        self.conditioned = {f.id for f in self.flows.values() if f.condition}
        self.borders: dict[str, list[Element]] = {}
        for element in self.elements.values():
            if element.type == "boundaryEvent" and element.attached_to and element.outgoing:
                self.borders.setdefault(element.attached_to, []).append(element)
        self.upstream = {e: self._upstream(e) for e in self.elements if self._joins_some(self.elements[e])}
        self.result = Explored()

    @staticmethod
    def _joins_some(element: Element) -> bool:
        return element.type == "inclusiveGateway" and len(element.incoming) > 1

    def _upstream(self, key: str) -> set[str]:
        """The flows from which a token can come to this join without passing through it."""
        found: set[str] = set()
        todo = [f for f in self.elements[key].incoming if f in self.flows]
        while todo:
            flow = todo.pop()
            if flow in found:
                continue
            found.add(flow)
            source = self.elements[self.flows[flow].source]
            before = [source, *([self.elements[source.attached_to]] if source.attached_to in self.elements else [])]
            todo += [f for e in before if e.id != key for f in e.incoming if f in self.flows]
        return found

    def play(self) -> Explored:
        seen: set[Position] = set()
        todo = [p for start in self.elements.values() if self._begins(start) for p in self._leave(start, {}, event=False)]
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

    def _begins(self, element: Element) -> bool:
        if element.type == "startEvent" or element.instantiate:
            return True
        has_start = any(e.type == "startEvent" or e.instantiate for e in self.elements.values())
        alone = element.triggered or element.for_compensation or element.type == "boundaryEvent"
        return not has_start and not element.incoming and not alone and len(self.elements) > 1

    def _next(self, marking: dict[str, int], *, event: bool) -> list[Position]:
        """The positions after each possible move; notes what is stuck when there is none."""
        moves: list[Position] = []
        for flow, count in marking.items():
            target = self.elements[self.flows[flow].target]
            if count > 1 and not event and target.type != "endEvent" and target not in self.result.multiplied:
                self.result.multiplied.append(target)
            if count > 1:
                return []  # what comes after would only repeat it
        for key in {self.flows[f].target for f in marking}:
            moves += self._moves(self.elements[key], marking, event=event)
        if not moves:
            found = self.result.exposed if event else self.result.stuck
            found += [e for e in (self.elements[k] for k in {self.flows[f].target for f in marking}) if e not in found]
        return moves

    def _moves(self, element: Element, marking: dict[str, int], *, event: bool) -> Iterator[Position]:
        held = [f for f in element.incoming if f in marking]
        if element.type == "parallelGateway":
            wanted = [f for f in element.incoming if f in self.flows]
            if len(held) == len(wanted):
                yield from self._leave(element, _without(marking, wanted), event=event)
        elif self._joins_some(element):
            coming = self.upstream[element.id] - set(element.incoming)
            if not any(f in coming for f in marking):
                yield from self._leave(element, _without(marking, held), event=event)
        else:
            for flow in held:
                yield from self._leave(element, _without(marking, [flow]), event=event)

    def _leave(self, element: Element, marking: dict[str, int], *, event: bool) -> Iterator[Position]:
        """The positions after the element is done, for each way of leaving it."""
        if element.type == "endEvent" and any(e.kind in ("terminate", "error", "cancel") for e in element.events):
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
