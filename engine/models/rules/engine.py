"""Rules about what our engine does not run, and about what it needs to run well."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.models.elements import Element, Wanted
from engine.models.rules.register import Bundle, Finding, Process, Severity, Sheet, rule
from engine.models.xml import attribute, child, extensions

# elements and constructs of BPMN that are refused, with the reason and the way round; docs/engine/models.md lists them
REFUSED: dict[str, tuple[str, str]] = {
    "adHocSubProcess": ("An ad-hoc subprocess is not run.", "Draw the order, or use optional branches of an inclusive gateway."),
    "complexGateway": ("A complex gateway is not run.", "Use inclusive, parallel or event gateways."),
    "parallelMultiple": ("An event that waits for all of several triggers is not run.", "Use a parallel gateway and one event for each."),
    "parallelEventGateway": (
        "A parallel event gateway is run only where it starts a process, and not here.",
        "Use a message start event for each.",
    ),
    "complexBehaviour": ("A multi-instance that throws events for its instances is not run.", "Throw the event inside the activity."),
    "quantity": ("An activity that takes or gives several tokens is not run.", "Use a parallel or multi-instance construct."),
    "compensationStart": ("An event subprocess for compensation is not run.", "Attach a compensation event with a handler."),
    "implicitThrowEvent": ("An implicit throw event is not run.", "Draw the event."),
}


@rule("not-supported", "See the list of supported elements.", running=True)
def not_supported(process: Process) -> Iterator[Finding]:
    """The model uses only what the engine runs."""
    for element in process.elements.values():
        for construct in constructs(process.sheet, element):
            message, fix = REFUSED[construct]
            yield Finding(element, message, fix=fix)


def constructs(sheet: Sheet, element: Element) -> Iterator[str]:
    """The refused constructs that an element is or uses."""
    if element.type in REFUSED:
        yield element.type
    if element.parallel_multiple and len(element.events) > 1:
        yield "parallelMultiple"
    if element.gateway_kind == "Parallel":
        yield "parallelEventGateway"
    if element.type == "startEvent" and element.parent and any(e.kind == "compensation" for e in element.events):
        yield "compensationStart"
    node = sheet.by_id.get(element.id)
    if node is None:
        return
    if attribute(child(node, "multiInstanceLoopCharacteristics"), "behavior") in ("None", "One", "Complex"):
        yield "complexBehaviour"
    if any((attribute(node, name) or "1") not in ("0", "1") for name in ("startQuantity", "completionQuantity")):
        yield "quantity"


@rule("listener-unsupported", "Model it as a task.", over="document")
def listener_unsupported(sheet: Sheet) -> Iterator[Finding]:
    """Nothing in the file would silently not happen."""
    for node in sheet.all():
        for name in ("executionListeners", "taskListeners"):
            if extensions(node, name):
                yield Finding(node, f"It has {name}, which would never run.")


@rule("job-type", "Set the task's type.", running=True)
def job_type(process: Process) -> Iterator[Finding]:
    """A service task names its connector."""
    dialect = process.sheet.document.dialect
    for element in process.of("serviceTask", "sendTask"):
        if not element.job_type and not (element.type == "sendTask" and element.events):
            message = "No connector is named: it waits as a work item until somebody says that it is done."
            yield Finding(element, message, None if dialect and element.type == "serviceTask" else "warning")


@rule("connector-unknown", "Choose a type that `carelane` knows.", running=True)
def connector_unknown(process: Process) -> Iterator[Finding]:
    """A connector of that type is there."""
    known = process.sheet.bundle.connectors
    for element in process.elements.values():
        if known is not None and element.job_type and not element.job_type.startswith("=") and element.job_type not in known:
            yield Finding(element, f"There is no connector of the type {element.job_type}.", "warning")


@rule("decision-missing", "Choose a decision.", running=True)
def decision_missing(process: Process) -> Iterator[Finding]:
    """A business rule task names its decision."""
    for element in process.of("businessRuleTask"):
        if not element.decision_id and not element.job_type:
            severity: Severity | None = None if process.sheet.document.dialect else "warning"
            yield Finding(element, "No decision is named: it waits as a work item until somebody says that it is done.", severity)
        elif element.decision_id and not element.result_variable:
            yield Finding(
                element, "No result variable is named: what is decided is lost.", None if process.sheet.document.dialect else "warning"
            )


@rule("role-missing", "Set candidate groups, an assignee, or put it in a lane.", severity="warning")
def role_missing(process: Process) -> Iterator[Finding]:
    """Somebody may do every user task."""
    for element in process.of("userTask"):
        if not (element.groups or element.assignee or element.candidate_users):
            yield Finding(element, "Nobody is named who may do it: it is offered to everybody.")


@rule("form-missing", "Name a form.", severity="warning")
def form_missing(process: Process) -> Iterator[Finding]:
    """A user task has a form."""
    for element in process.of("userTask"):
        if not element.form_id and process.sheet.document.dialect:
            yield Finding(element, "It has no form: it can only be ticked off.")


@rule("start-form", "Ask for it in a first user task.", severity="warning")
def start_form(process: Process) -> Iterator[Finding]:
    """Forms belong to user tasks."""
    for element in process.of("startEvent"):
        if element.form_id:
            yield Finding(element, f"The form {element.form_id} of the start event is not shown to anybody.")


@rule("form-unknown", "Give its file together with this one.", over="files")
def form_unknown(bundle: Bundle) -> Iterator[Finding]:
    """A named form is given or deployed, in the version that is wanted."""
    yield from _unknown(bundle, "form", lambda e: e.form(e.form_id) if e.form_id and e.type != "startEvent" else None)


@rule("decision-unknown", "Give its file together with this one.", over="files")
def decision_unknown(bundle: Bundle) -> Iterator[Finding]:
    """A named decision is given or deployed, in the version that is wanted."""
    yield from _unknown(bundle, "decision", lambda e: e.decision(e.decision_id) if e.decision_id else None)


def _unknown(bundle: Bundle, kind: str, wants: Callable[[Element], Wanted | None]) -> Iterator[Finding]:
    for sheet in bundle.sheets:
        for element in (e for process in sheet.processes() for e in process.elements.values()):
            wanted = wants(element)
            if wanted and not wanted.key.startswith("=") and not bundle.knows(kind, wanted):
                severity: Severity | None = None if bundle.known else "warning"
                message = f"The {kind} {wanted} is neither among the files nor deployed."
                yield Finding(element, message, severity, file=sheet.document.file)


@rule("binding", "Name the tag, or bind it to the latest version.", running=True)
def binding(process: Process) -> Iterator[Finding]:
    """What is bound to a version tag names the tag."""
    for element in process.elements.values():
        for kind, one in element.refers():
            if one.binding == "versionTag" and not one.version_tag:
                yield Finding(element, f"Its {kind} is bound to a version tag, but none is named.")


@rule("correlation-missing", "Set the subscription's correlation key.", severity="warning")
def correlation_missing(process: Process) -> Iterator[Finding]:
    """A waiting message has a correlation key."""
    for element in process.of("intermediateCatchEvent", "boundaryEvent", "receiveTask"):
        if element.instantiate:
            continue
        if process.sheet.document.dialect and any(e.kind == "message" and not e.correlation for e in element.events):
            yield Finding(element, "The message has no correlation key: any instance that waits for it may get it.")


@rule("process-twice", "Give them different ids or version tags.", over="files")
def process_twice(bundle: Bundle) -> Iterator[Finding]:
    """A process is defined once, or once for each version tag."""
    seen: dict[tuple[str, str | None], str] = {}
    for sheet in bundle.sheets:
        for model in sheet.document.models:
            place = (model.id, model.version_tag)
            if place in seen and seen[place] != sheet.document.file:
                yield Finding(None, f"The process {model.id} is defined in {seen[place]} too.", file=sheet.document.file)
            seen.setdefault(place, sheet.document.file)


@rule("defined-twice", "Give them different ids or version tags.", over="files")
def defined_twice(bundle: Bundle) -> Iterator[Finding]:
    """A form or decision is defined once, or once for each version tag."""
    seen: dict[tuple[str, str, str | None], str] = {}
    for one in bundle.defined:
        place = (one.kind, one.key, one.version_tag)
        if place in seen:
            yield Finding(None, f"The {one.kind} {one.key} is defined in {seen[place]} too.", file=one.file)
        seen.setdefault(place, one.file)


@rule("not-executable", "Tick executable.", severity="warning")
def not_executable(process: Process) -> Iterator[Finding]:
    """A process that is meant to run says so."""
    if not process.model.executable:
        yield Finding(None, f"The process {process.model.id} is a drawing: it is not marked as executable.")


@rule("process-missing", "Draw one.", over="document", severity="warning")
def process_missing(sheet: Sheet) -> Iterator[Finding]:
    """The file draws a process."""
    if not sheet.document.models:
        yield Finding(None, "There is no process in the file that could run.")
