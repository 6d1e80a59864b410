"""Rules about data: item definitions, inputs and outputs. Data is documentation here, but what is drawn must agree with itself."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.events import KINDS
from engine.models.rules.register import Finding, Sheet, rule
from engine.models.xml import XSI, Node, attribute, bare, bpmn_children, child, children, flag, name_of, text_of

CARRIERS = {"messageEventDefinition": "message", "errorEventDefinition": "error", "escalationEventDefinition": "escalation",
            "signalEventDefinition": "signal"}  # fmt: skip


def _item(sheet: Sheet, node: Node | None) -> Node | None:
    """The item definition that a data element, a message, a signal, an error or an escalation is of."""
    if node is None:
        return None
    for kind, via in (("dataObjectReference", "dataObjectRef"), ("dataStoreReference", "dataStoreRef")):
        if name_of(node) == kind and attribute(node, "itemSubjectRef") is None:
            object_ = sheet.by_id.get(bare(attribute(node, via)) or "")
            return _item(sheet, object_) if object_ is not None and name_of(object_) != kind else None
    names = ("structureRef",) if name_of(node) in ("signal", "error", "escalation") else ("itemSubjectRef", "itemRef")
    key = next((k for n in names if (k := bare(attribute(node, n)))), None)
    found = sheet.by_id.get(key or "")
    return found if found is not None and name_of(found) == "itemDefinition" else None


def _same(sheet: Sheet, one: Node | None, other: Node | None) -> bool:
    """Whether two carriers of data are of the same item, or of items with the same structure."""
    first, second = _item(sheet, one), _item(sheet, other)
    if first is None or second is None:
        return False
    structure = attribute(first, "structureRef")
    return first is second or (structure is not None and structure == attribute(second, "structureRef"))


def _parts(node: Node, name: str) -> list[Node]:
    return children(child(node, "ioSpecification"), name)


def _refs(node: Node, name: str) -> list[str | None]:
    return [bare(text_of(c)) for c in children(node, name)]


@rule("expression-empty", "Write the expression, or remove the element.", over="document", formal=True)
def expression_empty(sheet: Sheet) -> Iterator[Finding]:
    """A formal expression says something."""
    for node in sheet.all():
        formal = (bare(node.get(f"{{{XSI}}}type")) or "") == "tFormalExpression" or name_of(node) in (
            "transformation",
            "dataPath",
            "messagePath",
        )
        if formal and text_of(node) is None:
            owner = node.getparent()
            yield Finding(owner, f"Its {name_of(node)} is empty.")


@rule("data-collection", "Set isCollection alike.", over="document", formal=True)
def data_collection(sheet: Sheet) -> Iterator[Finding]:
    """Data agrees with its item definition in being a collection."""
    for node in sheet.all("dataObject", "dataInput", "dataOutput"):
        item = _item(sheet, node)
        if item is not None and flag(node, "isCollection") != flag(item, "isCollection"):
            yield Finding(node, f"One of it and its item definition {item.get('id')} is a collection, the other is not.")


@rule("data-sets", "List them in an input or output set.", over="document", formal=True)
def data_sets(sheet: Sheet) -> Iterator[Finding]:
    """Inputs and outputs belong to their sets."""
    for kind, holder, entry in (("dataInput", "inputSet", "dataInputRefs"), ("dataOutput", "outputSet", "dataOutputRefs")):
        listed = {ref for s in sheet.all(holder) for ref in _refs(s, entry)}
        yield from (Finding(n, f"The {kind} is in no {holder}.") for n in sheet.all(kind) if n.get("id") not in listed)
    for holder, entry, others in (
        ("inputSet", "dataInputRefs", ("optionalInputRefs", "whileExecutingInputRefs")),
        ("outputSet", "dataOutputRefs", ("optionalOutputRefs", "whileExecutingOutputRefs")),
    ):
        for node in sheet.all(holder):
            for name in others:
                for ref in _refs(node, name):
                    if ref not in _refs(node, entry):
                        yield Finding(node, f"{ref} is listed in {name}, but not in {entry}.")


@rule("data-sets-mutual", "Name the set on both sides.", over="document", formal=True)
def data_sets_mutual(sheet: Sheet) -> Iterator[Finding]:
    """Input and output sets name each other."""
    for holder, there, back in (("inputSet", "outputSetRefs", "inputSetRefs"), ("outputSet", "inputSetRefs", "outputSetRefs")):
        for node in sheet.all(holder):
            for ref in _refs(node, there):
                other = sheet.by_id.get(ref or "")
                if other is not None and node.get("id") not in _refs(other, back):
                    yield Finding(node, f"It names {ref}, which does not name it.")


@rule("data-association", "Add a transformation, or match the items.", over="document", formal=True)
def data_association(sheet: Sheet) -> Iterator[Finding]:
    """Data flows between items of one structure."""
    for node in sheet.all("dataInputAssociation", "dataOutputAssociation"):
        sources, targets = _refs(node, "sourceRef"), _refs(node, "targetRef")
        if child(node, "transformation") is not None:
            continue
        if len(sources) > 1:
            yield Finding(node, "It has several sources but no transformation.")
        one, other = (sheet.by_id.get(refs[0] or "") if refs else None for refs in (sources, targets))
        if _item(sheet, one) is not None and _item(sheet, other) is not None and not _same(sheet, one, other):
            yield Finding(node, "Its source and target are of different structures.")


@rule("data-subprocess", "Move them to its activities.", over="document", formal=True)
def data_subprocess(sheet: Sheet) -> Iterator[Finding]:
    """A subprocess has no inputs and outputs of its own."""
    for node in sheet.all("subProcess", "transaction", "adHocSubProcess"):
        if child(node, "ioSpecification") is not None:
            yield Finding(node, "The subprocess has an input and output specification.")


@rule("data-state", "Call it: name [state].", over="document", formal=True)
def data_state(sheet: Sheet) -> Iterator[Finding]:
    """A data object with a state says so in its name."""
    for node in sheet.all("dataObjectReference"):
        state, name = attribute(child(node, "dataState"), "name"), attribute(node, "name")
        source = attribute(sheet.by_id.get(bare(attribute(node, "dataObjectRef")) or ""), "name")
        if name and state and source and " ".join(name.split()) != f"{source} [{state}]":
            yield Finding(node, f"It should be called {source} [{state}].")


@rule("data-operation", "Match inputs and outputs.", over="document", formal=True)
def data_operation(sheet: Sheet) -> Iterator[Finding]:
    """A task that uses an operation or message carries its data."""
    for task in sheet.all("serviceTask"):
        operation = sheet.by_id.get(bare(attribute(task, "operationRef")) or "")
        if operation is None or name_of(operation) != "operation":
            continue
        if len(_parts(task, "inputSet")) != 1 or len(_parts(task, "outputSet")) > 1:
            yield Finding(task, "A task with an operation has exactly one input set and at most one output set.")
        for kind, ref, need in (("dataInput", "inMessageRef", False), ("dataOutput", "outMessageRef", True)):
            message = sheet.by_id.get(next(iter(_refs(operation, ref)), None) or "")
            parts = _parts(task, kind)
            if message is not None and (parts or need) and not any(_same(sheet, p, message) for p in parts):
                yield Finding(task, f"Its {kind} and the operation's message {message.get('id')} are of different structures.")


@rule("data-message", "Match inputs and outputs.", over="document", formal=True)
def data_message(sheet: Sheet) -> Iterator[Finding]:
    """A task that sends or receives carries the message's data."""
    for kind, part, holder in (("sendTask", "dataInput", "inputSet"), ("receiveTask", "dataOutput", "outputSet")):
        for task in sheet.all(kind):
            message = sheet.by_id.get(bare(attribute(task, "messageRef")) or "")
            if message is not None and (len(_parts(task, holder)) > 1 or len(_parts(task, part)) > 1):
                yield Finding(task, f"It has several {holder}s or {part}s for one message.")
            parts = _parts(task, part)
            if parts and not any(_same(sheet, p, message) for p in parts):
                yield Finding(task, f"Its {part} and its message are not of the same structure.")


