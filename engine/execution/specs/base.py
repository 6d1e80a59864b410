"""What all elements share: a token enters, perhaps waits, and leaves along its outgoing flows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from SpiffWorkflow.specs.base import TaskSpec
from SpiffWorkflow.specs.WorkflowSpec import WorkflowSpec

from engine.errors import CarelaneError, ExpressionFailed
from engine.execution import feel
from engine.execution.tokens import Token
from engine.models.elements import Element, Flow, VariableMapping


class Stuck(CarelaneError):
    """A token cannot go on; `kind` names the incident."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class ElementSpec(TaskSpec):
    """One element. `enter` does its work (False: it waits), `leave` takes its result and goes on."""

    records_entry = False  # waiting elements and tagged ones are recorded when entered too

    def __init__(self, wf_spec: WorkflowSpec, element: Element) -> None:
        super().__init__(wf_spec, element.id)
        self.element = element

    def _run_hook(self, token: Token) -> bool | None:
        if token.notes.get("phase") != "leave":
            if not self.enter(token):
                return None
            token.notes["phase"] = "leave"
        self.leave(token)
        return True

    def enter(self, token: Token) -> bool:
        """Does the element's work; False when the token must wait for something."""
        return True

    def leave(self, token: Token) -> None:
        """Writes what came in, then takes the outgoing flows."""
        if "loop" not in token.notes and ("result" in token.notes or self.element.outputs):  # a loop's iterations have written theirs
            self.write_result(token, token.notes.get("result", {}))
        token.notes.pop("result", None)
        self.go_on(token)

    def write_result(self, token: Token, result: Mapping[str, Any]) -> None:
        """Applies the output mappings to `result`, or writes all of it when there are none."""
        if self.element.outputs:
            token.scope_write(mapped(self.element.outputs, ChainMap(dict(result), token.variables())))
        else:
            token.write(dict(result))

    def go_on(self, token: Token) -> None:
        """Sends tokens along the chosen flows."""
        token.scope.run.take(token, self.choose(token))

    def choose(self, token: Token) -> list[Flow]:
        """The outgoing flows to take: those without a condition, those whose condition holds; the default when none holds."""
        flows = [token.scope.compiled.flow(id) for id in self.element.outgoing]
        if not any(flow.condition for flow in flows):
            return flows
        asked = [flow for flow in flows if flow.id != self.element.default]
        chosen = list(holding(token, asked))
        if any(flow.condition for flow in chosen) or (chosen and self.element.default is None):
            return chosen
        return [*chosen, *self.default_flow(token)]

    def default_flow(self, token: Token) -> list[Flow]:
        """The default flow; Stuck when there is none."""
        if self.element.default is None:
            raise Stuck("no_flow", f"No outgoing flow of {self.element.label()} has a true condition, and there is no default flow.")
        return [token.scope.compiled.flow(self.element.default)]


def mapped(mappings: Iterable[VariableMapping], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluates mappings in order; each sees the ones before it. Targets may be paths (`patient.name`)."""
    result: dict[str, Any] = {}
    context = ChainMap(result, dict(variables) if not isinstance(variables, ChainMap) else variables)
    for mapping in mappings:
        value = feel_or_text(mapping.source, context)
        first, *rest = mapping.target.split(".")
        if not rest:
            result[first] = value
            continue
        base = context.get(first)
        here = result[first] = dict(base) if isinstance(base, Mapping) else {}
        for name in rest[:-1]:
            inner = here.get(name)
            here[name] = here = dict(inner) if isinstance(inner, Mapping) else {}
        here[rest[-1]] = value
    return result


def feel_or_text(text: str, variables: Mapping[str, Any]) -> Any:
    """FEEL when it begins with '=', the text itself otherwise."""
    return feel.evaluate(text[1:], variables) if text.startswith("=") else text


def name_from(text: str | None, variables: Mapping[str, Any], what: str) -> str:
    """A name or key that FEEL may give; ExpressionFailed when it gives nothing or what is neither text nor number."""
    value = feel_or_text(text or "", variables)
    if value is None or isinstance(value, bool | list | dict):
        raise ExpressionFailed(f"The {what} {text!r} gives {value!r}, not a text or number.")
    return str(value)


def holding(token: Token, flows: Iterable[Flow]) -> Iterator[Flow]:
    """The flows, in order, whose condition is true or missing; what gives neither true nor false is Stuck, never a silent no."""
    asked = list(flows)
    texts = [flow.condition.removeprefix("=") for flow in asked if flow.condition]
    answers = iter(feel.evaluate_many(texts, token.variables()))
    for flow in asked:
        if not flow.condition or truth(next(answers), flow.condition, f"of the flow {flow.id}", token.variables()):
            yield flow


def truth(answer: object, text: str, where: str, variables: Mapping[str, Any]) -> bool:
    """What a condition gave; Stuck, naming the variables that it lacks, when that is neither true nor false."""
    if isinstance(answer, bool):
        return answer
    lacking = [name for name in sorted(feel.names(text)) if variables.get(name) is None]
    given = "null" if answer is None else repr(answer)
    because = f" Without a value: {', '.join(lacking)}." if answer is None and lacking else ""
    raise Stuck("expression", f"The condition {text!r} {where} gives {given}, neither true nor false.{because}")
