"""The words of models in the reader's language: element types, properties, kinds of change."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

KINDS: dict[str, Any] = {"added": _("added"), "removed": _("removed"), "changed": _("changed"), "moved": _("moved")}

THINGS: dict[str, tuple[Any, Any]] = {  # several, one
    "process": (_("Processes"), _("Process")),
    "decision": (_("Decisions"), _("Decision")),
    "form": (_("Forms"), _("Form")),
}

TYPES: dict[str, Any] = {
    "process": _("process"),
    "startEvent": _("start event"),
    "endEvent": _("end event"),
    "intermediateCatchEvent": _("catch event"),
    "intermediateThrowEvent": _("throw event"),
    "boundaryEvent": _("boundary event"),
    "userTask": _("user task"),
    "serviceTask": _("service task"),
    "sendTask": _("send task"),
    "receiveTask": _("receive task"),
    "scriptTask": _("script task"),
    "businessRuleTask": _("decision task"),
    "manualTask": _("manual task"),
    "task": _("task"),
    "callActivity": _("called process"),
    "subProcess": _("subprocess"),
    "exclusiveGateway": _("exclusive gateway"),
    "parallelGateway": _("parallel gateway"),
    "inclusiveGateway": _("inclusive gateway"),
    "eventBasedGateway": _("event gateway"),
    "sequenceFlow": _("flow"),
}

PROPERTIES: dict[str, Any] = {
    "id": _("id"),
    "name": _("name"),
    "versionTag": _("version tag"),
    "executable": _("executable"),
    "documentation": _("documentation"),
    "type": _("type"),
    "parent": _("subprocess"),
    "form": _("form"),
    "assignee": _("assignee"),
    "role": _("role"),
    "users": _("users"),
    "due": _("due"),
    "followUp": _("follow-up"),
    "priority": _("priority"),
    "connector": _("connector"),
    "retries": _("tries"),
    "script": _("script"),
    "resultVariable": _("result variable"),
    "decision": _("decision"),
    "decisionBinding": _("binding of the decision"),
    "defaultFlow": _("default flow"),
    "attachedTo": _("attached to"),
    "interrupting": _("interrupting"),
    "lane": _("lane"),
    "template": _("template"),
    "condition": _("condition"),
    "source": _("from"),
    "target": _("to"),
    "flow": _("flow"),
    "input": _("input"),
    "output": _("output"),
    "header": _("header"),
    "property": _("property"),
    "calls": _("calls"),
    "loop": _("loop"),
    "trigger": _("trigger"),
    "eventName": _("event name"),
    "correlationKey": _("correlation key"),
    "timer": _("timer"),
}


def kind_word(kind: str) -> str:
    """Added, removed, changed or moved."""
    return str(KINDS.get(kind, kind))


def type_word(type_: str | None) -> str:
    """An element's type."""
    return str(TYPES.get(type_ or "", type_ or ""))


def property_word(name: str) -> str:
    """A property; a mapping's part keeps its own name ("input amount")."""
    head, _space, part = name.partition(" ")
    word = str(PROPERTIES.get(head, head))
    return f"{word} {part}" if part else word
