"""Hardened XML: what arrives from outside is small, has no DOCTYPE, expands no entities and fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from engine.errors import InvalidModel, Problem

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE = "http://camunda.org/schema/zeebe/1.0"
CAMUNDA = "http://camunda.org/schema/1.0/bpmn"
VENDORS = (CAMUNDA, "http://flowable.org/bpmn", "http://activiti.org/bpmn")
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
DIALECTS = {ZEEBE, *VENDORS, SPIFF, "http://www.jboss.org/drools"}  # of engines that read BPMN in words of their own
XSI = "http://www.w3.org/2001/XMLSchema-instance"

MAX_BYTES = 2 * 1024 * 1024

Node = etree._Element


def parse(xml: bytes, file: str = "") -> Node:
    """The root of an XML file from outside; raises InvalidModel when it is too big, has a DOCTYPE or is not XML."""
    if len(xml) > MAX_BYTES:
        raise refused(file, "xml-size", "The file is larger than 2 MB.", "Split the model into several files.")
    if any("<!DOCTYPE".encode(code) in xml for code in ("ascii", "utf-16-le", "utf-16-be")):
        raise refused(file, "xml-doctype", "The file has a DOCTYPE, which could smuggle in other files.", "Remove the DOCTYPE.")
    if not xml.strip():
        raise refused(file, "xml", "The file is empty.", "Export it again from the modeller.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        wrong_bytes = "encod" in str(error).lower() or "bytes" in str(error).lower()
        fix = "Save it in the encoding that its first line names, best UTF-8." if wrong_bytes else "Export it again from the modeller."
        what = str(error).removesuffix(f" (<string>, line {getattr(error, 'lineno', 0)})")
        raise refused(file, "xml", f"The file is not well-formed XML: {what}.", fix) from error
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise refused(file, "xml-doctype", "The file has a DOCTYPE, which could smuggle in other files.", "Remove the DOCTYPE.")
    return root


def refused(file: str, rule: str, message: str, fix: str) -> InvalidModel:
    """An InvalidModel with one problem about the whole file."""
    return InvalidModel([Problem(rule=rule, message=message, fix=fix, file=file or None)])


def name_of(node: Node) -> str:
    """The local name, whatever the namespace."""
    return etree.QName(node).localname


def namespace_of(node: Node) -> str:
    """The namespace, '' when there is none."""
    return etree.QName(node).namespace or ""


def children(node: Node | None, name: str, namespace: str = BPMN) -> list[Node]:
    """The direct children of that name."""
    return [] if node is None else node.findall(f"{{{namespace}}}{name}")


def child(node: Node | None, name: str, namespace: str = BPMN) -> Node | None:
    """The first direct child of that name."""
    return None if node is None else node.find(f"{{{namespace}}}{name}")


def bpmn_children(node: Node) -> Iterator[Node]:
    """All direct children that are BPMN's own elements."""
    return (c for c in node if namespace_of(c) == BPMN)


def extensions(node: Node | None, name: str, namespace: str = ZEEBE) -> list[Node]:
    """The extension elements of that name of a BPMN element."""
    box = child(node, "extensionElements")
    return [] if box is None else box.findall(f"{{{namespace}}}{name}")


def extension(node: Node | None, name: str, namespace: str = ZEEBE) -> Node | None:
    """The first extension element of that name."""
    return next(iter(extensions(node, name, namespace)), None)


def text_of(node: Node | None) -> str | None:
    """The stripped text of a node, CDATA included; None when there is none."""
    if node is None:
        return None
    return "".join(str(part) for part in node.itertext()).strip() or None


def attribute(node: Node | None, name: str, namespace: str | None = None) -> str | None:
    """A stripped attribute; None when absent or empty."""
    if node is None:
        return None
    value = node.get(f"{{{namespace}}}{name}" if namespace else name)
    return (value or "").strip() or None


def flag(node: Node, name: str, default: bool = False) -> bool:
    """A boolean attribute."""
    value = attribute(node, name)
    return default if value is None else value in ("true", "1")


def bare(ref: str | None) -> str | None:
    """A reference without its namespace prefix: `tns:Message_1` and `Message_1` mean the same element."""
    return None if ref is None else ref.rsplit(":", 1)[-1].strip() or None
