"""Rules about tasks, subprocesses, calls, loops and compensation."""

from __future__ import annotations

from collections.abc import Iterator

from engine.models.elements import Element, Wanted
from engine.models.read import ACTIVITIES, SUBPROCESSES
from engine.models.rules.register import Bundle, Finding, Process, Severity, Sheet, rule
from engine.models.xml import BPMN, attribute, bare, name_of


@rule("subprocess-empty", "Draw what happens in it, or make it a task.", severity="warning")
def subprocess_empty(process: Process) -> Iterator[Finding]:
    """A subprocess contains something."""
    for element in process.of("subProcess", "transaction"):
        if not element.triggered and not any(True for _ in process.model.inside(element.id)):
            yield Finding(element, "The subprocess is empty: it is passed at once.")


@rule("ad-hoc-content", "Correct what it contains.")
def ad_hoc_content(process: Process) -> Iterator[Finding]:
    """An ad-hoc subprocess contains activities and no start or end event."""
    for element in process.of("adHocSubProcess"):
        inside = list(process.model.inside(element.id))
        if not any(e.type in ACTIVITIES for e in inside):
            yield Finding(element, "The ad-hoc subprocess contains no activity.")
        for event in inside:
            if event.type in ("startEvent", "endEvent"):
                yield Finding(event, f"An ad-hoc subprocess has no {event.type}.")


@rule("ad-hoc-drawing", "Remove it.", over="document")
def ad_hoc_drawing(sheet: Sheet) -> Iterator[Finding]:
    """An ad-hoc subprocess contains no conversation or choreography."""
    for element in sheet.all("adHocSubProcess"):
        for node in element.iter(*(f"{{{BPMN}}}{n}" for n in ("conversation", "conversationLink", "subConversation", "callConversation"))):
            yield Finding(node, f"A {name_of(node)} lies in an ad-hoc subprocess.")


@rule("call-target", "Choose the process to call.", running=True)
def call_target(process: Process) -> Iterator[Finding]:
    """A call activity says what it calls."""
    for element in process.of("callActivity"):
        if element.called is None or not element.called.process_id:
            yield Finding(element, "The call activity does not say which process it calls.")


@rule("call-start", "Give it a start event without a trigger.", over="files")
def call_start(bundle: Bundle) -> Iterator[Finding]:
    """A called process can be started by a call."""
    documents = [s.document for s in bundle.sheets] + bundle.context
    models = {m.id: m for d in documents for m in d.models}
    for sheet in bundle.sheets:
        for process in sheet.processes():
            for element in process.of("callActivity"):
                target = models.get(element.called.process_id) if element.called else None
                if target is None:
                    continue
                starts = [e for e in target.inside(None) if e.type == "startEvent"]
                if starts and all(e.events for e in starts):
                    message = f"It calls {target.id}, which starts only by an event."
                    yield Finding(element, message, file=sheet.document.file)


@rule("loop-multi", "Set the input collection or the cardinality.", running=True)
def loop_multi(process: Process) -> Iterator[Finding]:
    """A multi-instance says over what it runs."""
    for element in process.elements.values():
        loop = element.loop
        if loop is None or loop.kind != "multi":
            continue
        if not loop.collection and not loop.cardinality:
            yield Finding(element, "The multi-instance has neither a collection nor a number to run over.")
        if loop.cardinality and loop.cardinality.replace(" ", "").lstrip("-").isdigit() and int(loop.cardinality) < 0:
            yield Finding(element, f"The multi-instance would run {loop.cardinality} times.")


@rule("loop-standard", "Give it a condition or a maximum.", running=True)
def loop_standard(process: Process) -> Iterator[Finding]:
    """A loop ends."""
    for element in process.elements.values():
        loop = element.loop
        if loop is not None and loop.kind == "standard" and not loop.condition and loop.maximum is None:
            yield Finding(element, "The loop has neither a condition nor a maximum: it would never end.")
        elif loop is not None and loop.maximum is not None and loop.maximum < 1:
            yield Finding(element, f"The loop's maximum is {loop.maximum}.")


@rule("loop-output", "Set both the output collection and the output element.")
def loop_output(process: Process) -> Iterator[Finding]:
    """A collected result says what is collected."""
    for element in process.elements.values():
        if element.loop and bool(element.loop.output_collection) != bool(element.loop.output_element):
            yield Finding(element, "Only one of output collection and output element is set, so that nothing is collected.")


@rule("quantity", "Remove startQuantity and completionQuantity.", over="document")
def quantity(sheet: Sheet) -> Iterator[Finding]:
    """An activity takes and gives at least one token."""
    for node in sheet.all(*ACTIVITIES):
        for name in ("startQuantity", "completionQuantity"):
            text = attribute(node, name) or "1"
            if not text.isdigit() or int(text) < 1:
                yield Finding(node, f"Its {name} is {text}.")


