"""Rules about what catches: nothing that comes may be meant for two events, or for none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from engine.models.elements import Element, EventDefinition
from engine.models.events import TIMERS
from engine.models.rules.register import Finding, Process, Sheet, rule
from engine.models.xml import children, text_of

Place = tuple[str, str | None]  # what kind of place, and where
TOLD_APART = {"message": "name", "error": "code", "escalation": "code"}  # a signal reaches all, a timer and a condition come of themselves


def _places(process: Process) -> dict[Place, list[tuple[Element, EventDefinition]]]:
    """Events that wait side by side: on one activity, behind one event gateway, as starts of one level."""
    found: dict[Place, list[tuple[Element, EventDefinition]]] = defaultdict(list)
    for element in process.elements.values():
        around = process.elements.get(element.parent or "")
        places: list[Place] = []
        if element.type == "boundaryEvent":
            places.append(("activity", element.attached_to))
        elif element.type == "startEvent" and around is not None and around.triggered:
            places.append(("scope", around.parent))
        elif element.type == "startEvent":
            places.append(("process", element.parent))
        places += [("gateway", g.id) for g in process.of("eventBasedGateway") if {process.flows[f].target for f in g.outgoing} & {element.id}]
        for place in places:
            found[place] += [(element, event) for event in element.events]
    return found


@rule("catch-twice", "Keep one of them, or give them different names, keys or codes.")
def catch_twice(process: Process) -> Iterator[Finding]:
    """Of events that wait side by side, each waits for something of its own."""
    for side_by_side in _places(process).values():
        seen: dict[tuple[str, str | None, str | None], Element] = {}
        for element, event in side_by_side:
            key = (event.kind, event.name, event.correlation)
            if event.kind not in TOLD_APART:
                continue
            if key in seen and seen[key] is not element:
                what = f"the {event.kind} {event.name}" if event.name else f"every {event.kind}"
                yield Finding(element, f"It waits for {what}, as {seen[key].id} does: only one of them would get it.")
            seen.setdefault(key, element)


@rule("catch-code", "Write the code out.")
def catch_code(process: Process) -> Iterator[Finding]:
    """What catches an error or escalation names its code as it is."""
    for element in process.of("boundaryEvent", "startEvent"):
        for event in element.events:
            if event.kind in ("error", "escalation") and event.name and event.name.startswith("="):
                yield Finding(element, f"The code {event.name!r} is an expression, which would never be evaluated.")


@rule("timer-several", "Keep one of them.", over="document")
def timer_several(sheet: Sheet) -> Iterator[Finding]:
    """A timer has a date, a duration or a cycle."""
    for node in sheet.all("timerEventDefinition"):
        given = [name for name in TIMERS if any(text_of(part) for part in children(node, name))]
        if len(given) > 1:
            yield Finding(node.getparent(), f"The timer has several values ({', '.join(given)}): only the first would count.")


@rule("mapping", "Write both.")
def mapping(process: Process) -> Iterator[Finding]:
    """A mapping says from where and to where."""
    for element in process.elements.values():
        for one in (*element.inputs, *element.outputs):
            if not one.target or one.source in ("", "="):
                yield Finding(element, f"A mapping lacks its {'target' if not one.target else f'source (to {one.target})'}.")
