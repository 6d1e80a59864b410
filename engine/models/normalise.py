"""Fills in what a modeller left unsaid and only one reading is sensible; each assumption is a problem that says so.

What cannot be guessed gets a named placeholder, so that the model can be played with: an error in a process that is meant
to run, a warning in a drawing (`isExecutable="false"`), which deploying then leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.errors import Problem
from engine.models.elements import Element, EventDefinition, ProcessModel

PLACEHOLDERS = frozenset({"timer-empty", "message-missing", "signal-missing", "flow-condition-missing"})


def normalise(model: ProcessModel, problems: list[Problem], *, dialect: bool, file: str = "") -> ProcessModel:
    """The model with its gaps filled; what was assumed is added to `problems`.

    `dialect` says that the file is written for an engine with a dialect of its own, where gaps are mistakes and not style.
    """
    filler = _Filler(model, dialect)
    elements = {e.id: filler.element(e) for e in model.elements.values()}
    problems += [replace(p, file=file or None) for p in filler.found]
    return replace(model, elements=elements)


class _Filler:
    def __init__(self, model: ProcessModel, dialect: bool) -> None:
        self.model = model
        self.dialect = dialect
        self.found: list[Problem] = []

    def note(self, element: Element, rule: str, message: str, fix: str, *, error: bool = False) -> None:
        severity = "error" if error and self.model.executable else "warning"
        self.found.append(Problem(rule, message, fix, element.id, element.type, severity))  # type: ignore[arg-type]

    def element(self, element: Element) -> Element:
        events = element.events
        if element.type == "receiveTask" and not events:
            events = (EventDefinition("message"),)
        return replace(element, default=self.default(element), events=tuple(self.events(element, events)))

    def default(self, element: Element) -> str | None:
        """The one flow without a condition out of a deciding gateway is what happens otherwise."""
        if element.type not in ("exclusiveGateway", "inclusiveGateway") or element.default or len(element.outgoing) < 2:
            return element.default
        bare = [f for f in element.outgoing if not self.model.flows[f].condition]
        if len(bare) != 1:
            return None
        message = f"The flow {bare[0]} has no condition; it is taken as the default flow."
        self.note(element, "assumed-default", message, "Mark it as the default flow.")
        return bare[0]

    def events(self, element: Element, events: tuple[EventDefinition, ...]) -> Iterator[EventDefinition]:
        for event in events:
            if event.kind == "timer" and not event.value:
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
        if self.dialect or (event.kind == "message" and element.type != "receiveTask"):
            self.note(element, f"{event.kind}-missing", f"No {event.kind} is named.", fix, error=True)
        else:
            self.note(element, f"assumed-{event.kind}", f"No {event.kind} is named; it is taken to be {name!r}.", fix)
        return replace(event, name=name)
