"""Event definitions: what each event throws or waits for, with messages, signals, errors and escalations resolved."""

from __future__ import annotations

from collections.abc import Mapping

from engine.models.elements import EventDefinition
from engine.models.extensions import feel
from engine.models.vendors import Note, expression, value
from engine.models.xml import Node, attribute, bare, bpmn_children, child, children, extension, flag, name_of, text_of

SUFFIX = "EventDefinition"
TIMERS = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}
KINDS = {
    "messageEventDefinition": "message",
    "timerEventDefinition": "timer",
    "signalEventDefinition": "signal",
    "errorEventDefinition": "error",
    "escalationEventDefinition": "escalation",
    "compensateEventDefinition": "compensation",
    "conditionalEventDefinition": "conditional",
    "linkEventDefinition": "link",
    "terminateEventDefinition": "terminate",
    "cancelEventDefinition": "cancel",
}


def events(node: Node, roots: Mapping[str, Node], note: Note) -> tuple[EventDefinition, ...]:
    """The definitions of an event, in document order; references to shared definitions are followed."""
    nodes = []
    for part in bpmn_children(node):
        if name_of(part) in KINDS:
            nodes.append(part)
        elif name_of(part) == "eventDefinitionRef":
            shared = roots.get(bare(text_of(part)) or "")
            if shared is not None and name_of(shared) in KINDS:
                nodes.append(shared)
    return tuple(definition(n, roots, note) for n in nodes)


def definition(node: Node, roots: Mapping[str, Node], note: Note) -> EventDefinition:
    """One event definition."""
    kind = KINDS[name_of(node)]
    own = attribute(node, "id")
    if kind == "message":
        return message(attribute(node, "messageRef"), roots, note, own, shared=own in roots)
    if kind in ("signal", "error", "escalation"):
        return _named(kind, attribute(node, f"{kind}Ref"), roots, note, own)
    if kind == "timer":
        return _timer(node, note)
    if kind == "conditional":
        return EventDefinition("conditional", value=expression(text_of(child(node, "condition")), note), id=own)
    if kind == "link":
        return EventDefinition("link", name=_link(node, roots), id=own)
    if kind == "compensation":
        return EventDefinition(
            "compensation", activity=bare(attribute(node, "activityRef")), wait=flag(node, "waitForCompletion", True), id=own
        )
    return EventDefinition(kind, id=own)  # type: ignore[arg-type]


def message(ref: str | None, roots: Mapping[str, Node], note: Note, own: str | None = None, *, shared: bool = False) -> EventDefinition:
    """A message by its reference: its name and, for catching, the key that it is correlated by."""
    found = _resolve(ref, "message", roots)
    name = value(attribute(found, "name"), note) or attribute(found, "id")
    if found is None and ref is None and shared:
        name = own  # those that share a definition without a message mean the same one
        note("assumed-message", f"No message is named; it is taken to be {own!r}.", "Choose the message.")
    key = feel(attribute(extension(found, "subscription"), "correlationKey")) if found is not None else None
    return EventDefinition("message", ref=bare(ref), name=name, correlation=key, id=own)


def _named(kind: str, ref: str | None, roots: Mapping[str, Node], note: Note, own: str | None) -> EventDefinition:
    found = _resolve(ref, kind, roots)
    code = attribute(found, f"{kind}Code") if kind != "signal" else None
    name = value(code or attribute(found, "name"), note) or attribute(found, "id")
    return EventDefinition(kind, ref=bare(ref), name=name, id=own)  # type: ignore[arg-type]


def _resolve(ref: str | None, kind: str, roots: Mapping[str, Node]) -> Node | None:
    found = roots.get(bare(ref) or "")
    return found if found is not None and name_of(found) == kind else None


def _link(node: Node, roots: Mapping[str, Node]) -> str | None:
    """What a link is called: both ends alike. Where they refer to each other by id, the catching end's name or id counts."""
    ref = bare(text_of(child(node, "target")))
    target = roots.get(ref, node) if ref else node
    if target is node and children(node, "source"):
        return attribute(node, "id") or attribute(node, "name")
    return attribute(target, "id") if target is not node else attribute(node, "name")


def _timer(node: Node, note: Note) -> EventDefinition:
    for name, timer in TIMERS.items():
        if text := text_of(next(iter(children(node, name)), None)):
            return EventDefinition("timer", timer=timer, value=value(text, note), id=attribute(node, "id"))  # type: ignore[arg-type]
    return EventDefinition("timer", id=attribute(node, "id"))
