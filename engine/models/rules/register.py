"""The linter's rules. Each is one small function that yields findings; `rule` puts it on the register.

A rule looks at one of three things: a `process` (plain data, resolved), a `document` (one BPMN file's tree) or all `files`
of a check together. Rules marked `formal` hold a plain BPMN file to the letter of the standard; in the dialects of
Camunda and Flowable, whose tools leave such things out or give them a meaning of their own, they only warn. Rules marked
`running` matter to processes that are meant to run; in a drawing (`isExecutable="false"`) they warn, and deploying leaves
the drawing out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from engine.errors import Problem
from engine.models.elements import Element, Flow, ProcessModel, Wanted
from engine.models.files import Defined
from engine.models.read import Document
from engine.models.xml import BPMN, Node, name_of

Severity = Literal["error", "warning"]
Scope = Literal["process", "document", "files"]
Known = Callable[[str, str, str | None], bool]  # whether a kind and key are deployed, of a version tag when one is given


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a rule found: at what, in words, and a severity other than the rule's own when need be."""

    at: Node | Element | Flow | None
    message: str
    severity: Severity | None = None
    fix: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it holds, how to mend a breach, and the function that looks for breaches."""

    id: str
    title: str
    fix: str
    severity: Severity
    scope: Scope
    formal: bool
    running: bool
    look: Callable[..., Iterator[Finding]]


RULES: dict[str, Rule] = {}


def rule(
    key: str,
    fix: str,
    *,
    over: Scope = "process",
    severity: Severity = "error",
    formal: bool = False,
    running: bool = False,
) -> Callable[[Callable[..., Iterator[Finding]]], Callable[..., Iterator[Finding]]]:
    """Registers a rule, whose docstring says what it holds; it gets a `Process`, a `Sheet` or a `Bundle`, after `over`."""

    def register(look: Callable[..., Iterator[Finding]]) -> Callable[..., Iterator[Finding]]:
        if key in RULES:
            raise ValueError(f"two rules {key}")
        RULES[key] = Rule(key, (look.__doc__ or "").strip(), fix, severity, over, formal, running, look)
        return look

    return register


@dataclass
class Sheet:
    """One BPMN file under the linter: its tree with an index over it."""

    document: Document
    bundle: Bundle

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """Every BPMN element that has an id; of duplicates, the first."""
        found: dict[str, Node] = {}
        for node in self.all():
            key = node.get("id")
            if key:
                found.setdefault(key, node)
        return found

    def all(self, *names: str) -> Iterator[Node]:
        """Every BPMN element of these names, or all, in document order."""
        if names:
            yield from self.document.root.iter(*(f"{{{BPMN}}}{name}" for name in names))
        else:
            yield from (n for n in self.document.root.iter(f"{{{BPMN}}}*"))

    def kind(self, key: str | None) -> str:
        """The type of the element with that id, '' when there is none."""
        node = self.by_id.get(key or "")
        return "" if node is None else name_of(node)

    def runs(self, node: Node) -> bool:
        """Whether a node is in a process that says that it is executable."""
        process = next(node.iterancestors(f"{{{BPMN}}}process"), None)
        return process is not None and process.get("isExecutable") in ("true", "1")

    def parent(self, key: str | None) -> Node | None:
        """What the element with that id lies in directly."""
        node = self.by_id.get(key or "")
        return None if node is None else node.getparent()

    def processes(self) -> Iterator[Process]:
        """The processes of the file."""
        return (Process(model, self) for model in self.document.models)


@dataclass
class Process:
    """One process under the linter."""

    model: ProcessModel
    sheet: Sheet

    @property
    def elements(self) -> Mapping[str, Element]:
        """The flow nodes by id."""
        return self.model.elements

    @property
    def flows(self) -> Mapping[str, Flow]:
        """The sequence flows by id."""
        return self.model.flows

    def of(self, *types: str) -> Iterator[Element]:
        """The flow nodes of these types."""
        return (e for e in self.model.elements.values() if e.type in types)

    def levels(self) -> Iterator[str | None]:
        """None for the process itself, then the id of each subprocess."""
        yield None
        yield from (e.id for e in self.of("subProcess", "transaction", "adHocSubProcess"))


@dataclass
class Bundle:
    """Everything that is checked together, with what is known besides."""

    sheets: list[Sheet] = field(default_factory=list)
    defined: list[Defined] = field(default_factory=list)
    context: list[Document] = field(default_factory=list)
    feel: Callable[[str], list[str]] | None = None
    connectors: Collection[str] | None = None
    known: Known | None = None
    files: Collection[str] = ()

    def knows(self, kind: str, wanted: Wanted) -> bool:
        """Whether a process, decision or form is among the files or is deployed already, in the version that is wanted.

        Whatever is wanted in an unnamed version counts as known: that is another rule's finding.
        """
        if wanted.binding == "versionTag" and not wanted.version_tag:
            return True
        documents = [s.document for s in self.sheets] + self.context
        given = [("process", m.id, m.version_tag) for d in documents for m in d.models]
        given += [(d.kind, d.key, d.version_tag) for d in self.defined]
        tagged = wanted.binding == "versionTag"
        if any((what, key) == (kind, wanted.key) and (tag == wanted.version_tag or not tagged) for what, key, tag in given):
            return True
        return self.known is not None and self.known(kind, wanted.key, wanted.version_tag if tagged else None)


def run(bundle: Bundle) -> list[Problem]:
    """Every finding of every rule, in the order of the files and then of the rules."""
    problems: list[Problem] = []
    for sheet in bundle.sheets:
        processes = list(sheet.processes())
        for entry in RULES.values():
            if entry.scope == "document":
                problems += (_problem(entry, f, sheet) for f in entry.look(sheet))
            elif entry.scope == "process":
                problems += (_problem(entry, f, sheet, p) for p in processes for f in entry.look(p))
    for entry in RULES.values():
        if entry.scope == "files":
            problems += (_problem(entry, f, None) for f in entry.look(bundle))
    return problems


def _problem(entry: Rule, finding: Finding, sheet: Sheet | None, process: Process | None = None) -> Problem:
    severity = finding.severity or entry.severity
    lenient = entry.formal and sheet is not None and sheet.document.dialect
    drawing = entry.running and process is not None and not process.model.executable
    if finding.severity is None and (lenient or drawing):
        severity = "warning"
    key, kind = _place(finding.at)
    file = finding.file or (sheet.document.file if sheet else None)
    return Problem(entry.id, finding.message, finding.fix or entry.fix, key, kind, severity, file or None)


def _place(at: Node | Element | Flow | None) -> tuple[str | None, str | None]:
    if at is None:
        return None, None
    if isinstance(at, Element):
        return at.id, at.type
    if isinstance(at, Flow):
        return at.id, "sequenceFlow"
    return at.get("id"), name_of(at)
