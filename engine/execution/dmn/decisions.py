"""Deciding: a set of decision models goes into the isolate once, a decision with everything it requires is one trip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.errors import ExpressionFailed, NotFound
from engine.execution.dmn.elements import DecisionModel, Node, Requirement
from engine.execution.feel.isolate import ask
from engine.execution.feel.values import decode, encode


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that applied: its decision's id, its own id (None when the file gives none) and its number from 1."""

    decision: str
    rule: str | None
    number: int


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision came to."""

    result: Any
    hits: tuple[str, ...]  # ids of the rules that applied, in order; `decision#number` where a rule has no id
    trail: tuple[Hit, ...] = ()
    warnings: tuple[str, ...] = ()


def decide(models: DecisionModel | Sequence[DecisionModel], decision: str, inputs: Mapping[str, object]) -> Decided:
    """Evaluates a decision, decision service or knowledge model, given by id or name, with all that it requires.

    `models` is the decision's model, followed by those that it imports. Inputs are matched by the input data's names;
    a model without input data, or made for Camunda, sees all inputs. Raises NotFound when there is no such decision, and ExpressionFailed
    when an expression fails or rules overlap that must not.
    """
    given = (models,) if isinstance(models, DecisionModel) else tuple(models)
    node = _find(given, decision)
    key = _key(given)
    request = {
        "action": "decide",
        "key": key,
        "node": f"{node[0].namespace}#{node[1].id}",
        "inputs": encode(_relevant(given, node[1], inputs), "inputs"),
    }
    try:
        answer = ask(request)
        if answer.get("unknown"):
            answer = ask(request | {"models": compiled(given)})
    except ExpressionFailed as error:
        raise ExpressionFailed(f"Decision {decision}: {error.message}", decision=decision) from error
    return _decided(decision, answer)


def _relevant(models: tuple[DecisionModel, ...], node: Node, inputs: Mapping[str, object]) -> dict[str, object]:
    """The inputs that the models can ask for: the rest need not make the trip."""
    if node.kind == "decision" and any(model.open for model in models):
        return dict(inputs)
    names = {one.name for model in models for one in model.inputs} | {one.alias for model in models for one in model.imports}
    if node.kind != "decision":
        names |= {one["name"] for one in (node.expression or {}).get("parameters", ())}
        names |= {other.name for model in models for other in model.nodes}
    return {name: value for name, value in inputs.items() if name in names or name.partition(".")[0] in names}


def _find(models: tuple[DecisionModel, ...], decision: str) -> tuple[DecisionModel, Node]:
    for model in models:
        node = model.find(decision)
        if node is not None:
            return model, node
    known = ", ".join(node.id for model in models for node in model.decisions) or "none"
    raise NotFound(f"There is no decision {decision}; the file has: {known}.")


def _decided(decision: str, answer: dict[str, Any]) -> Decided:
    if "error" in answer:
        at = f" at {answer['element']}" if answer["element"] else ""
        text = f", FEEL `{answer['text']}`" if answer["text"] else ""
        cause = answer["error"].rstrip(".")
        raise ExpressionFailed(
            f"Decision {decision}{at}{text}: {cause}.", decision=decision, element=answer["element"], expression=answer["text"], cause=cause
        )
    trail = tuple(Hit(hit["decision"], hit["rule"], hit["number"]) for hit in answer["hits"])
    notes = [f"{note['element']}: {note['message']}" for note in answer["notes"]]
    warnings = [f"{message} in `{text}`" for _, message, _, _, text in answer["warnings"]]
    if answer["lost"]:
        notes.append(f"The result held {answer['lost'][0]}, which became null.")
    return Decided(
        result=decode(answer["value"]),
        hits=tuple(hit.rule or f"{hit.decision}#{hit.number}" for hit in trail),
        trail=trail,
        warnings=tuple(dict.fromkeys(notes + warnings)),
    )


@lru_cache(maxsize=256)
def _key_of(keys: tuple[str, ...]) -> str:
    return hashlib.sha256(" ".join(keys).encode()).hexdigest()


def _key(models: tuple[DecisionModel, ...]) -> str:
    return _key_of(tuple(model.key for model in models))


def compiled(models: Sequence[DecisionModel]) -> dict[str, Any]:
    """A set of models as the isolate keeps it."""
    nodes: dict[str, Any] = {}
    paths = _paths(models)
    for model in models:
        aliases = {one.namespace: one.alias for one in model.imports}
        for node in model.nodes:
            compiled_node = _compiled_node(model, node, aliases)
            nodes[f"{model.namespace}#{node.id}"] = compiled_node | {"path": paths.get(model.namespace, [])}
    for node in nodes.values():
        _drop_unknown(node, nodes)
    return {
        "nodes": nodes,
        "types": {model.namespace: model.types for model in models},
        "imports": {model.namespace: {one.alias: one.namespace for one in model.imports} for model in models},
    }


def _paths(models: Sequence[DecisionModel]) -> dict[str, list[str]]:
    """By which imports the first model reaches each namespace."""
    by_namespace = {model.namespace: model for model in models}
    paths: dict[str, list[str]] = {models[0].namespace: []}
    waiting = [models[0]]
    for model in waiting:
        for one in model.imports:
            if one.namespace not in paths and one.namespace in by_namespace:
                paths[one.namespace] = [*paths[model.namespace], one.alias] if one.alias else paths[model.namespace]
                waiting.append(by_namespace[one.namespace])
    return paths


def _compiled_node(model: DecisionModel, node: Node, aliases: dict[str, str]) -> dict[str, Any]:
    def reference(one: Requirement) -> dict[str, Any]:
        return {"key": one.key, "alias": None if one.namespace == model.namespace else aliases.get(one.namespace) or None}

    return {
        "kind": node.kind,
        "id": node.id,
        "name": node.name,
        "type": node.type,
        "namespace": model.namespace,
        "open": node.kind == "decision" and model.open,
        "requires": [reference(one) for one in node.requires],
        "outputs": [one.key for one in node.outputs],
        "parameters": _parameters(node),
        "expression": node.expression if node.kind == "decision" else None,
        "function": node.expression if node.kind == "knowledge" else None,
    }


def _drop_unknown(node: dict[str, Any], nodes: dict[str, Any]) -> None:
    """Leaves out what a model requires but no given model has; `problems` reports it at deploy."""
    node["requires"] = [one for one in node["requires"] if one["key"] in nodes]
    node["outputs"] = [key for key in node["outputs"] if key in nodes]
    if node["kind"] == "service":
        node["parameters"] = [{"key": one["key"], "name": nodes[one["key"]]["name"]} for one in node["parameters"] if one["key"] in nodes]


def _parameters(node: Node) -> list[dict[str, Any]]:
    if node.kind == "service":
        return [{"key": one.key} for one in node.inputs]
    if node.kind == "knowledge" and node.expression is not None:
        return [{"key": "", **one} for one in node.expression["parameters"]]
    return []
