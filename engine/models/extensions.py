"""Camunda 8's extension elements, the dialect of our models: read into the fields of `Element`."""

from __future__ import annotations

from typing import Any

from engine.models.elements import Binding, CalledElement, Loop, VariableMapping
from engine.models.xml import ZEEBE, Node, attribute, child, children, extension, extensions, flag, text_of

Fields = dict[str, Any]


def feel(text: str | None) -> str | None:
    """A FEEL-only value without its leading '='."""
    return None if text is None else text.removeprefix("=").strip() or None


def fields(node: Node) -> Fields:
    """Everything that Camunda 8's extensions say about a flow node, as keyword arguments of `Element`."""
    found: Fields = {}
    _user_task(node, found)
    _work(node, found)
    _mappings(node, found)
    called = extension(node, "calledElement")
    if called is not None:
        found["called"] = called_element(called)
    template = attribute(node, "modelerTemplate", ZEEBE)
    if template:
        found["template"] = template
    return found


def _user_task(node: Node, found: Fields) -> None:
    form = extension(node, "formDefinition")
    if form is not None:
        found["form_id"] = attribute(form, "formId") or attribute(form, "externalReference") or _form_key(attribute(form, "formKey"))
        found["form_binding"] = _binding(form)
        found["form_version_tag"] = attribute(form, "versionTag")
    assignment = extension(node, "assignmentDefinition")
    if assignment is not None:
        found["assignee"] = attribute(assignment, "assignee")
        found["candidate_groups"] = attribute(assignment, "candidateGroups")
        found["candidate_users"] = attribute(assignment, "candidateUsers")
    schedule = extension(node, "taskSchedule")
    if schedule is not None:
        found["due"] = attribute(schedule, "dueDate")
        found["follow_up"] = attribute(schedule, "followUpDate")
    priority = extension(node, "priorityDefinition")
    if priority is not None:
        found["priority"] = attribute(priority, "priority")


def _form_key(key: str | None) -> str | None:
    """`camunda-forms:bpmn:vitals` and `camunda-forms:deployment:vitals.form` both mean the form `vitals`."""
    if key is None or key.startswith("="):
        return key
    return key.rsplit(":", 1)[-1].rsplit("/", 1)[-1].removesuffix(".form") or None


def _work(node: Node, found: Fields) -> None:
    task = extension(node, "taskDefinition")
    if task is not None:
        found["job_type"] = attribute(task, "type")
        found["retries"] = attribute(task, "retries")
    script = extension(node, "script")
    if script is not None:
        found["script"] = feel(attribute(script, "expression"))
        found["result_variable"] = attribute(script, "resultVariable")
    decision = extension(node, "calledDecision")
    if decision is not None:
        found["decision_id"] = attribute(decision, "decisionId")
        found["result_variable"] = attribute(decision, "resultVariable")
        found["decision_binding"] = _binding(decision)
        found["decision_version_tag"] = attribute(decision, "versionTag")
    headers = extension(node, "taskHeaders")
    if headers is not None:
        found["headers"] = {h.get("key", ""): h.get("value", "") for h in children(headers, "header", ZEEBE)}


def _mappings(node: Node, found: Fields) -> None:
    mapping = extension(node, "ioMapping")
    for kind, target in (("input", "inputs"), ("output", "outputs")):
        found[target] = tuple(VariableMapping(m.get("source", ""), m.get("target", "")) for m in children(mapping, kind, ZEEBE))


def properties(node: Node) -> dict[str, str]:
    """`zeebe:properties` as a dictionary."""
    return {p.get("name", ""): p.get("value", "") for box in extensions(node, "properties") for p in children(box, "property", ZEEBE)}


def called_element(node: Node) -> CalledElement:
    """`zeebe:calledElement`; variables pass both ways unless it says otherwise, as the desktop modeller assumes."""
    return CalledElement(
        process_id=attribute(node, "processId") or "",
        binding=_binding(node),
        version_tag=attribute(node, "versionTag"),
        all_in=flag(node, "propagateAllParentVariables", True),
        all_out=flag(node, "propagateAllChildVariables", True),
    )


def _binding(node: Node) -> Binding:
    """The version that a reference means; the newest when it does not say."""
    said = attribute(node, "bindingType")
    return said if said in ("deployment", "versionTag") else "latest"  # type: ignore[return-value]


def loop(node: Node) -> Loop | None:
    """The multi-instance or standard loop of an activity, in BPMN's own words and in Camunda 8's."""
    standard = child(node, "standardLoopCharacteristics")
    if standard is not None:
        maximum = attribute(standard, "loopMaximum")
        return Loop(
            kind="standard",
            parallel=False,
            condition=feel(text_of(child(standard, "loopCondition"))),
            test_before=flag(standard, "testBefore"),
            maximum=int(maximum) if maximum and maximum.lstrip("-").isdigit() else None,
        )
    multi = child(node, "multiInstanceLoopCharacteristics")
    if multi is None:
        return None
    ours = extension(multi, "loopCharacteristics")
    output = attribute(ours, "outputElement")
    return Loop(
        kind="multi",
        parallel=not flag(multi, "isSequential"),
        collection=feel(attribute(ours, "inputCollection")),
        element=attribute(ours, "inputElement"),
        output_collection=attribute(ours, "outputCollection"),
        output_element=feel(output),
        completion=feel(text_of(child(multi, "completionCondition"))),
        cardinality=feel(text_of(child(multi, "loopCardinality"))),
    )
