"""Rules about pools, message flows and choreographies: drawings around the processes, which are checked but never run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.read import ACTIVITIES, EVENTS
from engine.models.rules.register import Finding, Sheet, rule
from engine.models.xml import BPMN, Node, attribute, bare, bpmn_children, children, flag, name_of, text_of

ENDS = ACTIVITIES | EVENTS | {"participant", "conversation", "callConversation", "subConversation", "choreographyTask", "callChoreography"}
CHOREOGRAPHY_ACTIVITIES = ("choreographyTask", "subChoreography", "callChoreography")


def _flows(sheet: Sheet) -> Iterator[tuple[Node, str | None, str | None]]:
    for flow in sheet.all("messageFlow"):
        yield flow, bare(attribute(flow, "sourceRef")), bare(attribute(flow, "targetRef"))


def _triggers(sheet: Sheet, event: Node) -> set[str]:
    """What kinds of event definitions an event has, its own and those that it shares."""
    refs = (sheet.kind(bare(text_of(c))) for c in children(event, "eventDefinitionRef"))
    return {k for k in (*(name_of(c) for c in bpmn_children(event)), *refs) if k.endswith("EventDefinition")}


def _pool(sheet: Sheet, key: str | None) -> str | None:
    """The process that a participant stands for or that an element lies in; a pool without a process is its own."""
    node = sheet.by_id.get(key or "")
    if node is None:
        return None
    if name_of(node) == "participant":
        return bare(attribute(node, "processRef")) or key
    process = next(node.iterancestors(f"{{{BPMN}}}process"), None)
    return None if process is None else process.get("id")


@rule("message-flow-ends", "Connect it to one of these.", over="document", formal=True)
def message_flow_ends(sheet: Sheet) -> Iterator[Finding]:
    """A message flow connects pools, activities or events."""
    for flow, source, target in _flows(sheet):
        for side, key in (("source", source), ("target", target)):
            kind = sheet.kind(key)
            prefixed = ":" in (attribute(flow, f"{side}Ref") or "")
            if key is None or (not kind and not prefixed):
                yield Finding(flow, f"The message flow's {side} {key or ''} does not exist.")
            elif kind and kind not in ENDS:
                yield Finding(flow, f"The message flow's {side} {key} is a {kind}, which sends and receives nothing.")


@rule("message-flow-pools", "Use a sequence flow inside a pool.", over="document", formal=True)
def message_flow_pools(sheet: Sheet) -> Iterator[Finding]:
    """A message flow connects two different pools."""
    for flow, source, target in _flows(sheet):
        here, there = _pool(sheet, source), _pool(sheet, target)
        if source == target or (here is not None and here == there):
            yield Finding(flow, "Both ends of the message flow are in the same pool.")


@rule("message-flow-direction", "Turn the message flow round.", over="document", formal=True)
def message_flow_direction(sheet: Sheet) -> Iterator[Finding]:
    """Messages leave throwing events and reach catching ones."""
    for flow, source, target in _flows(sheet):
        if sheet.kind(source) in ("startEvent", "intermediateCatchEvent", "boundaryEvent", "receiveTask"):
            yield Finding(flow, f"A {sheet.kind(source)} cannot send a message.")
        if sheet.kind(target) in ("endEvent", "intermediateThrowEvent", "sendTask"):
            yield Finding(flow, f"A {sheet.kind(target)} cannot receive a message.")


@rule("message-flow-trigger", "Give it a message.", over="document", formal=True)
def message_flow_trigger(sheet: Sheet) -> Iterator[Finding]:
    """An event on a message flow is a message event."""
    for flow, source, target in _flows(sheet):
        for key in (source, target):
            node = sheet.by_id.get(key or "")
            if node is not None and name_of(node) in EVENTS and "messageEventDefinition" not in _triggers(sheet, node):
                yield Finding(flow, f"The message flow is connected to {key}, which is not a message event.")


@rule("participant-multiplicity", "Set minimum ≥ 0 and maximum ≥ 1 and ≥ minimum.", over="document", formal=True)
def participant_multiplicity(sheet: Sheet) -> Iterator[Finding]:
    """A pool's multiplicity is a range."""
    for node in sheet.all("participantMultiplicity"):
        low, high = _number(node, "minimum", 0), _number(node, "maximum", 1)
        given = attribute(node, "maximum") is not None or low > 1
        if low < 0 or (given and (high < 1 or high < low)):
            yield Finding(node.getparent(), f"The multiplicity from {low} to {high} is not a range.")


def _number(node: Node, name: str, default: int) -> int:
    text = attribute(node, name) or ""
    return int(text) if text.lstrip("-").isdigit() else default


@rule("choreography-in-process", "Move it to a choreography, or use tasks.", over="document")
def choreography_in_process(sheet: Sheet) -> Iterator[Finding]:
    """A process contains no choreography."""
    for node in sheet.all(*CHOREOGRAPHY_ACTIVITIES):
        if next(node.iterancestors(f"{{{BPMN}}}process"), None) is not None:
            yield Finding(node, f"A {name_of(node)} lies inside a process.")


@rule("choreography-reference", "Remove the reference.", over="document")
def choreography_reference(sheet: Sheet) -> Iterator[Finding]:
    """Only a collaboration refers to a choreography."""
    for ref in sheet.all("choreographyRef"):
        owner = ref.getparent()
        if owner is None or name_of(owner) != "collaboration":
            yield Finding(owner, "It refers to a choreography, which only a collaboration may do.")
            continue
        choreography = sheet.by_id.get(bare(text_of(ref)) or "")
        if choreography is not None and flag(owner, "isClosed") != flag(choreography, "isClosed"):
            yield Finding(owner, "The collaboration and its choreography differ in being closed.")


@rule("conversation-global", "Draw a collaboration instead.", over="document")
def conversation_global(sheet: Sheet) -> Iterator[Finding]:
    """A global conversation contains nothing."""
    allowed = {"documentation", "extensionElements", "participant", "messageFlow", "correlationKey", "choreographyRef"}
    for node in sheet.all("globalConversation"):
        for part in bpmn_children(node):
            if name_of(part) not in allowed:
                yield Finding(node, f"The global conversation contains a {name_of(part)}.")


@rule("process-public", "Make it private, or not executable.", over="document", formal=True)
def process_public(sheet: Sheet) -> Iterator[Finding]:
    """A public process is a drawing."""
    for node in sheet.all("process"):
        if attribute(node, "processType") == "Public" and flag(node, "isExecutable"):
            yield Finding(node, "The process is public, which shows only its outside, and yet executable.")