@rule("data-event", "Match inputs and outputs.", over="document", formal=True)
def data_event(sheet: Sheet) -> Iterator[Finding]:
    """An event carries the data of what it throws or catches."""
    throwing = {"intermediateThrowEvent": "dataInput", "endEvent": "dataInput"}
    catching = dict.fromkeys(("startEvent", "intermediateCatchEvent", "boundaryEvent"), "dataOutput")
    for node in sheet.all(*throwing, *catching):
        parts = children(node, (throwing | catching)[name_of(node)])
        definitions = [c for c in bpmn_children(node) if name_of(c) in KINDS or name_of(c) == "eventDefinitionRef"]
        if parts and len(parts) != len(definitions):
            yield Finding(node, f"It has {len(parts)} data for {len(definitions)} event definitions.")
            continue
        for part, definition in zip(parts, definitions, strict=bool(parts)) if parts else ():
            carrier = CARRIERS.get(name_of(definition))
            thing = sheet.by_id.get(bare(attribute(definition, f"{carrier}Ref")) or "") if carrier else None
            if thing is not None and _item(sheet, thing) is not None and not _same(sheet, part, thing):
                yield Finding(node, f"Its data {part.get('id')} and its {carrier} are of different structures.")


@rule("data-call", "Match inputs and outputs.", over="document", formal=True)
def data_call(sheet: Sheet) -> Iterator[Finding]:
    """A call passes what the called process takes and gives."""
    for call in sheet.all("callActivity"):
        target = sheet.by_id.get(bare(attribute(call, "calledElement")) or "")
        if target is None or (child(call, "ioSpecification") is None and child(target, "ioSpecification") is None):
            continue
        for kind in ("dataInput", "dataOutput", "inputSet", "outputSet"):
            here, there = _parts(call, kind), _parts(target, kind)
            if len(here) != len(there):
                yield Finding(call, f"It has {len(here)} {kind}s, {target.get('id')} has {len(there)}.")
            elif kind.startswith("data"):
                for one in here:
                    if not any(_same(sheet, one, other) for other in there):
                        yield Finding(call, f"No {kind} of {target.get('id')} has the structure of {one.get('id')}.")


