"""Fills in what a modeller left unsaid and only one reading is sensible; each assumption is a problem that says so."""

from __future__ import annotations

from dataclasses import replace

from engine.errors import Problem
from engine.models.elements import Element, EventDefinition, ProcessModel

PLACEHOLDERS = {"timer-empty", "message-missing", "signal-missing"}  # errors for deploy, warnings for play


def normalise(model: ProcessModel, problems: list[Problem], file: str = "") -> ProcessModel:
    """The model with its gaps filled; what was assumed is added to `problems`."""
    elements = {}
    for element in model.elements.values():
        found: list[Problem] = []
        element = _default(model, element, found)
        element = replace(element, events=tuple(_placeholder(element, e, found) for e in element.events))
        if element.type == "receiveTask" and not element.events:
            element = replace(element, events=(_placeholder(element, EventDefinition("message"), found),))
        elements[element.id] = element
        problems += [replace(p, element=element.id, element_type=element.type, file=file or None) for p in found]
    return replace(model, elements=elements)


def _default(model: ProcessModel, element: Element, found: list[Problem]) -> Element:
    """The one flow without a condition out of a deciding gateway is what happens otherwise."""
    if element.type not in ("exclusiveGateway", "inclusiveGateway") or element.default or len(element.outgoing) < 2:
        return element
    bare = [f for f in element.outgoing if not model.flows[f].condition]
    if len(bare) != 1:
        return element
    found.append(Problem("assumed-default", f"The flow {bare[0]} has no condition; it is taken as the default flow.", "Mark it as the default flow.", severity="warning"))
    return replace(element, default=bare[0])


def _placeholder(element: Element, event: EventDefinition, found: list[Problem]) -> EventDefinition:
    if event.kind == "timer" and not event.value:
        found.append(Problem("timer-empty", "The timer has no date, duration or cycle.", "Say when it fires, for example PT15M."))
        return replace(event, timer=event.timer or "duration", value="PT1H")
    if event.kind in ("message", "signal") and not event.name:
        rule = f"{event.kind}-missing"
        found.append(Problem(rule, f"No {event.kind} is named.", f"Choose the {event.kind} that it sends or waits for."))
        return replace(event, name=f"{event.kind}:{element.id}")
    return event
