"""Rules about gateways."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.read import GATEWAYS
from engine.models.rules.register import Finding, Process, Sheet, rule
from engine.models.xml import attribute

AFTER_EVENT_GATEWAY = {"message", "signal", "timer", "conditional"}


@rule("gateway-direction", "Correct or remove gatewayDirection.", over="document", formal=True)
def gateway_direction(sheet: Sheet) -> Iterator[Finding]:
    """A gateway's direction agrees with its flows."""
    for process in sheet.processes():
        for gateway in process.of(*GATEWAYS):
            said = attribute(sheet.by_id[gateway.id], "gatewayDirection") if gateway.id in sheet.by_id else None
            ins, outs = len(gateway.incoming), len(gateway.outgoing)
            if said == "Converging" and outs > 1:
                yield Finding(sheet.by_id[gateway.id], f"A converging gateway has {outs} outgoing flows.")
            elif said == "Diverging" and ins > 1:
                yield Finding(sheet.by_id[gateway.id], f"A diverging gateway has {ins} incoming flows.")
            elif said == "Mixed" and (ins < 2 or outs < 2):
                yield Finding(sheet.by_id[gateway.id], f"A mixed gateway has {ins} incoming and {outs} outgoing flows.")


@rule("gateway-useless", "Remove the gateway, or connect what is missing.", formal=True)
def gateway_useless(process: Process) -> Iterator[Finding]:
    """A gateway splits or joins."""
    for gateway in process.of(*GATEWAYS):
        if len(gateway.incoming) < 2 and len(gateway.outgoing) < 2:
            ins, outs = len(gateway.incoming), len(gateway.outgoing)
            yield Finding(gateway, f"The gateway has {ins} incoming and {outs} outgoing flows: it neither splits nor joins.")


@rule("gateway-mixed", "Draw one gateway that joins and one that splits.", severity="warning")
def gateway_mixed(process: Process) -> Iterator[Finding]:
    """A gateway either splits or joins."""
    for gateway in process.of(*GATEWAYS):
        if len(gateway.incoming) > 1 and len(gateway.outgoing) > 1:
            yield Finding(gateway, "The gateway joins and splits at once, which readers misunderstand.")


@rule("event-gateway-flows", "Add the other events, or remove the gateway.")
def event_gateway_flows(process: Process) -> Iterator[Finding]:
    """An event gateway leads to two events or more."""
    for gateway in process.of("eventBasedGateway"):
        if len(gateway.outgoing) < 2:
            yield Finding(gateway, f"The event gateway leads to {len(gateway.outgoing)} event.")
        if gateway.instantiate and gateway.incoming:
            yield Finding(gateway, "The event gateway starts the process and yet a flow leads into it.")


@rule("event-gateway-targets", "Put a message, timer, signal or condition event there.")
def event_gateway_targets(process: Process) -> Iterator[Finding]:
    """Behind an event gateway something is waited for."""
    for gateway in process.of("eventBasedGateway"):
        targets = [process.elements[t] for t in (process.flows[f].target for f in gateway.outgoing) if t in process.elements]
        for target in targets:
            kinds = {e.kind for e in target.events}
            waits = target.type == "intermediateCatchEvent" and kinds and kinds <= AFTER_EVENT_GATEWAY
            if not waits and target.type != "receiveTask":
                yield Finding(target, f"It comes after the event gateway {gateway.id}, but does not wait for an event.")
            if len(target.incoming) > 1:
                yield Finding(target, f"Another flow leads to it besides that of the event gateway {gateway.id}.")
        receives = [t for t in targets if t.type == "receiveTask"]
        if receives and any(e.kind == "message" for t in targets if t.type == "intermediateCatchEvent" for e in t.events):
            yield Finding(gateway, "Both receive tasks and message events follow the event gateway.")
        for event in process.of("boundaryEvent"):
            if event.attached_to in {t.id for t in receives}:
                yield Finding(event, "It is attached to a receive task behind an event gateway, which is not allowed.")


@rule(
    "gateway-guesses",
    "Join with a parallel gateway.",
    severity="warning",
)
def gateway_guesses(process: Process) -> Iterator[Finding]:
    """An exclusive gateway does not only merge what a parallel one split."""
    for gateway in process.of("exclusiveGateway"):
        sources = {process.flows[f].source for f in gateway.incoming}
        splits = {s for s in sources if s in process.elements and process.elements[s].type == "parallelGateway"}
        if len(gateway.incoming) > 1 and len(splits) == 1 and sources == splits:
            yield Finding(gateway, "All its flows come from one parallel gateway: what follows runs once for each.")
