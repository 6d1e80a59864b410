"""From a process model to SpiffWorkflow specs: one spec object per element, of our own classes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from SpiffWorkflow.specs.WorkflowSpec import WorkflowSpec

from engine.errors import InvalidModel, Problem
from engine.execution.specs import spec_class
from engine.models.elements import Element, Flow, ProcessModel


@dataclass(frozen=True)
class Compiled:
    """A process ready to run; shared by all its instances and never changed."""

    model: ProcessModel
    spec: WorkflowSpec

    @cached_property
    def boundaries(self) -> dict[str, tuple[Element, ...]]:
        """Boundary events by the activity they sit on."""
        found: dict[str, list[Element]] = defaultdict(list)
        for element in self.model.elements.values():
            if element.attached_to:
                found[element.attached_to].append(element)
        return {key: tuple(value) for key, value in found.items()}

    @cached_property
    def event_subprocesses(self) -> dict[str | None, tuple[tuple[Element, Element], ...]]:
        """(event subprocess, its start event) by the body they stand in."""
        found: dict[str | None, list[tuple[Element, Element]]] = defaultdict(list)
        for element in self.model.elements.values():
            if element.triggered:
                starts = [e for e in self.model.inside(element.id) if e.type == "startEvent"]
                found[element.parent].extend((element, start) for start in starts)
        return {key: tuple(value) for key, value in found.items()}

    @cached_property
    def has_inclusive(self) -> frozenset[str]:
        """The inclusive gateways that merge."""
        return frozenset(e.id for e in self.model.elements.values() if e.type == "inclusiveGateway" and len(e.incoming) > 1)

    @cached_property
    def has_conditions(self) -> bool:
        """Whether any event waits for a condition."""
        return any(event.kind == "conditional" for e in self.model.elements.values() for event in e.events)

    def starts(self, body: str | None) -> list[Element]:
        """Where a body begins: its none start event, else its only start event, else what nothing leads to."""
        inside = list(self.model.inside(body))
        starts = [e for e in inside if e.type == "startEvent"]
        plain = [e for e in starts if not e.events]
        if plain or len(starts) == 1:
            return plain or starts
        if starts:
            return []
        return [
            e
            for e in inside
            if not e.incoming
            and not e.attached_to
            and not e.triggered
            and not e.for_compensation
            and not (e.events and e.events[0].kind == "link" and e.type == "intermediateCatchEvent")
        ]

    def flow(self, id: str) -> Flow:
        """One sequence flow."""
        return self.model.flows[id]

    @cached_property
    def _reach(self) -> dict[tuple[str, str], frozenset[str]]:
        return {}

    def reaching(self, flow_id: str, avoiding: str) -> frozenset[str]:
        """The elements from which a token can come along `flow_id` without passing the gateway `avoiding`."""
        if (known := self._reach.get((flow_id, avoiding))) is not None:
            return known
        before: dict[str, set[str]] = defaultdict(set)
        for flow in self.model.flows.values():
            before[flow.target].add(flow.source)
        for element in self.model.elements.values():
            if element.attached_to:
                before[element.id].add(element.attached_to)
            if element.type == "intermediateThrowEvent" and element.events and element.events[0].kind == "link":
                for target in self.link_targets(element):
                    before[target.id].add(element.id)
        found: set[str] = set()
        todo = [self.model.flows[flow_id].source]
        while todo:
            here = todo.pop()
            if here in found or here == avoiding:
                continue
            found.add(here)
            todo.extend(before[here])
        result = self._reach[(flow_id, avoiding)] = frozenset(found)
        return result

    def link_targets(self, thrower: Element) -> list[Element]:
        """The catching link events that a throwing one leads to."""
        name = thrower.events[0].name
        return [
            e
            for e in self.model.inside(thrower.parent)
            if e.type == "intermediateCatchEvent" and e.events and e.events[0].kind == "link" and e.events[0].name == name
        ]


def compile_process(model: ProcessModel) -> Compiled:
    """Builds the specs; raises InvalidModel naming the elements that we cannot run."""
    spec = WorkflowSpec(name=model.id)
    problems = []
    for element in model.elements.values():
        cls = spec_class(element)
        if cls is None:
            what = element.type + ("".join(f" ({e.kind})" for e in element.events))
            problems.append(Problem("unsupported", f"{what} is not supported.", "Draw it with supported elements.", element.id, element.type))
        else:
            cls(spec, element)
    if problems:
        raise InvalidModel(problems)
    for flow in model.flows.values():
        spec.task_specs[flow.source].connect(spec.task_specs[flow.target])
    return Compiled(model, spec)
