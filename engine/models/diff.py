"""What changed between two versions of a diagram, in the words of the model and not of its XML.

The change rows are data for two languages: kinds, element types and property names are stable words that the web translates;
names and values are the model's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from engine.models.elements import CalledElement, Element, EventDefinition, Flow, Loop, ProcessModel, VariableMapping
from engine.models.read import Document, document
from engine.models.xml import attribute, bare, name_of

ChangeKind = Literal["added", "removed", "changed", "moved"]

# properties of elements that are compared as they stand, by the word that the change shows
PLAIN = {
    "name": "name", "documentation": "documentation", "form_id": "form", "assignee": "assignee", "candidate_groups": "role",
    "candidate_users": "users", "due": "due", "follow_up": "followUp", "priority": "priority", "job_type": "connector", "retries": "retries",
    "script": "script", "result_variable": "resultVariable", "decision_id": "decision", "decision_binding": "decisionBinding",
    "form_binding": "formBinding", "default": "defaultFlow", "attached_to": "attachedTo", "interrupting": "interrupting",
    "triggered": "eventSubprocess", "for_compensation": "forCompensation", "compensation_handler": "compensationHandler",
    "instantiate": "instantiate", "gateway_kind": "gatewayKind", "lane": "lane", "parallel_multiple": "parallelMultiple",
    "form_version_tag": "formVersionTag", "decision_version_tag": "decisionVersionTag", "template": "template",
}  # fmt: skip
EVENT_WORDS = {"kind": "trigger", "name": "eventName", "correlation": "correlationKey", "timer": "timerKind", "value": "timer",
               "activity": "compensates", "wait": "waitForCompletion"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `property` names what changed, with `old` and `new`; for added and removed elements it is None."""

    kind: ChangeKind
    element: str
    element_type: str
    name: str | None
    property: str | None = None
    old: str | None = None
    new: str | None = None


def diff(old: bytes, new: bytes) -> list[Change]:
    """The changes from one BPMN file to another; the same two files always give the same list.

    Processes are matched by id, and a single process of each file also when its id changed. `moved` means another
    subprocess (property `parent`), or another place in the drawing (property `place`).
    """
    before, after = document(old), document(new)
    pairs = _pairs(before.models, after.models)
    changes = [c for one, other in pairs for c in _process(one, other)]
    return changes + list(_drawn(before, after, changes))


def _pairs(before: list[ProcessModel], after: list[ProcessModel]) -> list[tuple[ProcessModel | None, ProcessModel | None]]:
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    olds, news = {m.id: m for m in before}, {m.id: m for m in after}
    return [(olds.get(key), news.get(key)) for key in [*olds, *(k for k in news if k not in olds)]]


def _process(old: ProcessModel | None, new: ProcessModel | None) -> Iterator[Change]:
    if old is None or new is None:
        there = old or new
        assert there is not None
        yield Change("added" if old is None else "removed", there.id, "process", there.name)
    else:
        for word in ("id", "name", "version_tag", "executable", "documentation"):
            yield from _changed(new.id, "process", new.name, _word(word), getattr(old, word), getattr(new, word))
        yield from _texts(new.id, "process", new.name, "property", old.properties, new.properties)
    yield from _elements(old.elements if old else {}, new.elements if new else {})
    yield from _flows(old, new)


