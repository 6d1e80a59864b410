"""Reading DMN 1.1 to 1.5 files: hardened against hostile XML, and with one report of all that is wrong with the file."""

from __future__ import annotations

import hashlib
from typing import Any

from lxml import etree

from engine.execution.dmn.elements import DecisionModel, Import, Node, Requirement
from engine.execution.dmn.expressions import Element, boxed_in, child, children, function, local, name_of, text_of, type_of
from engine.models.xml import parse, refused

MAX_DEPTH = 100
NAMESPACES = {
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
    "https://www.omg.org/spec/DMN/20240513/MODEL/",
}
KINDS = {
    "inputData": "input",
    "decision": "decision",
    "businessKnowledgeModel": "knowledge",
    "decisionService": "service",
}


def read(xml: bytes, file: str = "") -> DecisionModel:
    """The decision model of a DMN file. Raises InvalidModel when it is no well-formed, harmless DMN."""
    root = _parse(xml, file)
    namespace = root.get("namespace", "")
    imports = tuple(
        Import(name_of(one), one.get("namespace", ""))
        for one in children(root, "import")
        if one.get("importType", "") in NAMESPACES or "DMN" in one.get("importType", "")
    )
    return DecisionModel(
        namespace=namespace,
        name=name_of(root),
        key=hashlib.sha256(xml).hexdigest(),
        imports=imports,
        types={name_of(one): _type(one) for one in children(root, "itemDefinition")},
        camunda=any("camunda.org" in uri for uri in root.nsmap.values()) or "Camunda" in root.get("exporter", ""),
        nodes=tuple(_node(one, namespace) for one in _graph_elements(root)),
    )


def _parse(xml: bytes, file: str) -> Element:
    root = parse(xml, file)
    if _depth(root) > MAX_DEPTH:
        raise refused(file, "dmn-depth", f"Elements are nested deeper than {MAX_DEPTH}.", "Split deep expressions into decisions.")
    if local(root) != "definitions" or etree.QName(root).namespace not in NAMESPACES:
        raise refused(file, "dmn-root", f"{root.tag} is not the root of a DMN 1.1 to 1.5 file.", "Give a DMN file.")
    return root


def _depth(root: Element) -> int:
    deepest = 0
    level = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        level += 1 if event == "start" else -1
        deepest = max(deepest, level)
    return deepest


def _graph_elements(root: Element) -> list[Element]:
    """The graph's elements: also those that DMN 1.1 tools put below others."""
    return [one for one in root if local(one) in KINDS]


def _node(element: Element, namespace: str) -> Node:
    variable = child(element, "variable")
    kind: Any = KINDS[local(element)]
    logic = child(element, "encapsulatedLogic")
    expression = function(logic) | {"id": logic.get("id"), "type": type_of(logic)} if logic is not None else boxed_in(element)
    name = name_of(variable) or name_of(element)
    return Node(
        kind=kind,
        id=element.get("id") or name,
        name=name,
        type=type_of(variable),
        description=text_of(child(element, "description")),
        expression=expression,
        requires=_requirements(element, namespace),
        outputs=_references(element, namespace, "outputDecision"),
        inputs=_references(element, namespace, "inputData") + _references(element, namespace, "inputDecision"),
    )


def _requirements(element: Element, namespace: str) -> tuple[Requirement, ...]:
    found: list[Requirement] = []
    for requirement in children(element, "informationRequirement", "knowledgeRequirement"):
        found += _references(requirement, namespace, "requiredInput", "requiredDecision", "requiredKnowledge")
    return tuple(found)


def _references(element: Element, namespace: str, *names: str) -> tuple[Requirement, ...]:
    found = []
    for one in children(element, *names):
        target, _, identifier = one.get("href", "").rpartition("#")
        found.append(Requirement(target or namespace, identifier))
    return tuple(found)


def _type(element: Element) -> dict[str, Any]:
    result = child(element, "functionItem")
    return {
        "name": name_of(element),
        "base": type_of(element),
        "collection": element.get("isCollection") == "true",
        "allowed": text_of(child(element, "allowedValues")) or None,
        "constraint": text_of(child(element, "typeConstraint")) or None,
        "components": [_type(one) for one in children(element, "itemComponent")],
        "function": None if result is None else {"type": result.get("outputTypeRef")},
    }
