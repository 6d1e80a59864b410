"""Older dialects (Camunda 7, Flowable, Activiti): what means the same is taken over, each time with a warning.

What cannot be honoured (Java classes, listeners, scripts in other languages) is reported as an error that names the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.models.elements import CalledElement, Loop, VariableMapping
from engine.models.juel import NotSimple, is_foreign, to_feel
from engine.models.xml import BPMN, VENDORS, Node, attribute, bare, child, children, extensions, name_of, text_of

Fields = dict[str, Any]
Note = Callable[..., None]  # note(rule, message, fix, severity="warning")

ATTRIBUTES = {"assignee": "assignee", "candidateGroups": "candidate_groups", "candidateUsers": "candidate_users", "dueDate": "due",
              "followUpDate": "follow_up", "priority": "priority", "resultVariable": "result_variable"}  # fmt: skip
JAVA = ("class", "delegateExpression", "expression", "resource")
LISTENERS = ("executionListener", "taskListener")


def value(text: str | None, note: Note) -> str | None:
    """A literal-or-FEEL value: `${…}` becomes `=…`, anything else stays."""
    if text is None or text.startswith("=") or ("${" not in text and "#{" not in text):
        return text
    feel = expression(text, note)
    return None if feel is None else f"={feel}"


def expression(text: str | None, note: Note) -> str | None:
    """A FEEL expression without '='; JUEL and Java-like ones are translated or reported."""
    if text is None or text.startswith("=") or not is_foreign(text):
        return None if text is None else text.removeprefix("=").strip() or None
    try:
        feel = to_feel(text)
    except NotSimple as error:
        note("foreign-expression", f"The expression {text!r} is not FEEL and could not be translated: {error}.", "Write it in FEEL.", "error")
        return text
    note("translated-expression", f"The expression {text!r} was read as the FEEL expression {feel!r}.", "Write it in FEEL if that is right.")
    return feel


def fields(node: Node, note: Note) -> Fields:
    """What older dialects say about a flow node, as keyword arguments of `Element`."""
    found: Fields = {}
    for namespace in VENDORS:
        for name, target in ATTRIBUTES.items():
            if text := attribute(node, name, namespace):
                found[target] = value(text, note)
        form = attribute(node, "formRef", namespace) or attribute(node, "formKey", namespace)
        if form and name_of(node) in ("userTask", "startEvent"):
            found["form_id"] = value(form.rsplit("/", 1)[-1].rsplit(":", 1)[-1].removesuffix(".form"), note)
        _work(node, namespace, found, note)
        _mappings(node, namespace, found, note)
        _refusals(node, namespace, note)
    if name_of(node) == "callActivity" and (called := attribute(node, "calledElement")):
        found["called"] = _called(node, called, note)
    return found


def _work(node: Node, namespace: str, found: Fields, note: Note) -> None:
    topic = attribute(node, "topic", namespace)
    if topic:
        found["job_type"] = value(topic, note)
        note("external-task", f"The external task's topic {topic!r} is used as the connector's type.", "Set the job type of Camunda 8.")
    if decision := attribute(node, "decisionRef", namespace):
        found["decision_id"] = value(decision, note)
        note("vendor-decision", f"The decision {decision!r} is taken from an older dialect's attribute.", "Set the called decision.")


def _called(node: Node, called: str, note: Note) -> CalledElement:
    """A call in the older words; without any in/out mapping nothing passes there, so nothing passes here."""
    ins, outs = ([m for n in VENDORS for m in extensions(node, name, n)] for name in ("in", "out"))
    binding = next((b for n in VENDORS if (b := attribute(node, "calledElementBinding", n))), None)
    tag = next((t for n in VENDORS if (t := attribute(node, "calledElementVersionTag", n))), None)
    vendor = bool(ins or outs or binding)
    return CalledElement(
        process_id=value(called if "{" in called else bare(called), note) or "",
        binding={"deployment": "deployment", "versionTag": "versionTag"}.get(binding or "", "latest"),  # type: ignore[arg-type]
        version_tag=tag,
        all_in=not vendor or any(attribute(m, "variables") == "all" for m in ins),
        all_out=not vendor or any(attribute(m, "variables") == "all" for m in outs),
    )


def _mappings(node: Node, namespace: str, found: Fields, note: Note) -> None:
    for box in extensions(node, "inputOutput", namespace):
        for kind, target in (("inputParameter", "inputs"), ("outputParameter", "outputs")):
            found[target] = found.get(target, ()) + tuple(_parameter(p, note) for p in children(box, kind, namespace))
    for kind, target in (("in", "inputs"), ("out", "outputs")):
        for mapping in extensions(node, kind, namespace):
            source = attribute(mapping, "source") or expression(attribute(mapping, "sourceExpression"), note)
            if source and (name := attribute(mapping, "target")):
                found[target] = (*found.get(target, ()), VariableMapping(f"={source}", name))


def _parameter(parameter: Node, note: Note) -> VariableMapping:
    name = attribute(parameter, "name") or ""
    if any(name_of(c) in ("script", "map", "list") for c in parameter):
        note("vendor-parameter", f"The parameter {name!r} is a script, map or list of an older dialect.", "Map it with FEEL.", "error")
    text = value(text_of(parameter), note) or ""
    return VariableMapping(text, name)


def _refusals(node: Node, namespace: str, note: Note) -> None:
    for name in JAVA:
        if text := attribute(node, name, namespace):
            note("java", f"It runs Java ({name} {text!r}), which is not here.", "Set a connector as the task's type.", "error")
    for name in LISTENERS:
        for _ in extensions(node, name, namespace):
            note("listener", "It has a listener, which would never run.", "Model the listener's work as a task.", "error")
    if extensions(node, "connector", namespace) or (name_of(node) == "serviceTask" and attribute(node, "type", namespace) in ("mail", "http")):
        note("vendor-connector", "It uses a connector of another product.", "Set one of our connectors as the task's type.", "error")
    if extensions(node, "formData", namespace) or extensions(node, "formProperty", namespace):
        note("vendor-form", "Form fields inside the diagram are not used.", "Draw a form and name it in the task.")


def properties(node: Node) -> dict[str, str]:
    """`camunda:properties` and the like as a dictionary."""
    return {
        p.get("name") or p.get("id") or "": p.get("value", "")
        for namespace in VENDORS
        for box in extensions(node, "properties", namespace)
        for p in children(box, "property", namespace)
    }


def _counting(completion: str | None) -> str | None:
    """A completion condition with Camunda 8's names for the counts, where older dialects have others."""
    return completion and re.sub(r"\bnrOf((?:Active|Completed)?Instances)\b", r"numberOf\1", completion)


