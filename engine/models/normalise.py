"""Fills in what a modeller left unsaid and only one reading is sensible; each assumption is a problem that says so.

What cannot be guessed gets a named placeholder, so that the model can be played with: an error in a process that is meant
to run, a warning in a drawing (`isExecutable="false"`), which deploying then leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.errors import Problem
from engine.models.elements import Element, EventDefinition, Flow, ProcessModel

PLACEHOLDERS = frozenset({"timer-empty", "message-missing", "signal-missing", "flow-condition-missing"})
THROWING = ("intermediateThrowEvent", "endEvent")
NEVER = "9999-12-31T00:00:00Z"
LAST = {"terminate", "error", "cancel"}


def normalise(model: ProcessModel, problems: list[Problem], *, dialect: bool, file: str = "") -> ProcessModel:
    """The model with its gaps filled; what was assumed is added to `problems`.

    `dialect` says that the file is written for an engine with a dialect of its own, where gaps are mistakes and not style.
    """
    filler = _Filler(model, dialect)
    for element in model.elements.values():
        filler.fill(element)
    problems += [replace(p, file=file or None) for p in filler.found]
    return replace(model, elements=filler.elements, flows=filler.flows)


class _Filler:
    def __init__(self, model: ProcessModel, dialect: bool) -> None:
        self.executable = model.executable
        self.dialect = dialect
        self.found: list[Problem] = []
        self.elements: dict[str, Element] = {}
        self.flows = dict(model.flows)
        gateways = {e.id for e in model.elements.values() if e.type == "eventBasedGateway"}
        self.raced = {f.target for f in model.flows.values() if f.source in gateways}

    def note(self, element: Element, rule: str, message: str, fix: str, *, error: bool = False) -> None:
        severity = "error" if error and self.executable else "warning"
        self.found.append(Problem(rule, message, fix, element.id, element.type, severity))  # type: ignore[arg-type]

    def fill(self, element: Element) -> None:
        events = element.events
        if element.type == "receiveTask" and not events:
            events = (EventDefinition("message"),)
        events = tuple(self.events(element, events))
        filled = replace(element, default=self.default(element), events=events)
        if element.type in THROWING and len(events) > 1:
            self.in_turn(filled)
        else:
            self.elements[element.id] = filled

    def default(self, element: Element) -> str | None:
        """The one flow without a condition out of a deciding gateway is what happens otherwise.

        When there are several, plain BPMN means the first; files of a dialect must say which.
        """
        if element.type not in ("exclusiveGateway", "inclusiveGateway") or len(element.outgoing) < 2:
            return element.default
        bare = [f for f in element.outgoing if not self.flows[f].condition and f != element.default]
        guess = bare[0] if bare and not element.default else None
        if guess is not None and (len(bare) == 1 or (not self.dialect and element.type == "exclusiveGateway")):
            message = f"The flow {guess} has no condition; it is taken as the default flow."
            self.note(element, "assumed-default", message, "Mark it as the default flow.")
            bare.remove(guess)
        else:
            guess = None
        if not self.dialect and element.type == "exclusiveGateway":
            for flow in bare:
                self.note(element, "assumed-never", f"The flow {flow} has no condition; it is never taken.", "Give it a condition.")
                self.flows[flow] = replace(self.flows[flow], condition="false")
        return element.default or guess

    def events(self, element: Element, events: tuple[EventDefinition, ...]) -> Iterator[EventDefinition]:
        for event in events:
            if event.kind == "timer" and not event.value and element.id in self.raced and not self.dialect:
                self.note(element, "assumed-no-timer", "The timer has no value; only the gateway's other events count.", "Say when it fires.")
                yield replace(event, timer="date", value=NEVER)
            elif event.kind == "timer" and not event.value:
                if len(events) > 1 and not self.dialect and not element.parallel_multiple:
                    self.note(element, "assumed-no-timer", "The timer has no value; only the other triggers count.", "Say when it fires.")
                    continue
                self.note(element, "timer-empty", "The timer has no date, duration or cycle.", "Say when it fires, as in PT15M.", error=True)
                yield replace(event, timer=event.timer or "duration", value="PT1H")
            elif event.kind in ("message", "signal") and not event.name:
                yield self.named(element, event)
            else:
                yield event

    def named(self, element: Element, event: EventDefinition) -> EventDefinition:
        """A message or signal that nobody named is called after its place."""
        name = element.name or element.id
        fix = f"Choose the {event.kind} that it sends or waits for."
        shown = element.type == "receiveTask" or element.id in self.raced  # its place says that it waits for something of its own
        if self.dialect or (event.kind == "message" and not shown):
            self.note(element, f"{event.kind}-missing", f"No {event.kind} is named.", fix, error=True)
        else:
            self.note(element, f"assumed-{event.kind}", f"No {event.kind} is named; it is taken to be {name!r}.", fix)
        return replace(event, name=name)

    def in_turn(self, element: Element) -> None:
        """An event that throws several things becomes events that throw them one after the other, the last under its own id."""
        events = sorted(element.events, key=lambda e: e.kind in LAST)
        self.note(element, "assumed-order", "It throws several things; they are thrown one after the other.", "Draw an event for each.")
        steps = [f"{element.id}:{n + 1}" for n in range(len(events) - 1)] + [element.id]
        into = element.incoming
        for step, event in zip(steps[:-1], events[:-1], strict=True):
            after = steps[steps.index(step) + 1]
            link = Flow(f"{step}:out", step, after, parent=element.parent)
            self.flows[link.id] = link
            self.elements[step] = replace(
                element, id=step, type="intermediateThrowEvent", incoming=into, outgoing=(link.id,), events=(event,), inputs=(), outputs=()
            )
            into = (link.id,)
        for flow in element.incoming:
            self.flows[flow] = replace(self.flows[flow], target=steps[0])
        self.elements[element.id] = replace(element, incoming=into, events=(events[-1],))
