"""Tiny BPMN models for tests: elements as calls, flows as arrows.

process(start(), user("look"), end(), flows="start -> look -> end")
process(…, flows=["g -> big : amount > 100", "g -> small : default"])
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from xml.sax.saxutils import quoteattr

ROOTS: dict[str, str] = {}  # messages, signals, errors and escalations by id; a model gets those that it refers to
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"'
    ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' id="d" targetNamespace="test">'
)


def tag(name: str, /, *inner: str, **attributes: object) -> str:
    """An XML element; None leaves an attribute out, `x_` means `x`, `zeebe_x` means `zeebe:x`."""
    name = name.replace("zeebe_", "zeebe:")
    written = "".join(
        f" {key.rstrip('_')}={quoteattr(str(value).lower() if isinstance(value, bool) else str(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(inner)}</{name}>" if inner else f"<{name}{written}/>"


def more(*inner: str) -> str:
    """extensionElements, when there are any."""
    kept = [part for part in inner if part]
    return tag("extensionElements", *kept) if kept else ""


def mappings(inputs: dict[str, str] | None, outputs: dict[str, str] | None) -> str:
    """zeebe:ioMapping: target → source."""
    rows = [tag("zeebe_input", source=s, target=t) for t, s in (inputs or {}).items()]
    rows += [tag("zeebe_output", source=s, target=t) for t, s in (outputs or {}).items()]
    return tag("zeebe_ioMapping", *rows) if rows else ""


def element(
    type_: str,
    id: str,
    *inner: str,
    ext: str = "",
    inputs: dict[str, str] | None = None,
    outputs: dict[str, str] | None = None,
    **attributes: object,
) -> str:
    """Any flow node."""
    return tag(type_, more(ext, mappings(inputs, outputs)), *inner, id=id, **attributes)


# -- events ---------------------------------------------------------------------------------------------------------------


def _root(kind: str, name: str, inner: str = "", **attributes: object) -> str:
    id = f"{kind}_{re.sub(r'[^A-Za-z0-9]', '_', name + inner)}"
    ROOTS[id] = tag(kind, inner, id=id, name=name, **attributes) if inner else tag(kind, id=id, name=name, **attributes)
    return id


def message(name: str, key: str | None = None) -> str:
    """A message event definition."""
    return tag("messageEventDefinition", messageRef=message_ref(name, key))


def message_ref(name: str, key: str | None = None) -> str:
    """The id of a message, which gets declared."""
    return _root("message", name, more(tag("zeebe_subscription", correlationKey=key)) if key else "")


def signal(name: str) -> str:
    return tag("signalEventDefinition", signalRef=_root("signal", name))


def error(code: str | None = None) -> str:
    """An error event definition; without a code it catches all."""
    return tag("errorEventDefinition", errorRef=None if code is None else _root("error", code, errorCode=code))


def escalation(code: str | None = None) -> str:
    return tag("escalationEventDefinition", escalationRef=None if code is None else _root("escalation", code, escalationCode=code))


def timer(kind: str, value: str) -> str:
    """kind: Date, Duration or Cycle."""
    return tag("timerEventDefinition", tag(f"time{kind}", escape(value), **{"xsi:type": "tFormalExpression"}))


def condition(expression: str) -> str:
    return tag("conditionalEventDefinition", tag("condition", escape(expression), **{"xsi:type": "tFormalExpression"}))


def link(name: str) -> str:
    return tag("linkEventDefinition", name=name)


def compensate(activity: str | None = None) -> str:
    return tag("compensateEventDefinition", activityRef=activity)


def terminate() -> str:
    return tag("terminateEventDefinition")


def cancel() -> str:
    return tag("cancelEventDefinition")


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def start(id: str = "start", *events: str, interrupting: bool = True, **kw: object) -> str:
    return element("startEvent", id, *events, isInterrupting=None if interrupting else False, **kw)  # type: ignore[arg-type]


def end(id: str = "end", *events: str, **kw: object) -> str:
    return element("endEvent", id, *events, **kw)  # type: ignore[arg-type]


def catch(id: str, *events: str, **kw: object) -> str:
    return element("intermediateCatchEvent", id, *events, **kw)  # type: ignore[arg-type]


def throw(id: str, *events: str, **kw: object) -> str:
    return element("intermediateThrowEvent", id, *events, **kw)  # type: ignore[arg-type]


def boundary(id: str, on: str, *events: str, interrupting: bool = True, **kw: object) -> str:
    return element("boundaryEvent", id, *events, attachedToRef=on, cancelActivity=None if interrupting else False, **kw)  # type: ignore[arg-type]


def compensation_boundary(on: str, handler: str) -> str:
    """A compensation event on an activity, associated with its handler."""
    id = f"undo_{on}"
    return boundary(id, on, compensate()) + tag(
        "association", id=f"association_{on}", sourceRef=id, targetRef=handler, associationDirection="One"
    )


# -- activities -----------------------------------------------------------------------------------------------------------


def user(id: str, *inner: str, groups: str | None = None, ext: str = "", **kw: object) -> str:
    assigned = tag("zeebe_assignmentDefinition", candidateGroups=groups) if groups else ""
    return element("userTask", id, *inner, ext=assigned + ext, **kw)  # type: ignore[arg-type]


def service(id: str, *inner: str, type_: str = "work", retries: str | None = None, **kw: object) -> str:
    return element("serviceTask", id, *inner, ext=tag("zeebe_taskDefinition", type=type_, retries=retries), **kw)  # type: ignore[arg-type]


def script(id: str, expression: str, into: str, *inner: str, **kw: object) -> str:
    return element("scriptTask", id, *inner, ext=tag("zeebe_script", expression=expression, resultVariable=into), **kw)  # type: ignore[arg-type]


def note(id: str, into: str = "path", *inner: str, **kw: object) -> str:
    """A script that appends its id to a list: shows that it ran, and in which order."""
    return script(id, f'=append(if {into} = null then [] else {into}, "{id}")', into, *inner, **kw)


def task(id: str, *inner: str, **kw: object) -> str:
    return element("task", id, *inner, **kw)  # type: ignore[arg-type]


def receive(id: str, name: str, key: str | None = None, *inner: str, **kw: object) -> str:
    return element("receiveTask", id, *inner, messageRef=message_ref(name, key), **kw)  # type: ignore[arg-type]


def send(id: str, name: str, key: str | None = None, *inner: str, **kw: object) -> str:
    return element("sendTask", id, *inner, messageRef=message_ref(name, key), **kw)  # type: ignore[arg-type]


def call(
    id: str, process_id: str, *inner: str, binding: str | None = None, tagged: str | None = None,
    all_in: bool | None = None, all_out: bool | None = None, **kw: object,
) -> str:  # fmt: skip
    called = tag(
        "zeebe_calledElement", processId=process_id, bindingType=binding, versionTag=tagged,
        propagateAllParentVariables=all_in, propagateAllChildVariables=all_out,
    )  # fmt: skip
    return element("callActivity", id, *inner, ext=called, **kw)  # type: ignore[arg-type]


def sub(id: str, *parts: str, flows: str | Iterable[str] = (), type_: str = "subProcess", loop: str = "", **kw: object) -> str:
    return element(type_, id, loop, *parts, arrows(flows, parts), **kw)  # type: ignore[arg-type]


def event_sub(id: str, *parts: str, flows: str | Iterable[str] = ()) -> str:
    return sub(id, *parts, flows=flows, triggeredByEvent=True)


def each(
    collection: str, item: str = "item", *, sequential: bool = False, out: str | None = None, of: str | None = None, until: str | None = None
) -> str:
    """Multi-instance over a collection; `out` gathers `of`, `until` completes early."""
    loop = tag("zeebe_loopCharacteristics", inputCollection=collection, inputElement=item, outputCollection=out, outputElement=of)
    done = tag("completionCondition", escape(until), **{"xsi:type": "tFormalExpression"}) if until else ""
    return tag("multiInstanceLoopCharacteristics", more(loop), done, isSequential=sequential or None)


def repeat(condition: str | None = None, *, maximum: int | None = None, before: bool = False) -> str:
    """A standard loop: on while the condition holds."""
    inner = tag("loopCondition", escape(condition), **{"xsi:type": "tFormalExpression"}) if condition else ""
    return tag("standardLoopCharacteristics", inner, testBefore=before or None, loopMaximum=maximum)


def xor(id: str, default: str | None = None, **kw: object) -> str:
    return element("exclusiveGateway", id, default=default, **kw)  # type: ignore[arg-type]


def both(id: str) -> str:
    return element("parallelGateway", id)


def some(id: str, default: str | None = None) -> str:
    return element("inclusiveGateway", id, default=default)


def race(id: str) -> str:
    return element("eventBasedGateway", id)


# -- putting it together --------------------------------------------------------------------------------------------------


def arrows(flows: str | Iterable[str], parts: Iterable[str] = ()) -> str:
    """Sequence flows from `a -> b -> c`, `g -> b : condition`. A flow's id is `a_b`."""
    found = []
    for line in [flows] if isinstance(flows, str) else flows:
        path, _, when = line.partition(" : ")
        names = [name.strip() for name in path.split("->")]
        for source, target in pairwise(names):
            inner = tag("conditionExpression", "=" + escape(when), **{"xsi:type": "tFormalExpression"}) if when else ""
            found.append(tag("sequenceFlow", inner, id=f"{source}_{target}", sourceRef=source, targetRef=target))
    return "".join(found)


def process(*parts: str, flows: str | Iterable[str] = (), id: str = "p", version_tag: str | None = None) -> bytes:
    """A file with one process."""
    return diagram(pool(*parts, flows=flows, id=id, version_tag=version_tag))


def pool(*parts: str, flows: str | Iterable[str] = (), id: str = "p", version_tag: str | None = None) -> str:
    """One process of a file."""
    tagged = more(tag("zeebe_versionTag", value=version_tag)) if version_tag else ""
    return tag("process", tagged, *parts, arrows(flows, parts), id=id, isExecutable=True)


def diagram(*pools: str) -> bytes:
    """A file with several processes and what they refer to."""
    body = "".join(pools)
    roots = [xml for id, xml in ROOTS.items() if f'Ref="{id}"' in body]
    return (HEAD + "".join(roots) + body + "</definitions>").encode()