def loop(node: Node, ours: Loop | None, note: Note) -> Loop | None:
    """Completes a loop from vendors' attributes and from BPMN's own data references."""
    multi = child(node, "multiInstanceLoopCharacteristics")
    if ours is None:
        return None
    ours = replace(
        ours,
        completion=_counting(expression(ours.completion, note)),
        condition=expression(ours.condition, note),
        cardinality=expression(ours.cardinality, note),
    )
    if multi is None or ours.collection:
        return ours
    for namespace in VENDORS:
        collection = attribute(multi, "collection", namespace) or text_of(next(iter(extensions(multi, "collection", namespace)), None))
        if collection:
            note("vendor-loop", "The multi-instance's collection is taken from an older dialect's attribute.", "Set the input collection.")
            return replace(ours, collection=expression(collection, note), element=attribute(multi, "elementVariable", namespace))
    reference = bare(text_of(child(multi, "loopDataInputRef")))
    if reference and not ours.cardinality:
        data = next(iter(node.getroottree().getroot().iterfind(f".//{{{BPMN}}}*[@id='{reference}']")), None) if "'" not in reference else None
        name = attribute(data, "name") or reference
        item = child(multi, "inputDataItem")
        note("loop-data", f"The multi-instance runs over the variable {name!r}, after its data input.", "Set the input collection.")
        return replace(ours, collection=name, element=attribute(item, "name") or attribute(item, "id"))
    return ours
