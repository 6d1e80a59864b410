"""What is wrong with a decision model, found before it is deployed. Each finding names its element, its reason and its mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from engine.errors import Problem
from engine.execution.dmn.elements import Boxed, DecisionModel, Node, nested
from engine.execution.dmn.tables import table_problems
from engine.execution.dmn.texts import Texts, known_types, visible_names

FEEL_LANGUAGES = ("", "feel")
KINDS = {"input": "inputData", "decision": "decision", "knowledge": "businessKnowledgeModel", "service": "decisionService"}


def problems(model: DecisionModel, others: Sequence[DecisionModel] = (), file: str | None = None) -> list[Problem]:
    """All findings about a model; `others` are the models that it may import."""
    found = [*_graph(model, others)]
    for node in model.nodes:
        found += _node(model, node, others)
    return [Problem(one.rule, one.message, one.fix, one.element, one.element_type, one.severity, file or one.file) for one in found]


def _graph(model: DecisionModel, others: Sequence[DecisionModel]) -> Iterator[Problem]:
    known = {f"{one.namespace}#{node.id}" for one in (model, *others) for node in one.nodes}
    given = {one.namespace for one in (model, *others)}
    for one in model.imports:
        if one.namespace not in given:
            yield Problem("dmn-import", f"The imported model {one.alias} ({one.namespace}) is not there.", "Give its file along.")
    for node in model.nodes:
        for required in (*node.requires, *node.outputs, *node.inputs):
            if required.key not in known and required.namespace in given:
                yield _problem("dmn-requirement", node, f"It requires {required.id}, which does not exist.", "Remove or redraw the arrow.")
    for (kind, name), count in Counter((KINDS[node.kind], node.name) for node in model.nodes).items():
        if count > 1:
            yield Problem("dmn-name", f"{count} elements are called {name}.", "Give each its own name.", name, kind)
    for name, count in Counter(node.id for node in model.nodes).items():
        if count > 1:
            yield Problem("dmn-id", f"{count} elements have the id {name}.", "Give each its own id.", name)
    yield from _cycles(model)


def _cycles(model: DecisionModel) -> Iterator[Problem]:
    """Decisions that require themselves; knowledge models may, for they can recurse."""
    requires = {node.id: [one.id for one in node.requires] for node in model.decisions}
    done: set[str] = set()

    def walk(at: str, path: list[str]) -> list[str] | None:
        if at in path:
            return path[path.index(at) :]
        if at in done or at not in requires:
            return None
        done.add(at)
        return next((cycle for one in requires[at] if (cycle := walk(one, [*path, at]))), None)

    for node in model.decisions:
        cycle = walk(node.id, [])
        if cycle:
            yield _problem("dmn-cycle", node, f"It requires itself by way of {' → '.join(cycle)}.", "Break the circle of arrows.")


def _problem(rule: str, node: Node, message: str, fix: str) -> Problem:
    return Problem(rule, f"{node.name}: {message}", fix, node.id, KINDS[node.kind])


def _node(model: DecisionModel, node: Node, others: Sequence[DecisionModel]) -> Iterator[Problem]:
    types = known_types(model, others)
    if node.type and node.type not in types:
        yield _problem("dmn-type", node, f"There is no type {node.type}.", "Define it, or choose another type.")
    if node.kind in ("decision", "knowledge") and node.expression is None:
        yield _problem("dmn-no-logic", node, "It has no logic and would always be null.", "Give it a table or an expression.")
    if node.kind == "service" and not node.outputs:
        yield _problem("dmn-no-logic", node, "It has no output decision.", "Name the decisions that it answers with.")
    severity: Literal["error", "warning"] | None = "error"
    if node.kind == "decision" and model.open:
        severity = "warning" if model.inputs else None
    texts = Texts(node.name, visible_names(model, node, others), severity)
    for boxed in nested(node.expression):
        element = boxed["id"] or node.id
        if boxed["type"] and boxed["type"] not in types:
            yield Problem("dmn-type", f"{node.name}: there is no type {boxed['type']}.", "Define it.", element, boxed["kind"])
        yield from _boxed(node, boxed, element, texts)


def _boxed(node: Node, boxed: Boxed, element: str, texts: Texts) -> Iterator[Problem]:
    kind = boxed["kind"]
    if kind == "literal":
        if _foreign(boxed.get("language")):
            yield _language(node, element, str(boxed["language"]))
        elif boxed["text"].strip():
            yield from texts.check(boxed["text"], element, "literalExpression")
        else:
            yield Problem("dmn-empty", f"{node.name}: an expression is empty and would be null.", "Fill it in.", element, kind, "warning")
    elif kind == "function" and boxed["language"] != "FEEL":
        yield Problem(
            "dmn-external",
            f"{node.name}: a function in {boxed['language']} is never run.",
            "Write its body in FEEL.",
            element,
            "functionDefinition",
        )
    elif kind == "table":
        for one in boxed["inputs"]:
            if _foreign(one["language"]):
                yield _language(node, element, str(one["language"]))
        for rule in boxed["rules"]:
            for language in filter(_foreign, rule["languages"]):
                yield _language(node, rule["id"] or element, language)
        yield from table_problems(node, boxed, element, texts)


def _foreign(language: str | None) -> bool:
    """Whether an expression is written in something else than FEEL; the namespaces of FEEL's versions all end so."""
    return bool(language) and (language or "").rstrip("/").rpartition("/")[2].lower() not in FEEL_LANGUAGES


def _language(node: Node, element: str, language: str) -> Problem:
    return Problem("dmn-language", f"{node.name}: expressions in {language} are not evaluated.", "Write it in FEEL.", element)
