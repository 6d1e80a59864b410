"""FEEL: every expression of a model, evaluated by `feelin` in a V8 isolate that has nothing to reach out to."""

from engine.execution.feel.evaluation import (
    FeelWarning,
    check_syntax,
    evaluate,
    evaluate_many,
    evaluate_with_warnings,
    names,
    unary_test,
)
from engine.execution.feel.isolate import configure
from engine.execution.feel.values import Range, YearMonthDuration

__all__ = [
    "FeelWarning",
    "Range",
    "YearMonthDuration",
    "check_syntax",
    "configure",
    "evaluate",
    "evaluate_many",
    "evaluate_with_warnings",
    "names",
    "unary_test",
]
