"""Rules about expressions and timers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.models.elements import Element
from engine.models.rules.register import Finding, Process, Sheet, rule
from engine.models.xml import XSI, bare, children, name_of, text_of

# where the standard has an expression: the element that holds it, and its name
PLACES = {
    "adHocSubProcess": ("completionCondition",),
    "assignment": ("from", "to"),
    "complexGateway": ("activationCondition",),
    "multiInstanceLoopCharacteristics": ("loopCardinality", "completionCondition"),
    "sequenceFlow": ("conditionExpression",),
    "standardLoopCharacteristics": ("loopCondition",),
    "timerEventDefinition": ("timeDate", "timeDuration", "timeCycle"),
    "conditionalEventDefinition": ("condition",),
}
DATE = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?(\[[\w/+-]+\])?"
)
DURATION = re.compile(
    r"-?P(?=.)(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?(T(?=.)(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?"
)
CRON_FIELD = re.compile(r"[\dA-Z*?,/#LW-]+")
CRON_MACROS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@rule(
    "expression-informal",
    'Mark it with xsi:type="tFormalExpression", or write it as FEEL that begins with =.',
    over="document",
    formal=True,
)
def expression_informal(sheet: Sheet) -> Iterator[Finding]:
    """Expressions of an executable process are formal."""
    for node in sheet.all(*PLACES):
        if not sheet.runs(node):
            continue
        for name in PLACES[name_of(node)]:
            for place in children(node, name):
                text = text_of(place) or ""
                if bare(place.get(f"{{{XSI}}}type")) != "tFormalExpression" and text and not text.startswith("="):
                    at = node if node.get("id") else node.getparent()
                    yield Finding(at, f"The {name} {text!r} is natural language, as far as the file says.")


@rule("condition-empty", "Write the condition in FEEL.", running=True)
def condition_empty(process: Process) -> Iterator[Finding]:
    """A conditional event has a condition."""
    for element in process.elements.values():
        if any(e.kind == "conditional" and not e.value for e in element.events):
            yield Finding(element, "The event waits for a condition, but has none.")


@rule(
    "timer-value",
    "Write it as in PT15M.",
    running=True,
)
def timer_value(process: Process) -> Iterator[Finding]:
    """Timers are ISO 8601: a date, a duration or a cycle; a cycle may be a cron expression."""
    for element in process.elements.values():
        for event in element.events:
            if event.kind == "timer" and event.value and not event.value.startswith("="):
                fault = timer_fault(event.timer or "", event.value)
                if fault:
                    yield Finding(element, fault)


@rule("timer-cycle", "Use a date or duration.", severity="warning")
def timer_cycle(process: Process) -> Iterator[Finding]:
    """What is repeated does not interrupt."""
    for element in process.of("intermediateCatchEvent", "boundaryEvent"):
        if any(e.timer == "cycle" for e in element.events) and (element.type != "boundaryEvent" or element.interrupting):
            yield Finding(element, "It repeats, but only the first time can count here.")


def timer_fault(kind: str, text: str) -> str | None:
    """What is wrong with a literal timer of that kind (date, duration, cycle); None when nothing is."""
    if kind == "date":
        return None if DATE.fullmatch(text) else f"{text!r} is not a date and time of ISO 8601, as in 2026-01-31T08:00:00+08:00."
    if kind == "duration":
        return None if DURATION.fullmatch(text) else f"{text!r} is not a duration of ISO 8601, as in PT15M."
    return None if _is_interval(text) or is_cron(text) else f"{text!r} is neither a cycle of ISO 8601, as in R3/PT10M, nor a cron expression."


def _is_interval(text: str) -> bool:
    parts = text.split("/")
    if not re.fullmatch(r"R(-1|\d*)", parts[0]) or len(parts) not in (2, 3):
        return False
    dates = [bool(DATE.fullmatch(p)) for p in parts[1:]]
    durations = [bool(DURATION.fullmatch(p)) for p in parts[1:]]
    return durations == [True] or (len(parts) == 3 and any(durations) and all(d or t for d, t in zip(dates, durations, strict=True)))


def is_cron(text: str) -> bool:
    """Whether a text is a cron expression of five fields, or of six with the seconds first, as Camunda has them."""
    if text.lower() in CRON_MACROS:
        return True
    fields = text.upper().split()
    if len(fields) not in (5, 6) or not all(CRON_FIELD.fullmatch(f) for f in fields):
        return False
    return all(_cron_field(f, *limit) for f, limit in zip(fields, LIMITS[6 - len(fields) :], strict=True))


def _cron_field(field: str, low: int, high: int) -> bool:
    """Whether every number of a field is within its limits."""
    for part in field.split(","):
        span, _, step = part.partition("/")
        if not part or ("/" in part and (not step.isdigit() or int(step) == 0)):
            return False
        if any(n.isdigit() and not low <= int(n) <= high for n in re.split(r"[-#]", span)):
            return False
    return True


@rule("feel", "Correct the expression.", running=True)
def feel(process: Process) -> Iterator[Finding]:
    """Expressions are FEEL that can be read."""
    check = process.sheet.bundle.feel
    if check is None:
        return
    for flow in process.flows.values():
        if flow.condition:
            yield from (Finding(flow, f"The condition {flow.condition!r} cannot be read: {e}") for e in check(flow.condition))
    for element in process.elements.values():
        for where, text in expressions(element):
            yield from (Finding(element, f"The {where} {text!r} cannot be read: {e}") for e in check(text))


def expressions(element: Element) -> Iterator[tuple[str, str]]:
    """Every FEEL expression of an element, with what it is for; without the leading '='."""
    if element.loop:
        loop = element.loop
        for name in ("collection", "output_element", "completion", "condition", "cardinality"):
            if text := getattr(loop, name):
                yield f"loop's {name.replace('_', ' ')}", text
    if element.script:
        yield "script", element.script
    for event in element.events:
        if event.kind == "conditional" and event.value:
            yield "condition", event.value
        if event.correlation:
            yield "correlation key", event.correlation
        yield from _marked((("timer", event.value), ("name", event.name)))
    yield from _marked([(f"input {m.target}", m.source) for m in element.inputs] + [(f"output {m.target}", m.source) for m in element.outputs])
    names = ("form_id", "assignee", "candidate_groups", "candidate_users", "due", "follow_up", "priority", "job_type", "retries", "decision_id")
    yield from _marked((name.replace("_", " "), getattr(element, name)) for name in names)
    if element.called:
        yield from _marked((("called process", element.called.process_id),))


def _marked(texts: Iterator[tuple[str, str | None]] | list[tuple[str, str]] | tuple[tuple[str, str | None], ...]) -> Iterator[tuple[str, str]]:
    """Those that are FEEL by their leading '='."""
    return ((where, text[1:].strip()) for where, text in texts if text and text.startswith("="))
