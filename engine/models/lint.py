"""Checks files as deploying would, and lists every problem with its place, its reason and its mend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from engine.errors import InvalidModel, Problem
from engine.models import files as kinds
from engine.models.normalise import PLACEHOLDERS
from engine.models.read import document
from engine.models.rules import RULES, Bundle, Known, Rule, Sheet, run

__all__ = ["PLACEHOLDERS", "RULES", "Known", "Rule", "check"]

Checker = Callable[[bytes, str], list[Problem]]


def check(
    files: Mapping[str, bytes],
    *,
    context: Mapping[str, bytes] | None = None,
    feel: Callable[[str], list[str]] | None = None,
    decisions: Checker | None = None,
    forms: Checker | None = None,
    known: Known | None = None,
    connectors: Collection[str] | None = None,
) -> list[Problem]:
    """Every problem of the files; they resolve each other's processes, decisions and forms.

    `context` are files that may be referred to but are not reported on. `feel` gives the syntax errors of an expression,
    `decisions` and `forms` the problems of such a file, `known(kind, key, version_tag)` whether something is deployed already,
    `connectors` the types there are. What is not given is not checked.
    """
    bundle = Bundle(feel=feel, known=known, connectors=connectors, files=[*files, *(context or {})])
    problems: list[Problem] = []
    for file, content in files.items():
        problems += _take(bundle, file, content, {"decision": decisions, "form": forms})
    if not any(kinds.kind_of(file, content) for file, content in files.items()):
        problems.append(
            Problem("nothing-to-deploy", "There is no diagram, decision or form.", "Give at least one.", file=next(iter(files), None))
        )
    for file, content in (context or {}).items():
        _look_at(bundle, file, content)
    return _tidy(problems + run(bundle))


def _take(bundle: Bundle, file: str, content: bytes, checkers: Mapping[str, Checker | None]) -> list[Problem]:
    kind = kinds.kind_of(file, content)
    if kind is None:
        return [Problem("unknown-file", "This is neither a diagram, a decision nor a form.", "Leave it out.", severity="warning", file=file)]
    try:
        if kind == "process":
            sheet = Sheet(document(content, file), bundle)
            bundle.sheets.append(sheet)
            return list(sheet.document.problems)
        bundle.defined += kinds.decisions(content, file) if kind == "decision" else [kinds.form(content, file)]
    except InvalidModel as error:
        return error.problems
    checker = checkers[kind]
    return checker(content, file) if checker else []


def _look_at(bundle: Bundle, file: str, content: bytes) -> None:
    """Takes what a neighbouring file defines; its own faults are not today's subject."""
    try:
        kind = kinds.kind_of(file, content)
        if kind == "process":
            bundle.context.append(document(content, file))
        elif kind == "decision":
            bundle.defined += kinds.decisions(content, file)
        elif kind == "form":
            bundle.defined.append(kinds.form(content, file))
    except InvalidModel:
        return


def _tidy(problems: list[Problem]) -> list[Problem]:
    """Without repetitions; errors first, otherwise in the order found."""
    return sorted(dict.fromkeys(problems), key=lambda p: p.severity != "error")
