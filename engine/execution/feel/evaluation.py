"""Evaluating expressions and unary tests, checking their syntax and finding the variables that they read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.errors import ExpressionFailed
from engine.execution.feel.isolate import ask
from engine.execution.feel.values import decode, encode

WORDS = re.compile(r"[^\W\d][\w]*|\?")


@dataclass(frozen=True, slots=True)
class FeelWarning:
    """What FEEL had to swallow on its way to a value, most often an unknown variable read as null."""

    kind: str
    message: str
    start: int
    end: int
    expression: str = ""

    def __str__(self) -> str:
        return self.message


def evaluate(expression: str, context: Mapping[str, object]) -> Any:
    """The value of a FEEL expression, with or without a leading `=`.

    An unknown variable is null. Raises ExpressionFailed on a syntax error, a failing evaluation, too much time or memory,
    and on a result that is a function.
    """
    return evaluate_with_warnings(expression, context)[0]


def evaluate_many(expressions: Sequence[str], context: Mapping[str, object]) -> list[Any]:
    """The values of several expressions over the same variables, at the cost of one trip into the isolate."""
    if not expressions:
        return []
    texts = [body(expression) for expression in expressions]
    answers = _asked(" ".join(texts), {"action": "evaluate", "expressions": texts, "context": _read_by(texts, context)})
    return [_value(text, answer)[0] for text, answer in zip(texts, answers, strict=True)]


def evaluate_with_warnings(expression: str, context: Mapping[str, object]) -> tuple[Any, list[FeelWarning]]:
    """The value of an expression and what FEEL warned of."""
    text = body(expression)
    answers = _asked(text, {"action": "evaluate", "expressions": [text], "context": _read_by([text], context)})
    return _value(text, answers[0])


def unary_test(test: str, value: object, context: Mapping[str, object] | None = None) -> bool:
    """Whether a value passes a decision table's cell, such as `> 5`, `"a", "b"` or `not([1..3])`. Raises as `evaluate`."""
    text = body(test)
    variables = _read_by([text], context or {})
    answer = _asked(text, {"action": "test", "test": text, "value": encode(value, "?"), "context": variables})
    return _value(text, answer)[0] is True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says before it is evaluated: its syntax errors, the variables it surely reads, and those in filters."""

    errors: tuple[str, ...]
    names: frozenset[str]
    filtered: frozenset[str]


@lru_cache(maxsize=4096)
def _reading(text: str, top: str, known: tuple[str, ...]) -> Reading:
    answer = _asked(text, {"action": "syntax", "text": text, "top": top, "known": known})
    errors = tuple(f"at character {start + 1}: {message}" for start, _, message in answer["errors"])
    return Reading(errors, frozenset(answer["names"]), frozenset(answer["filtered"]))


def reading(expression: str, known: Iterable[str] = (), *, unary: bool = False) -> Reading:
    """The syntax errors and variables of an expression, or with `unary` of a decision table's cell.

    `known` are variables whose names have spaces or signs in them: without them such names fall apart.
    """
    return _reading(body(expression), "UnaryTests" if unary else "Expression", tuple(sorted(known)))


def check_syntax(expression: str, known: Iterable[str] = (), *, unary: bool = False) -> list[str]:
    """The syntax errors, each with its position; none when the text parses. See `reading` for the arguments."""
    return list(reading(expression, known, unary=unary).errors)


def names(expression: str, known: Iterable[str] = (), *, unary: bool = False) -> frozenset[str]:
    """The variables that an expression reads, not those that it binds itself nor FEEL's own functions.

    Names inside a filter count as read, because only at run time is it known whether they are the items' own.
    """
    found = reading(expression, known, unary=unary)
    return found.names | found.filtered


def body(expression: str) -> str:
    """The expression without the `=` that marks it in a model."""
    text = expression.strip()
    return text[1:].lstrip() if text.startswith("=") else text


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    return frozenset(WORDS.findall(text))


def _read_by(texts: Iterable[str], context: Mapping[str, object]) -> dict[str, Any]:
    """The variables whose name's words all occur in the texts: what does not can spare the trip."""
    words = frozenset[str]().union(*map(_words, texts))
    return {name: encode(value, name) for name, value in context.items() if _words(name) <= words}


def _asked(text: str, request: dict[str, Any]) -> Any:
    try:
        return ask(request)
    except ExpressionFailed as error:
        raise failure(text, error.message) from error


def failure(text: str, cause: str, warnings: Sequence[FeelWarning] = ()) -> ExpressionFailed:
    """The error that names an expression and its cause."""
    shown = text if len(text) <= 200 else text[:200] + "…"
    return ExpressionFailed(f"FEEL `{shown}`: {cause}", expression=text, cause=cause, warnings=[str(w) for w in warnings])


def _value(text: str, answer: dict[str, Any]) -> tuple[Any, list[FeelWarning]]:
    if "error" in answer:
        where = "" if answer["from"] is None else f" at character {answer['from'] + 1}"
        raise failure(text, f"{answer['error']}{where}.")
    warnings = [FeelWarning(*warning) for warning in answer["warnings"]]
    if answer["lost"]:
        raise failure(text, f"The result holds {answer['lost'][0]}, which cannot leave FEEL.", warnings)
    try:
        return decode(answer["value"]), warnings
    except ExpressionFailed as error:
        raise failure(text, error.message, warnings) from error
