"""Rules about the shape of the whole: what cannot be reached, where tokens get stuck, and where they multiply."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.elements import Element
from engine.models.rules.register import Finding, Process, rule
from engine.models.soundness import explore

WAITING = ("task", "userTask", "manualTask", "receiveTask", "intermediateCatchEvent", "eventBasedGateway")


def _starts_alone(element: Element) -> bool:
    """Whether an element needs no incoming flow by its nature."""
    link = element.type == "intermediateCatchEvent" and any(e.kind == "link" for e in element.events)
    return element.type in ("startEvent", "boundaryEvent") or element.triggered or element.for_compensation or element.instantiate or link


@rule("no-incoming", "Connect it, or remove it.")
def no_incoming(process: Process) -> Iterator[Finding]:
    """Where there is a start event, something leads to everything else."""
    for level in process.levels():
        inside = list(process.model.inside(level))
        if any(e.type == "startEvent" for e in inside):
            for element in inside:
                if not element.incoming and not _starts_alone(element) and element.type not in ("endEvent", "intermediateThrowEvent"):
                    yield Finding(element, "Nothing leads to it, so that it would never happen.")


@rule(
    "no-outgoing",
    "Connect it to what follows or to an end event.",
    formal=True,
)
def no_outgoing(process: Process) -> Iterator[Finding]:
    """Where there is an end event, something follows everything else."""
    for level in process.levels():
        inside = list(process.model.inside(level))
        if any(e.type == "endEvent" for e in inside):
            for element in inside:
                if not element.outgoing and not _ends_alone(element):
                    yield Finding(element, "Nothing follows it: the path ends here without an end event.")


def _ends_alone(element: Element) -> bool:
    """Whether an element needs no outgoing flow, or has a rule of its own for it."""
    own_rule = element.type in ("startEvent", "boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent")
    return element.type == "endEvent" or own_rule or element.triggered or element.for_compensation


@rule("unreachable", "Connect it, or remove it.")
def unreachable(process: Process) -> Iterator[Finding]:
    """Everything can be reached from a start."""
    for level in process.levels():
        inside = {e.id: e for e in process.model.inside(level)}
        if any(e.type == "startEvent" or e.instantiate for e in inside.values()):
            reached = _reached(process, inside)
            for element in inside.values():
                if element.id not in reached and element.incoming and not element.for_compensation:
                    yield Finding(element, "No start event leads to it, so that it would never happen.")


def _reached(process: Process, inside: dict[str, Element]) -> set[str]:
    handlers = {e.compensation_handler for e in inside.values()}
    todo = [e.id for e in inside.values() if _starts_alone(e) or e.id in handlers]
    reached = set(todo)
    while todo:
        for flow in inside[todo.pop()].outgoing:
            target = process.flows[flow].target
            if target in inside and target not in reached:
                reached.add(target)
                todo.append(target)
    return reached


@rule("endless", "Draw a way out of the loop.")
def endless(process: Process) -> Iterator[Finding]:
    """Every loop can be left."""
    for level in process.levels():
        inside = {e.id: e for e in process.model.inside(level)}
        leaves = {e.id for e in inside.values() if not e.outgoing}
        hosts = {e.attached_to for e in inside.values() if e.type == "boundaryEvent" and e.outgoing}
        backwards = [(process.flows[f].source, process.flows[f].target) for e in inside.values() for f in e.outgoing]
        backwards += [(e.attached_to or "", e.id) for e in inside.values() if e.type == "boundaryEvent"]
        done = set(leaves)
        while more := {s for s, t in backwards if t in done and s not in done}:
            done |= more
        stuck = [e for e in inside.values() if e.id not in done and e.id not in hosts]
        if stuck and not _ended_from_outside(process, level, list(inside.values())):
            waits = any(e.type in WAITING for e in stuck)
            message = f"There is no way out of the loop of {', '.join(e.id for e in stuck[:6])}."
            yield Finding(stuck[0], message, "warning" if waits else None)


def _ended_from_outside(process: Process, level: str | None, inside: list[Element]) -> bool:
    """Whether an end event, a boundary event or an event subprocess ends everything on a level."""
    if any(e.type == "endEvent" and any(d.kind in ("terminate", "error", "cancel") for d in e.events) for e in inside):
        return True
    borders = (e for e in process.of("boundaryEvent") if e.attached_to == level and e.interrupting)
    triggered = {e.id for e in inside if e.triggered}
    starts = (e for e in process.of("startEvent") if e.parent in triggered and e.interrupting)
    return (level is not None and any(True for _ in borders)) or any(True for _ in starts)


@rule("deadlock", "Join paths with the kind of gateway that split them.", running=True)
def deadlock(process: Process) -> Iterator[Finding]:
    """No path waits for ever."""
    for level in process.levels():
        explored = explore(process.model, level)
        for element in explored.stuck:
            yield Finding(element, "It can wait for ever: not all of its incoming paths are always taken.", "error")
        for element in explored.exposed:
            yield Finding(element, "It waits for ever when an event takes another path than the one that leads here.", "warning")


@rule("multiplied", "Join parallel paths with a parallel or inclusive gateway.", severity="warning")
def multiplied(process: Process) -> Iterator[Finding]:
    """No path runs twice by accident."""
    for level in process.levels():
        for element in explore(process.model, level).multiplied:
            yield Finding(element, "Parallel paths meet here without being joined: what follows runs once for each.")
