"""What a task's headers make of an answer, as Camunda 8's connectors do: `resultVariable`, `resultExpression`, `errorExpression`.

The error expression sees the answer as `response`, or a failure as `error` with `code`, `message` and `variables`, and gives
`bpmnError(code, message, variables)`, `jobError(message)`, `ignoreError(variables)` or null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import BpmnError, ConnectorFailed, ExpressionFailed
from engine.execution.feel.evaluation import body, evaluate_many

# FEEL knows no optional parameters: each function is tried with three, two and one
_FUNCTIONS = (
    'bpmnError: function(code, message, variables) {made: "bpmn", code: code, message: message, variables: variables}',
    'bpmnError: function(code, message) {made: "bpmn", code: code, message: message}',
    'bpmnError: function(code) {made: "bpmn", code: code}',
)
_OTHERS = (
    'jobError: function(message, variables) {made: "job", message: message}, ignoreError: function(variables) {made: "ignore", variables: variables}',
    'jobError: function(message) {made: "job", message: message}, ignoreError: function(variables) {made: "ignore", variables: variables}',
    'jobError: function(message) {made: "job", message: message}, ignoreError: function() {made: "ignore", variables: {}}',
)


def result(headers: Mapping[str, str], output: dict[str, Any]) -> dict[str, Any]:
    """The variables that the headers ask for; the output itself when they ask for none.

    Raises BpmnError or ConnectorFailed when the error expression sees an error in the answer.
    """
    if headers.get("errorExpression"):
        found = _judged(headers["errorExpression"], {"response": output, "error": None})
        if found is not None:
            return _acted(found, output)
    return _mapped(headers, output)


def failed(headers: Mapping[str, str], failure: ConnectorFailed) -> dict[str, Any]:
    """What the error expression makes of a failure: the variables to go on with, or another error. Raises `failure` when it is silent."""
    if not headers.get("errorExpression"):
        raise failure
    error = {"code": str(failure.details.get("status") or failure.kind), "message": failure.message, "kind": failure.kind}
    answer = failure.details.get("response")
    found = _judged(headers["errorExpression"], {"error": {**error, "variables": {"response": answer}}, "response": None})
    if found is None:
        raise failure
    return _acted(found, {})


def _mapped(headers: Mapping[str, str], output: dict[str, Any]) -> dict[str, Any]:
    variable, expression = headers.get("resultVariable"), headers.get("resultExpression")
    if not variable and not expression:
        return output
    made: dict[str, Any] = {variable: output} if variable else {}
    if expression:
        (found,) = _values([expression], {"response": output, **output}, "resultExpression")
        if not isinstance(found, Mapping):
            raise ConnectorFailed("resultExpression: must give a context, such as {name: response.body.name}", kind="permanent")
        made |= found
    return made


def _judged(expression: str, context: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wrapped = [f"{{{one}, {other}, found: {body(expression)}}}.found" for one, other in zip(_FUNCTIONS, _OTHERS, strict=True)]
    return next((value for value in _values(wrapped, context, "errorExpression") if isinstance(value, Mapping) and value.get("made")), None)


def _acted(found: Mapping[str, Any], output: dict[str, Any]) -> dict[str, Any]:
    message = str(found.get("message") or "")
    if found["made"] == "bpmn":
        raise BpmnError(str(found.get("code")), message or None, dict(found.get("variables") or {}))
    if found["made"] == "job":
        raise ConnectorFailed(message or "The error expression says that the call failed.", kind="permanent")
    return dict(found.get("variables") or output)


def _values(expressions: list[str], context: Mapping[str, Any], what: str) -> list[Any]:
    try:
        return evaluate_many(expressions, context)
    except ExpressionFailed as error:
        raise ConnectorFailed(f"{what}: {error.message}", kind="permanent") from error