@rule("receive-instantiate", "Remove the flow, or do not instantiate.")
def receive_instantiate(process: Process) -> Iterator[Finding]:
    """A receive task that starts the process has nothing before it."""
    for element in process.of("receiveTask"):
        if element.instantiate and element.incoming:
            yield Finding(element, "The receive task starts the process and yet a flow leads into it.")


@rule("compensation-handler", "Associate it with one such activity.")
def compensation_handler(process: Process) -> Iterator[Finding]:
    """A compensation event has a handler, which is for compensation."""
    for event in process.of("boundaryEvent"):
        if not any(e.kind == "compensation" for e in event.events):
            continue
        handler = process.elements.get(event.compensation_handler or "")
        if handler is None:
            yield Finding(event, "No activity is associated with the compensation event.")
        elif handler.type not in ACTIVITIES or not handler.for_compensation:
            yield Finding(handler, "It handles a compensation, but is not marked as being for compensation.")


@rule("compensation-flow", "Remove the flow, or the mark.")
def compensation_flow(process: Process) -> Iterator[Finding]:
    """What is for compensation is outside the flow."""
    for element in process.elements.values():
        if element.for_compensation and (element.incoming or element.outgoing):
            yield Finding(element, "It is for compensation, and yet a flow is connected to it.")


@rule("compensation-alone", "Associate it with a compensation event.", formal=True)
def compensation_alone(process: Process) -> Iterator[Finding]:
    """What is for compensation handles some compensation."""
    handlers = {e.compensation_handler for e in process.elements.values()}
    for element in process.elements.values():
        if element.for_compensation and element.id not in handlers and not element.triggered:
            yield Finding(element, "It is for compensation, but no compensation event is associated with it.", "warning")


@rule("compensation-target", "Choose an activity that can be compensated.")
def compensation_target(process: Process) -> Iterator[Finding]:
    """A thrown compensation finds what it undoes."""
    covered = {e.attached_to for e in process.of("boundaryEvent") if any(d.kind == "compensation" for d in e.events)}
    for event in process.of("intermediateThrowEvent", "endEvent"):
        for thrown in event.events:
            if thrown.kind == "compensation" and thrown.activity:
                target = process.elements.get(thrown.activity)
                if target is None:
                    yield Finding(event, f"It compensates {thrown.activity}, which is not in this process.")
                elif target.id not in covered and target.type not in SUBPROCESSES | {"callActivity"}:
                    yield Finding(event, f"It compensates {target.id}, to which no compensation is attached.")
                elif target.parent not in _reached_by(process, event):
                    yield Finding(event, f"It compensates {target.id}, which lies on another level: nothing would be undone.")


def _reached_by(process: Process, event: Element) -> set[str | None]:
    """The levels whose activities a thrown compensation undoes: its own, and for an event subprocess the one it handles for."""
    around = process.elements.get(event.parent or "")
    return {event.parent, around.parent} if around is not None and around.triggered else {event.parent}


@rule("compensation-wait", "Leave waitForCompletion away.", severity="warning")
def compensation_wait(process: Process) -> Iterator[Finding]:
    """A thrown compensation waits until all is undone."""
    for event in process.of("intermediateThrowEvent", "endEvent"):
        if any(thrown.kind == "compensation" and not thrown.wait for thrown in event.events):
            yield Finding(event, "It says that it does not wait until all is undone, but it does.")


@rule("event-subprocess-loop", "Put what is repeated inside it into a subprocess of its own.")
def event_subprocess_loop(process: Process) -> Iterator[Finding]:
    """An event subprocess is not repeated: its event starts it."""
    for element in process.elements.values():
        if element.triggered and (element.loop is not None or element.for_compensation):
            yield Finding(element, "The event subprocess is marked as a loop or as being for compensation.")


@rule("script-present", "Write the script in FEEL.", running=True, severity="warning")
def script_present(process: Process) -> Iterator[Finding]:
    """A script task has a script."""
    for element in process.of("scriptTask"):
        if not element.script:
            yield Finding(element, "The script task has no script: it does nothing.")


def _called_in(sheet: Sheet) -> Iterator[tuple[Element, Wanted]]:
    for process in sheet.processes():
        for element in process.of("callActivity"):
            if element.called and element.called.process_id and not element.called.process_id.startswith("="):
                called = element.called
                yield element, Wanted(bare(called.process_id) or "", called.binding, called.version_tag)


@rule("called-process", "Give its file together with this one.", over="files")
def called_process(bundle: Bundle) -> Iterator[Finding]:
    """A called process is given or deployed."""
    for sheet in bundle.sheets:
        for element, wanted in _called_in(sheet):
            if not bundle.knows("process", wanted):
                severity: Severity | None = None if bundle.known else "warning"
                message = f"The called process {wanted} is neither among the files nor deployed."
                yield Finding(element, message, severity, file=sheet.document.file)
