"""Reads a BPMN file into process models: hardened XML in, resolved and normalised plain data out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from engine.errors import Problem
from engine.models import extensions, vendors
from engine.models.elements import Element, EventDefinition, Flow, ProcessModel
from engine.models.events import events, message
from engine.models.normalise import normalise
from engine.models.xml import (
    BPMN,
    DIALECTS,
    VENDORS,
    Node,
    attribute,
    bare,
    bpmn_children,
    child,
    children,
    extension,
    flag,
    name_of,
    namespace_of,
    parse,
    refused,
    text_of,
)

EVENTS = {"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent", "implicitThrowEvent"}
TASKS = {"task", "userTask", "manualTask", "serviceTask", "sendTask", "receiveTask", "scriptTask", "businessRuleTask"}
SUBPROCESSES = {"subProcess", "transaction", "adHocSubProcess"}
ACTIVITIES = TASKS | SUBPROCESSES | {"callActivity"}
GATEWAYS = {"exclusiveGateway", "inclusiveGateway", "parallelGateway", "eventBasedGateway", "complexGateway"}
NODES = EVENTS | ACTIVITIES | GATEWAYS
GLOBAL_TASKS = {"globalTask": "task", "globalUserTask": "userTask", "globalManualTask": "manualTask",
                "globalScriptTask": "scriptTask", "globalBusinessRuleTask": "businessRuleTask"}  # fmt: skip

Lane = tuple[str | None, str | None]  # its name and the role that it stands for
Content = tuple[dict[str, Element], dict[str, Flow]]


@dataclass
class Document:
    """A BPMN file as read: its tree, its processes and what was assumed on the way."""

    file: str
    root: Node
    models: list[ProcessModel] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def dialect(self) -> bool:
        """Whether the file is written for an engine with a dialect of its own, and not in plain BPMN."""
        return bool(self.namespaces & DIALECTS)

    @cached_property
    def namespaces(self) -> set[str]:
        """Every namespace that the file declares."""
        return {uri for node in self.root.iter() for uri in node.nsmap.values()}


def read(xml: bytes, file: str = "") -> list[ProcessModel]:
    """The processes of a BPMN file, in document order; raises InvalidModel when it is not BPMN at all.

    What is wrong inside a process is the linter's to say: reading never fails on it.
    """
    return document(xml, file).models


def document(xml: bytes, file: str = "") -> Document:
    """The same as `read`, together with the tree and the assumptions that were made."""
    root = parse(xml, file)
    if namespace_of(root) != BPMN or name_of(root) != "definitions":
        what = f"{name_of(root)} in the namespace {namespace_of(root) or '(none)'}"
        raise refused(file, "not-bpmn", f"The file is not a BPMN 2.0 model: it begins with {what}.", f"Export it as BPMN 2.0 XML ({BPMN}).")
    result = Document(file, root)
    reader = _Reader(result)
    for node in bpmn_children(root):
        model = reader.process(node) if name_of(node) == "process" else reader.global_task(node)
        if model is not None and model.elements:
            result.models.append(normalise(model, result.problems, dialect=result.dialect, file=file))
    return result


class _Reader:
    """Reads the processes of one file; keeps what the file defines once for all of them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.roots = {n.get("id", ""): n for n in bpmn_children(document.root)}
        self.roots |= {n.get("id", ""): n for n in document.root.iter(f"{{{BPMN}}}linkEventDefinition")}
        self.associations = [(bare(a.get("sourceRef")), bare(a.get("targetRef"))) for a in document.root.iter(f"{{{BPMN}}}association")]

    def process(self, node: Node) -> ProcessModel:
        elements: dict[str, Element] = {}
        flows: dict[str, Flow] = {}
        lanes = dict(_lanes(node))
        self.contents(node, None, (None, None), lanes, (elements, flows))
        connected = {e.id: self.connected(e, flows) for e in elements.values()}
        vendor_tag = next((t for n in VENDORS if (t := attribute(node, "versionTag", n))), None)
        return ProcessModel(
            id=node.get("id", ""),
            name=attribute(node, "name"),
            elements=connected,
            flows=flows,
            version_tag=attribute(extension(node, "versionTag"), "value") or vendor_tag,
            executable=flag(node, "isExecutable", True),
            properties=vendors.properties(node) | extensions.properties(node),
            documentation=text_of(child(node, "documentation")),
        )

    def contents(self, node: Node, parent: str | None, lane: Lane, lanes: dict[str, Lane], into: Content) -> None:
        elements, flows = into
        lanes = {**lanes, **dict(_lanes(node))}
        for part in bpmn_children(node):
            kind = name_of(part)
            if kind == "sequenceFlow":
                flow = self.flow(part, parent)
                flows[flow.id] = flow
            elif kind in NODES:
                element_lane = lanes.get(part.get("id", ""), lane)
                element = self.element(part, parent, element_lane)
                elements[element.id] = element
                if kind in SUBPROCESSES:
                    self.contents(part, element.id, element_lane, lanes, into)

    def flow(self, node: Node, parent: str | None) -> Flow:
        note = self.notes(node)
        return Flow(
            id=node.get("id") or f"{node.get('sourceRef')}->{node.get('targetRef')}",
            source=bare(node.get("sourceRef")) or "",
            target=bare(node.get("targetRef")) or "",
            name=attribute(node, "name"),
            condition=vendors.expression(text_of(child(node, "conditionExpression")), note),
            parent=parent,
        )

    def element(self, node: Node, parent: str | None, lane: Lane) -> Element:
        note, kind = self.notes(node), name_of(node)
        found = vendors.fields(node, note) | {k: v for k, v in extensions.fields(node).items() if v}
        if kind == "scriptTask" and "script" not in found:
            found["script"] = extensions.feel(text_of(child(node, "script")))
            found["script_format"] = attribute(node, "scriptFormat")
        return Element(
            id=node.get("id") or f"{kind}_line_{node.sourceline}",
            type=kind,
            name=attribute(node, "name"),
            parent=parent,
            lane=lane[0],
            lane_role=lane[1],
            default=bare(attribute(node, "default")),
            events=self.events(node, kind),
            attached_to=bare(attribute(node, "attachedToRef")),
            interrupting=flag(node, "cancelActivity" if kind == "boundaryEvent" else "isInterrupting", True),
            parallel_multiple=flag(node, "parallelMultiple"),
            triggered=flag(node, "triggeredByEvent"),
            for_compensation=flag(node, "isForCompensation"),
            loop=vendors.loop(node, extensions.loop(node), note),
            properties=vendors.properties(node) | extensions.properties(node),
            documentation=text_of(child(node, "documentation")),
            instantiate=flag(node, "instantiate"),
            gateway_kind=attribute(node, "eventGatewayType") or ("Exclusive" if kind == "eventBasedGateway" else None),
            **found,
        )

    def events(self, node: Node, kind: str) -> tuple[EventDefinition, ...]:
        if kind in EVENTS:
            return events(node, self.roots, self.notes(node))
        if kind in ("receiveTask", "sendTask") and attribute(node, "messageRef"):
            return (message(attribute(node, "messageRef"), self.roots, self.notes(node)),)
        return ()

    def connected(self, element: Element, flows: dict[str, Flow]) -> Element:
        handler = None
        if element.type == "boundaryEvent" and any(e.kind == "compensation" for e in element.events):
            handler = next((target for source, target in self.associations if source == element.id), None)
        return replace(
            element,
            incoming=tuple(f.id for f in flows.values() if f.target == element.id),
            outgoing=tuple(f.id for f in flows.values() if f.source == element.id),
            compensation_handler=handler,
        )

    def global_task(self, node: Node) -> ProcessModel | None:
        """A global task runs as a process of one task, so that call activities find it."""
        kind = GLOBAL_TASKS.get(name_of(node))
        if kind is None:
            return None
        key = node.get("id", "")
        shadow = self.element(node, None, (None, None))
        script: dict[str, Any] = {}
        if kind == "scriptTask" and not shadow.script:
            script = {"script": extensions.feel(text_of(child(node, "script"))), "script_format": attribute(node, "scriptLanguage")}
        into, out = f"{key}_in", f"{key}_out"
        task = replace(shadow, id=f"{key}_task", type=kind, incoming=(into,), outgoing=(out,), **script)
        start, end = Element(f"{key}_start", "startEvent", outgoing=(into,)), Element(f"{key}_end", "endEvent", incoming=(out,))
        flows = {into: Flow(into, start.id, task.id), out: Flow(out, task.id, end.id)}
        return ProcessModel(key, attribute(node, "name"), {e.id: e for e in (start, task, end)}, flows)

    def notes(self, node: Node) -> vendors.Note:
        def note(rule: str, message: str, fix: str, severity: str = "warning") -> None:
            problem = Problem(rule, message, fix, node.get("id"), name_of(node), severity, self.document.file or None)  # type: ignore[arg-type]
            if problem not in self.document.problems:
                self.document.problems.append(problem)

        return note


def _lanes(node: Node) -> Iterator[tuple[str, Lane]]:
    """(element id, (lane name, role)) for every flow node that a lane holds; inner lanes come last and so win."""
    for lane_set in [*children(node, "laneSet"), *children(node, "childLaneSet")]:
        for lane in children(lane_set, "lane"):
            name = attribute(lane, "name")
            place = (name, role(extensions.properties(lane).get("carelane:role") or name))
            for ref in children(lane, "flowNodeRef"):
                yield bare(text_of(ref)) or "", place
            yield from _lanes(lane)


def role(name: str | None) -> str | None:
    """The candidate group that a lane's name stands for: 'Triage nurse' is `triage_nurse`."""
    return re.sub(r"[\s\-/]+", "_", name.strip().lower()) if name else None
