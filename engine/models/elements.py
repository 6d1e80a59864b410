"""What a BPMN file means to us: plain data between the reader, the linter, the differ and the compiler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal[
    "none", "message", "timer", "signal", "error", "escalation", "compensation", "conditional", "link", "terminate", "cancel", "multiple"
]


@dataclass(frozen=True, slots=True)
class VariableMapping:
    """One `zeebe:input` or `zeebe:output`: FEEL (or a literal) `source` into the variable path `target`."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Multi-instance or standard loop. `collection`… are FEEL; `parallel` False means one after the other."""

    kind: Literal["multi", "standard"]
    parallel: bool = True
    collection: str | None = None  # FEEL giving a list
    element: str | None = None  # local variable that holds the item
    output_collection: str | None = None
    output_element: str | None = None  # FEEL, evaluated in each iteration's scope
    completion: str | None = None  # FEEL, multi-instance: stop early when true
    condition: str | None = None  # FEEL, standard loop: go on while true
    test_before: bool = False
    maximum: int | None = None
    cardinality: str | None = None  # FEEL giving a count, when there is no collection


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """What an event throws or waits for."""

    kind: EventKind
    ref: str | None = None  # id of the message, signal, error or escalation
    name: str | None = None  # message or signal name (literal or FEEL with '='), error or escalation code, link name
    correlation: str | None = None  # FEEL, for catching messages
    timer: Literal["date", "duration", "cycle"] | None = None
    value: str | None = None  # the timer's text or the conditional event's condition
    activity: str | None = None  # compensation: activityRef
    wait: bool = True  # compensation throw: go on only when the handlers are done
    id: str | None = None  # the definition's own id, when it has one


Binding = Literal["latest", "deployment", "versionTag"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A process, decision or form that an element refers to, and in which version.

    That is the newest, the newest when the element's own process was deployed, or the newest of a version tag.
    """

    key: str
    binding: Binding = "latest"
    version_tag: str | None = None

    def __str__(self) -> str:
        return f"{self.key} tagged {self.version_tag}" if self.binding == "versionTag" else self.key


@dataclass(frozen=True, slots=True)
class CalledElement:
    """`zeebe:calledElement`."""

    process_id: str  # literal or FEEL with '='
    binding: Binding = "latest"
    version_tag: str | None = None
    all_in: bool = True
    all_out: bool = True


@dataclass(frozen=True, slots=True)
class Element:
    """One flow node of a process. `type` is BPMN's own local name (userTask, startEvent, exclusiveGateway …)."""

    id: str
    type: str
    name: str | None = None
    parent: str | None = None  # id of the enclosing subprocess; None in the process itself
    lane: str | None = None  # name of the innermost lane
    lane_role: str | None = None  # the candidate group that the lane stands for
    incoming: tuple[str, ...] = ()  # sequence flow ids in document order
    outgoing: tuple[str, ...] = ()
    default: str | None = None  # id of the default flow
    events: tuple[EventDefinition, ...] = ()
    attached_to: str | None = None  # boundary events
    interrupting: bool = True  # boundary events and event-subprocess starts
    parallel_multiple: bool = False
    triggered: bool = False  # subprocess: triggeredByEvent
    for_compensation: bool = False
    compensation_handler: str | None = None  # compensation boundary: the associated activity
    loop: Loop | None = None
    inputs: tuple[VariableMapping, ...] = ()
    outputs: tuple[VariableMapping, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)  # zeebe:properties
    headers: Mapping[str, str] = field(default_factory=dict)  # zeebe:taskHeaders
    # user task
    form_id: str | None = None
    assignee: str | None = None
    candidate_groups: str | None = None  # literal comma list or FEEL
    candidate_users: str | None = None
    due: str | None = None
    follow_up: str | None = None
    priority: str | None = None
    # work
    job_type: str | None = None  # zeebe:taskDefinition type
    retries: str | None = None
    template: str | None = None  # zeebe:modelerTemplate
    script: str | None = None
    result_variable: str | None = None
    decision_id: str | None = None
    decision_binding: Binding = "latest"
    called: CalledElement | None = None
    documentation: str | None = None
    instantiate: bool = False  # receive task / event gateway that starts a process
    gateway_kind: str | None = None  # eventBasedGateway: Exclusive or Parallel
    script_format: str | None = None  # None and 'feel' are FEEL; the linter refuses all else
    form_binding: Binding = "latest"
    form_version_tag: str | None = None
    decision_version_tag: str | None = None

    def form(self, key: str) -> Wanted:
        """The version of the form `key` that its task shows."""
        return Wanted(key, self.form_binding, self.form_version_tag)

    def decision(self, key: str) -> Wanted:
        """The version of the decision `key` that it takes."""
        return Wanted(key, self.decision_binding, self.decision_version_tag)

    def refers(self) -> Iterator[tuple[str, Wanted]]:
        """Each process, decision and form that it names, with its kind."""
        if self.called is not None:
            yield "process", Wanted(self.called.process_id, self.called.binding, self.called.version_tag)
        if self.decision_id is not None:
            yield "decision", self.decision(self.decision_id)
        if self.form_id is not None:
            yield "form", self.form(self.form_id)

    @property
    def groups(self) -> str | None:
        """Who may claim a user task: its own candidate groups (a list or FEEL), else its lane's role."""
        return self.candidate_groups or self.lane_role

    @property
    def tag(self) -> str | None:
        """The KPI tag (`carelane:tag`)."""
        return self.properties.get("carelane:tag")

    def label(self, lang: str = "en") -> str:
        """The element's name in `lang`, falling back to the diagram's name, then to the id."""
        return self.properties.get(f"carelane:name:{lang}") or self.name or self.id


@dataclass(frozen=True, slots=True)
class Flow:
    """A sequence flow."""

    id: str
    source: str
    target: str
    name: str | None = None
    condition: str | None = None  # FEEL, without a leading '='
    parent: str | None = None


@dataclass(frozen=True)
class ProcessModel:
    """One process of a BPMN file, normalised: every event, flow and reference is resolved."""

    id: str
    name: str | None
    elements: Mapping[str, Element]  # in document order, subprocess content included
    flows: Mapping[str, Flow]
    version_tag: str | None = None
    executable: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)
    documentation: str | None = None

    def inside(self, parent: str | None) -> Iterator[Element]:
        """The flow nodes directly inside a subprocess, or of the process itself for None."""
        return (e for e in self.elements.values() if e.parent == parent)

    def label(self, lang: str = "en") -> str:
        """The process's title in `lang`."""
        return self.properties.get(f"carelane:name:{lang}") or self.name or self.id
