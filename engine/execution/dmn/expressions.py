"""Reading boxed expressions out of DMN XML, of any version from 1.1 to 1.5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

from engine.execution.dmn.elements import Boxed

Element = etree._Element

POLICIES = {"UNIQUE", "FIRST", "PRIORITY", "ANY", "COLLECT", "RULE ORDER", "OUTPUT ORDER"}
AGGREGATIONS = {"SUM", "MIN", "MAX", "COUNT"}


def local(element: Element) -> str:
    """The element's name without its namespace."""
    return etree.QName(element).localname


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """The child elements of these local names."""
    for child in element if element is not None else ():
        if local(child) in names:
            yield child


def child(element: Element | None, name: str) -> Element | None:
    """The first child element of a local name."""
    return next(children(element, name), None)


def text_of(element: Element | None) -> str:
    """The text of an element's `text` child, or its own."""
    if element is None:
        return ""
    inner = child(element, "text")
    return "".join(str(part) for part in (inner if inner is not None else element).itertext()).strip()


def name_of(element: Element | None) -> str:
    """An element's name, with runs of spaces made one as FEEL reads names."""
    return " ".join(element.get("name", "").split()) if element is not None else ""


def type_of(element: Element | None) -> str | None:
    """An element's typeRef: an attribute, a QName with a prefix in DMN 1.1, or a child element in item definitions."""
    if element is None:
        return None
    reference = element.get("typeRef") or text_of(child(element, "typeRef"))
    if not reference:
        return None
    prefix, colon, name = reference.partition(":")
    if colon and (prefix in ("feel", "xsd") or prefix in element.nsmap):
        return name
    return reference


def boxed_in(element: Element | None) -> Boxed | None:
    """The first boxed expression among an element's children."""
    for item in element if element is not None else ():
        if local(item) in READERS:
            return boxed(item)
    return None


def boxed(element: Element) -> Boxed:
    """A boxed expression."""
    kind = local(element)
    read = READERS[kind](element)
    return {"id": element.get("id"), "type": type_of(element), **read}


def _literal(element: Element) -> Boxed:
    return {"kind": "literal", "text": text_of(element), "language": element.get("expressionLanguage")}


def _context(element: Element) -> Boxed:
    entries = []
    for entry in children(element, "contextEntry"):
        variable = child(entry, "variable")
        entries.append({"name": name_of(variable) if variable is not None else None, "type": type_of(variable), "expression": boxed_in(entry)})
    return {"kind": "context", "entries": entries}


def _list(element: Element) -> Boxed:
    return {"kind": "list", "items": [boxed(item) for item in element if local(item) in READERS]}


def _relation(element: Element) -> Boxed:
    columns = [{"name": name_of(column), "type": type_of(column)} for column in children(element, "column")]
    rows = [[boxed(item) for item in row if local(item) in READERS] for row in children(element, "row")]
    return {"kind": "relation", "columns": columns, "rows": rows}


def _invocation(element: Element) -> Boxed:
    bindings = [{"name": name_of(child(binding, "parameter")), "expression": boxed_in(binding)} for binding in children(element, "binding")]
    return {"kind": "invocation", "called": boxed_in(element), "bindings": bindings}


def function(element: Element) -> Boxed:
    """A boxed function, also the encapsulated logic of a business knowledge model."""
    parameters = [{"name": name_of(one), "type": type_of(one)} for one in children(element, "formalParameter")]
    return {"kind": "function", "parameters": parameters, "language": element.get("kind", "FEEL"), "body": boxed_in(element)}


def _conditional(element: Element) -> Boxed:
    return {"kind": "conditional", **{part: boxed_in(child(element, part)) for part in ("if", "then", "else")}}


def _filter(element: Element) -> Boxed:
    return {"kind": "filter", "in": boxed_in(child(element, "in")), "match": boxed_in(child(element, "match"))}


def _iterator(kind: str, result: str) -> Callable[[Element], Boxed]:
    def read(element: Element) -> Boxed:
        return {
            "kind": kind,
            "variable": element.get("iteratorVariable", ""),
            "in": boxed_in(child(element, "in")),
            result: boxed_in(child(element, result)),
        }

    return read


def _table(element: Element) -> Boxed:
    return {
        "kind": "table",
        "policy": element.get("hitPolicy", "UNIQUE"),
        "aggregation": element.get("aggregation"),
        "inputs": [_input(one) for one in children(element, "input")],
        "outputs": [_output(one, element) for one in children(element, "output")],
        "rules": [_rule(one, number) for number, one in enumerate(children(element, "rule"), start=1)],
    }


def _input(element: Element) -> dict[str, Any]:
    expression = child(element, "inputExpression")
    return {
        "id": element.get("id"),
        "label": element.get("label"),
        "text": text_of(expression),
        "language": expression.get("expressionLanguage") if expression is not None else None,
        "type": type_of(expression),
        "allowed": text_of(child(element, "inputValues")) or None,
    }


def _output(element: Element, table: Element) -> dict[str, Any]:
    alone = len(list(children(table, "output"))) == 1
    return {
        "id": element.get("id"),
        "name": name_of(element),
        "type": type_of(element) or (type_of(table) if alone else None),
        "allowed": text_of(child(element, "outputValues")) or None,
        "default": text_of(child(element, "defaultOutputEntry")) or None,
    }


def _rule(element: Element, number: int) -> dict[str, Any]:
    cells, outputs = list(children(element, "inputEntry")), list(children(element, "outputEntry"))
    return {
        "id": element.get("id"),
        "number": number,
        "description": text_of(child(element, "description")),
        "cells": [text_of(cell) for cell in cells],
        "outputs": [text_of(cell) for cell in outputs],
        "languages": sorted({language for cell in cells + outputs if (language := cell.get("expressionLanguage"))}),
    }


READERS: dict[str, Callable[[Element], Boxed]] = {
    "literalExpression": _literal,
    "context": _context,
    "list": _list,
    "relation": _relation,
    "invocation": _invocation,
    "functionDefinition": function,
    "conditional": _conditional,
    "filter": _filter,
    "for": _iterator("for", "return"),
    "some": _iterator("some", "satisfies"),
    "every": _iterator("every", "satisfies"),
    "decisionTable": _table,
}