@rule("data-service", "Add an input/output binding.", over="document", formal=True)
def data_service(sheet: Sheet) -> Iterator[Finding]:
    """What offers an interface binds its data to operations."""
    for ref in sheet.all("supportedInterfaceRef"):
        owner = ref.getparent()
        bindings = children(owner, "ioBinding")
        if not bindings:
            yield Finding(owner, "It offers an interface, but binds no operation to its data.")
        for binding in bindings:
            operation = sheet.by_id.get(bare(attribute(binding, "operationRef")) or "")
            for end, message_ref in (("inputDataRef", "inMessageRef"), ("outputDataRef", "outMessageRef")):
                message = sheet.by_id.get(next(iter(_refs(operation, message_ref)), None) or "") if operation is not None else None
                data = sheet.by_id.get(bare(attribute(binding, end)) or "")
                if message is not None and data is not None and name_of(data).startswith("data") and not _same(sheet, data, message):
                    yield Finding(owner, f"{data.get('id')} and the message {message.get('id')} are of different structures.")


@rule("data-loop", "Refer to the task's input and output.", over="document", formal=True)
def data_loop(sheet: Sheet) -> Iterator[Finding]:
    """A multi-instance runs over its task's data."""
    for loop in sheet.all("multiInstanceLoopCharacteristics"):
        task = loop.getparent()
        if task is None or not sheet.runs(loop):
            continue
        for ref, part, item in (("loopDataInputRef", "dataInput", "inputDataItem"), ("loopDataOutputRef", "dataOutput", "outputDataItem")):
            key = next(iter(_refs(loop, ref)), None)
            if key is None:
                continue
            data, one = sheet.by_id.get(key), child(loop, item)
            if part == "dataInput" and name_of(task) != "subProcess" and key not in [p.get("id") for p in _parts(task, part)]:
                yield Finding(task, f"Its loop refers to {key}, which is not an input of it.")
            if one is not None and data is not None:
                scalar = _item(sheet, one)
                if not _same(sheet, data, one) or (scalar is not None and flag(scalar, "isCollection")):
                    yield Finding(task, f"One item of its loop is not of the type of the items of {key}.")
