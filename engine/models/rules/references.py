"""Rules about references: ids are unique, and what is referred to exists and is of the right kind."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.events import KINDS
from engine.models.read import ACTIVITIES, NODES
from engine.models.rules.register import Bundle, Finding, Severity, Sheet, rule
from engine.models.xml import BPMN, Node, attribute, bare, bpmn_children, name_of, text_of

ITEMS = {"dataObject", "dataObjectReference", "dataStore", "dataStoreReference", "dataInput", "dataOutput", "property"}
# attributes, then child elements, and what they may refer to
ATTRIBUTES: dict[str, set[str]] = {
    "messageRef": {"message"},
    "signalRef": {"signal"},
    "errorRef": {"error"},
    "escalationRef": {"escalation"},
    "attachedToRef": ACTIVITIES,
    "default": {"sequenceFlow"},
    "activityRef": ACTIVITIES | {"process"},
    "processRef": {"process"},
    "itemSubjectRef": {"itemDefinition"},
    "itemRef": {"itemDefinition"},
    "dataObjectRef": {"dataObject"},
    "dataStoreRef": {"dataStore"},
    "categoryValueRef": {"categoryValue"},
    "inputDataRef": {"dataInput", "inputSet"},
    "outputDataRef": {"dataOutput", "outputSet"},
}
ELEMENTS: dict[str, set[str]] = {
    "flowNodeRef": NODES | {"choreographyTask", "dataObjectReference", "dataStoreReference", "dataObject"},
    "eventDefinitionRef": set(KINDS),
    "dataInputRefs": {"dataInput"},
    "dataOutputRefs": {"dataOutput"},
    "optionalInputRefs": {"dataInput"},
    "optionalOutputRefs": {"dataOutput"},
    "whileExecutingInputRefs": {"dataInput"},
    "whileExecutingOutputRefs": {"dataOutput"},
    "inputSetRefs": {"inputSet"},
    "outputSetRefs": {"outputSet"},
    "inMessageRef": {"message"},
    "outMessageRef": {"message"},
    "loopDataInputRef": ITEMS,
    "loopDataOutputRef": ITEMS,
    "supportedInterfaceRef": {"interface", "globalInterface"},
    "incoming": {"sequenceFlow"},
    "outgoing": {"sequenceFlow"},
}


@rule("id-duplicate", "Give one of them another id.", over="document")
def id_duplicate(sheet: Sheet) -> Iterator[Finding]:
    """Every id stands for one element of a file."""
    for node in sheet.all():
        key = node.get("id")
        if key and sheet.by_id[key] is not node:
            yield Finding(node, f"The id {key} is used twice, by a {sheet.kind(key)} and a {name_of(node)}.")


@rule("id-missing", "Give it an id.", over="document", formal=True)
def id_missing(sheet: Sheet) -> Iterator[Finding]:
    """Flow nodes and flows have ids."""
    for node in sheet.all(*NODES, "process"):
        if not node.get("id"):
            yield Finding(node, f"A {name_of(node)} in line {node.sourceline} has no id.")


@rule("reference", "Choose one that exists.", over="document")
def reference(sheet: Sheet) -> Iterator[Finding]:
    """What is referred to exists and is of the right kind."""
    for node in sheet.all():
        for name, kinds in ATTRIBUTES.items():
            yield from _broken(sheet, node, name, attribute(node, name), kinds)
        if name_of(node) in ("error", "escalation", "signal"):
            yield from _broken(sheet, node, "structureRef", attribute(node, "structureRef"), {"itemDefinition"})


@rule("reference-inner", "Correct the entry.", over="document", formal=True)
def reference_inner(sheet: Sheet) -> Iterator[Finding]:
    """Entries that refer to elements of the same file find them."""
    for node in sheet.all(*ELEMENTS):
        kinds = ELEMENTS[name_of(node)]
        owner = node.getparent()
        for finding in _broken(sheet, node, name_of(node), text_of(node), kinds):
            yield Finding(owner, finding.message, finding.severity)
    for node in sheet.all("dataInputAssociation", "dataOutputAssociation"):
        for part in bpmn_children(node):
            if name_of(part) in ("sourceRef", "targetRef"):
                yield from _broken(sheet, node, name_of(part), text_of(part), ITEMS)


@rule(
    "operation-unknown",
    "Remove it: operations are not used here.",
    over="document",
    severity="warning",
)
def operation_unknown(sheet: Sheet) -> Iterator[Finding]:
    """An operation that a task or message names is defined."""
    for node in sheet.all():
        name = attribute(node, "operationRef")
        if name and not name.startswith("##"):
            yield from _broken(sheet, node, "operationRef", name, {"operation"}, "warning")


def _broken(sheet: Sheet, node: Node, name: str, text: str | None, kinds: set[str], severity: Severity | None = None) -> Iterator[Finding]:
    key = bare(text)
    if key is None or _foreign(sheet, node, text or ""):
        return
    kind = sheet.kind(key)
    if not kind:
        yield Finding(node, f"Its {name} {key!r} does not exist.", severity)
    elif kind not in kinds:
        yield Finding(node, f"Its {name} {key!r} is a {kind}; it should be {' or '.join(sorted(kinds)[:4])}.", severity)


def _foreign(sheet: Sheet, node: Node, text: str) -> bool:
    """Whether a reference names something in another file, by a prefix that stands for that file's namespace."""
    prefix, colon, _ = text.rpartition(":")
    own = sheet.document.root.get("targetNamespace")
    return bool(colon) and node.nsmap.get(prefix) not in (None, own, BPMN)


@rule("import-missing", "Give it too.", over="document")
def import_missing(sheet: Sheet) -> Iterator[Finding]:
    """An imported file is given together with the file that imports it."""
    given = {name.rsplit("/", 1)[-1] for name in sheet.bundle.files}
    for node in sheet.all("import"):
        location = attribute(node, "location") or ""
        if "://" in location:
            yield Finding(node, f"The import {location} is not fetched; what it defines is unknown here.", "warning")
        elif location.rsplit("/", 1)[-1] not in given:
            yield Finding(node, f"The imported file {location or '(no location)'} is not there.")


@rule("import-broken", "Mend that file.", over="files")
def import_broken(bundle: Bundle) -> Iterator[Finding]:
    """What is imported can itself be read and finds its imports."""
    given = {name.rsplit("/", 1)[-1] for name in bundle.files}
    for document in bundle.context:
        for node in document.root.iter(f"{{{BPMN}}}import"):
            location = attribute(node, "location") or ""
            if "://" not in location and location.rsplit("/", 1)[-1] not in given:
                file = next((s.document.file for s in bundle.sheets), None)
                yield Finding(node, f"The imported file {document.file} imports {location}, which is not there.", file=file)


@rule("import-namespace", "Change one target namespace.", over="document")
def import_namespace(sheet: Sheet) -> Iterator[Finding]:
    """Files that import each other have namespaces of their own."""
    seen = {sheet.document.root.get("targetNamespace")}
    for node in sheet.all("import"):
        if name_space := attribute(node, "namespace"):
            if name_space in seen:
                yield Finding(node, f"The namespace {name_space} is imported twice or is the file's own: ids could not be told apart.")
            seen.add(name_space)
