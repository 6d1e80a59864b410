"""Rules about sequence flows: what they connect, their conditions and defaults."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.read import ACTIVITIES, NODES
from engine.models.rules.register import Finding, Process, Severity, Sheet, rule
from engine.models.xml import BPMN, Node, attribute, bare, children, flag, text_of

CHOREOGRAPHY = tuple(f"{{{BPMN}}}{name}" for name in ("choreography", "subChoreography", "globalChoreographyTask"))
DECIDING = {"exclusiveGateway", "inclusiveGateway", "complexGateway"}


def _flows(sheet: Sheet) -> Iterator[Node]:
    return (f for f in sheet.all("sequenceFlow") if next(f.iterancestors(*CHOREOGRAPHY), None) is None)


def _ends(flow: Node) -> tuple[tuple[str, str | None], ...]:
    return (("source", bare(attribute(flow, "sourceRef"))), ("target", bare(attribute(flow, "targetRef"))))


@rule("flow-ends", "Connect it to an event, activity or gateway.", over="document")
def flow_ends(sheet: Sheet) -> Iterator[Finding]:
    """A sequence flow connects two flow nodes of a process."""
    for flow in _flows(sheet):
        for side, key in _ends(flow):
            if key is None:
                yield Finding(flow, f"The flow has no {side}.")
            elif not sheet.kind(key):
                yield Finding(flow, f"The flow's {side} {key} does not exist.")
            elif sheet.kind(key) not in NODES:
                yield Finding(flow, f"The flow's {side} {key} is a {sheet.kind(key)}, not an event, activity or gateway.")


@rule("flow-crosses", "Use a message flow or an event instead.", over="document")
def flow_crosses(sheet: Sheet) -> Iterator[Finding]:
    """A sequence flow stays in its pool and in its subprocess."""
    for flow in _flows(sheet):
        (_, source), (_, target) = _ends(flow)
        start, end = sheet.parent(source), sheet.parent(target)
        if start is not None and end is not None and start is not end:
            yield Finding(flow, f"The flow from {source} to {target} crosses the border of a pool or subprocess.")


@rule(
    "flow-listed",
    "Redraw the flow, or correct the incoming and outgoing entries.",
    over="document",
    formal=True,
)
def flow_listed(sheet: Sheet) -> Iterator[Finding]:
    """Both ends of a sequence flow name it as incoming and outgoing."""
    listed = {side: {(n.getparent().get("id"), bare(text_of(n))) for n in sheet.all(side)} for side in ("outgoing", "incoming")}  # type: ignore[union-attr]
    if not (listed["outgoing"] or listed["incoming"]):
        return  # the file leaves the entries out altogether, as hand-written ones do
    for flow in _flows(sheet):
        for (side, key), entry in zip(_ends(flow), ("outgoing", "incoming"), strict=True):
            if key in sheet.by_id and (key, flow.get("id")) not in listed[entry]:
                yield Finding(flow, f"The flow's {side} {key} does not list it as {entry}.")
    ends = {flow.get("id"): dict(_ends(flow)) for flow in sheet.all("sequenceFlow")}
    for entry, side in (("outgoing", "source"), ("incoming", "target")):
        for key, flow_id in listed[entry]:
            if flow_id in ends and ends[flow_id][side] != key and key in sheet.by_id:
                yield Finding(sheet.by_id[key], f"It lists {flow_id} as {entry}, but is not the {side} of that flow.")


@rule("condition-place", "Put an exclusive gateway before it.")
def condition_place(process: Process) -> Iterator[Finding]:
    """Conditions stand on flows out of deciding gateways and activities."""
    for flow in process.flows.values():
        source = process.elements.get(flow.source)
        if flow.condition and source and source.type not in DECIDING and source.type not in ACTIVITIES:
            severity: Severity | None = "warning" if source.type == "parallelGateway" else None
            yield Finding(flow, f"The flow out of the {source.type} {source.id} has a condition, which is never looked at.", severity)


@rule("condition-single", "Remove the condition, or add the flow for the other case.")
def condition_single(process: Process) -> Iterator[Finding]:
    """An activity's only outgoing flow has no condition."""
    for flow in process.flows.values():
        source = process.elements.get(flow.source)
        if flow.condition and source and source.type in ACTIVITIES | DECIDING and len(source.outgoing) == 1:
            severity: Severity | None = None if source.type in ACTIVITIES else "warning"
            yield Finding(flow, f"The only flow out of {source.id} has a condition: when it is false, the process stops.", severity)


@rule(
    "flow-condition-missing",
    "Give each flow a condition and mark one as default.",
    running=True,
)
def flow_condition_missing(process: Process) -> Iterator[Finding]:
    """Each flow out of an exclusive gateway has a condition, or is the default."""
    for gateway in process.of("exclusiveGateway"):
        bare_flows = [f for f in gateway.outgoing if f != gateway.default and not process.flows[f].condition]
        if len(gateway.outgoing) > 1 and bare_flows:
            yield Finding(gateway, f"Nothing says when the flows {', '.join(bare_flows)} are taken.")


@rule(
    "default-missing",
    "Mark one flow as the default.",
    severity="warning",
)
def default_missing(process: Process) -> Iterator[Finding]:
    """A deciding gateway has a default flow for what nobody thought of."""
    for gateway in process.of("exclusiveGateway", "inclusiveGateway"):
        if len(gateway.outgoing) > 1 and not gateway.default and all(process.flows[f].condition for f in gateway.outgoing):
            yield Finding(gateway, "No flow is the default: when no condition is true, an incident stops the process here.")


@rule("default-flow", "Mark one of the element's own outgoing flows as default.")
def default_flow(process: Process) -> Iterator[Finding]:
    """A default flow leaves the element that names it."""
    for element in process.elements.values():
        if element.default and element.default not in element.outgoing:
            yield Finding(element, f"Its default flow {element.default} does not leave it.")
        elif element.default and element.type not in DECIDING and element.type not in ACTIVITIES:
            yield Finding(element, f"A {element.type} has no use for the default flow {element.default}.")
        elif element.default and process.flows[element.default].condition:
            yield Finding(process.flows[element.default], "The default flow has a condition, which is never looked at.", "warning")


@rule("flow-immediate", "Remove isImmediate.", over="document", formal=True)
def flow_immediate(sheet: Sheet) -> Iterator[Finding]:
    """Flows of an executable process are immediate."""
    for flow in _flows(sheet):
        if sheet.runs(flow) and not flag(flow, "isImmediate", True):
            yield Finding(flow, "The flow is not immediate, which only a drawing may be.")


@rule("flow-doubled", "Remove one of them.", severity="warning")
def flow_doubled(process: Process) -> Iterator[Finding]:
    """Two elements are connected by one flow."""
    seen = set()
    for flow in process.flows.values():
        if flow.condition is None and (flow.source, flow.target) in seen:
            yield Finding(flow, f"A second flow goes from {flow.source} to {flow.target}: what follows would run twice.")
        seen.add((flow.source, flow.target))


@rule("lane-shared", "Take it out of the others.", over="document", severity="warning")
def lane_shared(sheet: Sheet) -> Iterator[Finding]:
    """A flow node lies in one lane."""
    for lane_set in sheet.all("laneSet"):
        seen: dict[str | None, str | None] = {}
        for lane in children(lane_set, "lane"):
            name = lane.get("name") or lane.get("id")
            for ref in children(lane, "flowNodeRef"):
                key = bare(text_of(ref))
                if key in seen:
                    yield Finding(sheet.by_id.get(key or ""), f"{key} lies in the lanes {seen[key]} and {name}.")
                seen[key] = name