def _word(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _elements(olds: Mapping[str, Element], news: Mapping[str, Element]) -> Iterator[Change]:
    for key, old in olds.items():
        new = news.get(key)
        if new is None:
            yield Change("removed", key, old.type, old.name)
        else:
            yield from _element(old, new)
    yield from (Change("added", key, new.type, new.name) for key, new in news.items() if key not in olds)


def _element(old: Element, new: Element) -> Iterator[Change]:
    key, kind, name = new.id, new.type, new.name
    yield from _changed(key, kind, name, "type", old.type, new.type)
    if old.parent != new.parent:
        yield Change("moved", key, kind, name, "parent", old.parent, new.parent)
    for field, word in PLAIN.items():
        yield from _changed(key, kind, name, word, getattr(old, field), getattr(new, field))
    yield from _texts(key, kind, name, "input", _mapped(old.inputs), _mapped(new.inputs))
    yield from _texts(key, kind, name, "output", _mapped(old.outputs), _mapped(new.outputs))
    yield from _texts(key, kind, name, "header", old.headers, new.headers)
    yield from _texts(key, kind, name, "property", old.properties, new.properties)
    yield from _texts(key, kind, name, "calls", _parts(old.called), _parts(new.called))
    yield from _texts(key, kind, name, "loop", _parts(old.loop), _parts(new.loop))
    yield from _events(old, new)


def _events(old: Element, new: Element) -> Iterator[Change]:
    for number in range(max(len(old.events), len(new.events))):
        one, other = (e.events[number] if number < len(e.events) else None for e in (old, new))
        suffix = f" {number + 1}" if number else ""
        for field, word in EVENT_WORDS.items():
            before, after = _of_event(one, field), _of_event(other, field)
            yield from _changed(new.id, new.type, new.name, f"{word}{suffix}", before, after)


def _of_event(event: EventDefinition | None, field: str) -> Any:
    """An event definition's field; whether it waits matters to compensation alone."""
    if event is None or (field == "wait" and event.kind != "compensation"):
        return None
    return getattr(event, field)


def _flows(old: ProcessModel | None, new: ProcessModel | None) -> Iterator[Change]:
    olds: Mapping[str, Flow] = old.flows if old else {}
    news: Mapping[str, Flow] = new.flows if new else {}
    for key, before in olds.items():
        after = news.get(key)
        if after is None:
            yield Change("removed", key, "sequenceFlow", before.name, "flow", f"{before.source} → {before.target}", None)
            continue
        for word in ("source", "target", "condition", "name"):
            yield from _changed(key, "sequenceFlow", after.name, word, getattr(before, word), getattr(after, word))
    for key, after in news.items():
        if key not in olds:
            yield Change("added", key, "sequenceFlow", after.name, "flow", None, f"{after.source} → {after.target}")
            yield from _changed(key, "sequenceFlow", after.name, "condition", None, after.condition)


def _changed(key: str, kind: str, name: str | None, word: str, old: Any, new: Any) -> Iterator[Change]:
    if old != new:
        yield Change("changed", key, kind, name, word, _text(old), _text(new))


def _texts(key: str, kind: str, name: str | None, word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Changes of a mapping, one for each key."""
    for part in [*old, *(p for p in new if p not in old)]:
        yield from _changed(key, kind, name, f"{word} {part}", old.get(part), new.get(part))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _mapped(mappings: Iterable[VariableMapping]) -> dict[str, str]:
    return {m.target: m.source for m in mappings}


def _parts(value: CalledElement | Loop | None) -> dict[str, Any]:
    return {} if value is None else {_word(f.name): getattr(value, f.name) for f in fields(value) if getattr(value, f.name) is not None}


def _drawn(before: Document, after: Document, changes: list[Change]) -> Iterator[Change]:
    """Elements that stand elsewhere in the drawing; those that are new or gone are not moved."""
    olds, news = _places(before), _places(after)
    known = {e.id: e for m in after.models for e in m.elements.values()}
    fresh = {c.element for c in changes if c.kind in ("added", "removed")}
    for key, place in news.items():
        if key in known and key in olds and key not in fresh and olds[key] != place:
            yield Change("moved", key, known[key].type, known[key].name, "place", olds[key], place)


def _places(document: Document) -> dict[str, str]:
    found = {}
    for shape in document.root.iter("{http://www.omg.org/spec/BPMN/20100524/DI}BPMNShape"):
        bounds = next((c for c in shape if name_of(c) == "Bounds"), None)
        if bounds is not None:
            x, y = (round(float(attribute(bounds, n) or 0)) for n in ("x", "y"))
            found[bare(shape.get("bpmnElement")) or ""] = f"{x},{y}"
    return found
