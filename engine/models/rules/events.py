"""Rules about start, end, intermediate, boundary and link events, and about event subprocesses."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.elements import Element
from engine.models.read import ACTIVITIES
from engine.models.rules.register import Finding, Process, Severity, Sheet, rule
from engine.models.xml import BPMN, attribute, bare, bpmn_children, name_of, text_of

TOP_STARTS = {"message", "timer", "conditional", "signal"}
EVENT_STARTS = TOP_STARTS | {"error", "escalation", "compensation"}
CATCHES = {"message", "timer", "conditional", "link", "signal"}
THROWS = {"message", "escalation", "link", "compensation", "signal"}
ENDS = {"message", "escalation", "error", "cancel", "compensation", "signal", "terminate"}
BOUNDARIES = {"message", "timer", "escalation", "error", "conditional", "compensation", "signal", "cancel"}
ONLY_INTERRUPTING = {"error", "cancel", "compensation"}


def _kinds(element: Element) -> set[str]:
    return {event.kind for event in element.events}


def _unless_dialect(process: Process) -> Severity | None:
    """Paths may end without an end event in the dialects of other engines, where it is only unwise."""
    return "warning" if process.sheet.document.dialect else None


def _instantiated(process: Process, level: str | None) -> bool:
    """Whether a receive task or an event gateway starts the process, so that no start event is needed."""
    return level is None and any(e.instantiate for e in process.model.inside(None))


def _event_subprocess(process: Process, level: str | None) -> bool:
    return level is not None and process.elements[level].triggered


@rule("start-missing", "Draw where it starts.", formal=True)
def start_missing(process: Process) -> Iterator[Finding]:
    """Where there is an end event, there is a start event."""
    for level in process.levels():
        inside = list(process.model.inside(level))
        ends = [e for e in inside if e.type == "endEvent"]
        if ends and not any(e.type == "startEvent" for e in inside) and not _instantiated(process, level):
            yield Finding(ends[0], "There is an end event but no start event on this level.")


@rule("end-missing", "Draw where it ends.", formal=True)
def end_missing(process: Process) -> Iterator[Finding]:
    """Where there is a start event, there is an end event."""
    for level in process.levels():
        inside = list(process.model.inside(level))
        starts = [e for e in inside if e.type == "startEvent"]
        if starts and not any(e.type == "endEvent" for e in inside):
            yield Finding(starts[0], "There is a start event but no end event on this level.")


@rule("start-several", "Merge them, or give the others triggers.", running=True)
def start_several(process: Process) -> Iterator[Finding]:
    """A level has one start event without a trigger."""
    for level in process.levels():
        starts = [e for e in process.model.inside(level) if e.type == "startEvent" and not e.events]
        if len(starts) > 1:
            yield Finding(starts[1], f"There are {len(starts)} start events without a trigger: which one is meant cannot be told.")


def _connected(process: Process, kind: str, side: str, *, wrong: bool, message: str) -> Iterator[Finding]:
    """The events that have flows on a side (`wrong`), or have none."""
    yield from (Finding(event, message) for event in process.of(kind) if bool(getattr(event, side)) == wrong)


@rule("start-incoming", "Lead it to the element after the start event.")
def start_incoming(process: Process) -> Iterator[Finding]:
    """No flow leads into a start event."""
    yield from _connected(process, "startEvent", "incoming", wrong=True, message="A flow leads into the start event.")


@rule("start-outgoing", "Connect it to what comes first.")
def start_outgoing(process: Process) -> Iterator[Finding]:
    """A flow leads out of every start event."""
    yield from _connected(process, "startEvent", "outgoing", wrong=False, message="Nothing follows the start event.")


@rule("start-kind", "Choose one of these triggers.")
def start_kind(process: Process) -> Iterator[Finding]:
    """A process starts by itself or by a message, timer, signal or condition."""
    for event in process.of("startEvent"):
        wrong = _kinds(event) - TOP_STARTS
        if event.parent is None and wrong:
            yield Finding(event, f"A process cannot be started by {' or '.join(sorted(wrong))}.")


@rule("start-condition", "Start it by a message, a timer or a signal.", running=True)
def start_condition(process: Process) -> Iterator[Finding]:
    """A process does not wait for a condition before it exists."""
    for event in process.of("startEvent"):
        if event.parent is None and "conditional" in _kinds(event):
            yield Finding(event, "Nothing watches this condition before the process exists: it would never start here.")


@rule("start-in-subprocess", "Remove the trigger, or make it an event subprocess.")
def start_in_subprocess(process: Process) -> Iterator[Finding]:
    """A subprocess starts without a trigger."""
    for event in process.of("startEvent"):
        if event.parent and not process.elements[event.parent].triggered and event.events:
            yield Finding(event, "The start event of an ordinary subprocess has a trigger, which would never be waited for.")


@rule("end-outgoing", "Use an intermediate event.")
def end_outgoing(process: Process) -> Iterator[Finding]:
    """No flow leads out of an end event."""
    yield from _connected(process, "endEvent", "outgoing", wrong=True, message="A flow leads out of the end event.")


@rule("end-incoming", "Connect it, or remove it.")
def end_incoming(process: Process) -> Iterator[Finding]:
    """A flow leads into every end event."""
    yield from _connected(process, "endEvent", "incoming", wrong=False, message="Nothing leads to the end event.")


@rule("end-kind", "Choose a message, signal, error, escalation, terminate or none.")
def end_kind(process: Process) -> Iterator[Finding]:
    """An end event throws; it cannot wait."""
    for event in process.of("endEvent"):
        for wrong in sorted(_kinds(event) - ENDS):
            yield Finding(event, f"An end event cannot be a {wrong} event.")


@rule("cancel-end", "Use an error end event, or make the subprocess a transaction.")
def cancel_end(process: Process) -> Iterator[Finding]:
    """A cancel end event lies in a transaction."""
    for event in process.of("endEvent"):
        around = process.elements.get(event.parent or "")
        if "cancel" in _kinds(event) and (around is None or around.type != "transaction"):
            yield Finding(event, "It does not lie directly in a transaction that it could cancel.")


def _around(process: Process, element: Element) -> Iterator[Element]:
    parent = element.parent
    while parent is not None:
        yield process.elements[parent]
        parent = process.elements[parent].parent


@rule("intermediate-connected", "Connect it.")
def intermediate_connected(process: Process) -> Iterator[Finding]:
    """Flows lead into and out of every intermediate event."""
    for event in process.of("intermediateCatchEvent", "intermediateThrowEvent"):
        link = "link" in _kinds(event)
        catches = event.type == "intermediateCatchEvent"
        if not event.incoming and not (link and catches):
            yield Finding(event, "Nothing leads to the intermediate event.")
        if not event.outgoing and not (link and not catches):
            yield Finding(event, "Nothing follows the intermediate event.", _unless_dialect(process))


@rule("intermediate-kind", "Choose another kind of event.")
def intermediate_kind(process: Process) -> Iterator[Finding]:
    """Intermediate events catch or throw what such events can."""
    for event in process.of("intermediateCatchEvent"):
        if not event.events:
            yield Finding(event, "It waits for nothing: it has no trigger.")
        for wrong in sorted(_kinds(event) - CATCHES):
            yield Finding(event, f"A {wrong} event cannot be waited for in the flow.")
    for event in process.of("intermediateThrowEvent"):
        for wrong in sorted(_kinds(event) - THROWS):
            yield Finding(event, f"A {wrong} event cannot be thrown in the flow.")


@rule("boundary-attached", "Attach it to an activity.")
def boundary_attached(process: Process) -> Iterator[Finding]:
    """A boundary event sits on an activity of the same level."""
    for event in process.of("boundaryEvent"):
        host = process.elements.get(event.attached_to or "")
        if host is None or host.type not in ACTIVITIES:
            yield Finding(event, "It is not attached to an activity of this process.")
        elif host.parent != event.parent:
            yield Finding(event, f"It is attached to {host.id}, which lies on another level.")


@rule("boundary-kind", "Choose another trigger, or make it interrupting.")
def boundary_kind(process: Process) -> Iterator[Finding]:
    """A boundary event has a trigger that fits it."""
    for event in process.of("boundaryEvent"):
        kinds = _kinds(event)
        if not kinds:
            yield Finding(event, "The boundary event has no trigger.")
        for wrong in sorted(kinds - BOUNDARIES):
            yield Finding(event, f"A {wrong} event cannot be attached to an activity.")
        host = process.elements.get(event.attached_to or "")
        if "cancel" in kinds and host is not None and host.type != "transaction":
            yield Finding(event, f"It waits for a cancellation, but {host.id} is no transaction.")


@rule("boundary-interrupting", "Make it interrupting.")
def boundary_interrupting(process: Process) -> Iterator[Finding]:
    """Error, cancel and compensation events interrupt."""
    for event in process.of("boundaryEvent"):
        if not event.interrupting:
            for kind in sorted(_kinds(event) & ONLY_INTERRUPTING):
                yield Finding(event, f"A {kind} event cannot be non-interrupting.")


@rule("boundary-connected", "Connect it to what should then happen.")
def boundary_connected(process: Process) -> Iterator[Finding]:
    """A flow leads out of a boundary event, and none into it."""
    for event in process.of("boundaryEvent"):
        compensates = "compensation" in _kinds(event)
        if event.incoming:
            yield Finding(event, "A flow leads into the boundary event.")
        if not event.outgoing and not compensates:
            yield Finding(event, "Nothing follows the boundary event.", _unless_dialect(process))
        if event.outgoing and compensates:
            yield Finding(event, "A flow leads out of a compensation event; its handler is connected by an association.")


@rule("event-subprocess-connected", "Remove the flow: its start event starts it.")
def event_subprocess_connected(process: Process) -> Iterator[Finding]:
    """No flow leads to or from an event subprocess."""
    for element in process.elements.values():
        if element.triggered and (element.incoming or element.outgoing):
            yield Finding(element, "A flow is connected to the event subprocess.")


@rule("event-subprocess-start", "Give it one start event with a trigger.")
def event_subprocess_start(process: Process) -> Iterator[Finding]:
    """An event subprocess has one start event, with a trigger."""
    for level in process.levels():
        if level is None or not _event_subprocess(process, level):
            continue
        starts = [e for e in process.model.inside(level) if e.type == "startEvent"]
        if len(starts) != 1:
            yield Finding(process.elements[level], f"The event subprocess has {len(starts)} start events.")
        for start in starts:
            yield from _event_start(start)


def _event_start(start: Element) -> Iterator[Finding]:
    kinds = _kinds(start)
    if not kinds:
        yield Finding(start, "The start event of an event subprocess has no trigger, so that it would never start.")
    for wrong in sorted(kinds - EVENT_STARTS):
        yield Finding(start, f"A {wrong} event cannot start an event subprocess.")
    if not start.interrupting:
        for wrong in sorted(kinds & ONLY_INTERRUPTING):
            yield Finding(start, f"A {wrong} event cannot start an event subprocess without interrupting.")


@rule("link-pair", "Give both ends the same name; one catching end for each name.")
def link_pair(process: Process) -> Iterator[Finding]:
    """Each link event leads to one on the same level."""
    for level in process.levels():
        inside = list(process.model.inside(level))
        throws, catches = _links(inside, "intermediateThrowEvent"), _links(inside, "intermediateCatchEvent")
        for event, name in throws:
            if name is None or sum(n == name for _, n in catches) == 0:
                yield Finding(event, "The link leads nowhere on this level.")
        for event, name in catches:
            if name is None or sum(n == name for _, n in throws) == 0:
                yield Finding(event, "No link on this level leads here.")
            elif sum(n == name for _, n in catches) > 1:
                yield Finding(event, f"Two links called {name!r} could be meant.")


def _links(inside: list[Element], kind: str) -> list[tuple[Element, str | None]]:
    return [(e, d.name) for e in inside if e.type == kind for d in e.events if d.kind == "link"]


@rule("link-flow", "Remove the flow on the side of the jump.")
def link_flow(process: Process) -> Iterator[Finding]:
    """A link event has a flow on one side only."""
    for event in process.of("intermediateThrowEvent", "intermediateCatchEvent"):
        if "link" in _kinds(event) and (event.outgoing if event.type == "intermediateThrowEvent" else event.incoming):
            yield Finding(event, "The link event is both jumped from or to and connected on that side.")


@rule("link-mutual", "Name the other end in source and target.", over="document", formal=True)
def link_mutual(sheet: Sheet) -> Iterator[Finding]:
    """The two ends of a link refer to each other."""
    definitions = {d.get("id"): d for d in sheet.all("linkEventDefinition")}
    for key, node in definitions.items():
        refs = {name_of(c): bare(text_of(c)) for c in bpmn_children(node)}
        for here, there in (("target", "source"), ("source", "target")):
            other = definitions.get(refs.get(here))
            if here in refs and other is None:
                yield Finding(node.getparent(), f"The link's {here} {refs[here]} does not exist.")
            elif here in refs and other is not None and key not in {bare(text_of(c)) for c in bpmn_children(other) if name_of(c) == there}:
                yield Finding(node.getparent(), f"The link's {here} {refs[here]} does not name it in turn.")


@rule("event-shared", "Define it at the top of the file.", over="document", formal=True)
def event_shared(sheet: Sheet) -> Iterator[Finding]:
    """What an event throws is defined for it alone."""
    for ref in sheet.all("eventDefinitionRef"):
        node = sheet.by_id.get(bare(text_of(ref)) or "")
        owner = node.getparent() if node is not None else None
        if owner is not None and owner.tag != f"{{{BPMN}}}definitions":
            yield Finding(ref.getparent(), f"It uses the event definition {node.get('id')} of {owner.get('id')}.")  # type: ignore[union-attr]


@rule("escalation-code", "Give the escalation a code.", formal=True, running=True)
def escalation_code(process: Process) -> Iterator[Finding]:
    """A thrown escalation has a code."""
    for event in process.of("intermediateThrowEvent", "endEvent"):
        for thrown in event.events:
            node = process.sheet.by_id.get(thrown.ref or "")
            if thrown.kind == "escalation" and attribute(node, "escalationCode") is None:
                yield Finding(event, "The escalation that it throws has no code, by which it could be caught.")


@rule("error-code", "Choose an error with a code.", severity="warning")
def error_code(process: Process) -> Iterator[Finding]:
    """A thrown error has a code."""
    for event in process.of("endEvent"):
        if any(d.kind == "error" and d.name is None for d in event.events):
            yield Finding(event, "The error has no code: only an event that catches every error can catch it.")


@rule("error-uncaught", "Attach an error event to the subprocess.", severity="warning")
def error_uncaught(process: Process) -> Iterator[Finding]:
    """Somebody catches an error that a process throws."""
    for event in process.of("endEvent"):
        for thrown in event.events:
            if thrown.kind == "error" and not _caught(process, event, thrown.name):
                yield Finding(
                    event, f"Nothing in this process catches the error {thrown.name or ''}: it becomes an incident or ends in the caller."
                )


def _caught(process: Process, event: Element, code: str | None) -> bool:
    levels = [event.parent, *(e.parent for e in _around(process, event))]
    hosts = {e.id for e in _around(process, event)}
    for other in process.elements.values():
        catches = any(d.kind == "error" and d.name in (None, code) for d in other.events)
        on_border = other.type == "boundaryEvent" and other.attached_to in hosts
        parent = process.elements.get(other.parent or "")
        starts = other.type == "startEvent" and parent is not None and parent.triggered and parent.parent in levels
        if catches and (on_border or starts):
            return True
    return False
