"""Checks and deploys with everything that the engine knows: the linter's rules with FEEL, decisions, forms and connectors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

import forms
from engine import faults
from engine.errors import InvalidModel, Problem
from engine.execution import connectors, dmn, feel, starts
from engine.models import deploy as deploying
from engine.models import files as kinds
from engine.models import lint
from engine.models.deploy import Deployed


def check(
    files: Mapping[str, bytes],
    *,
    context: Mapping[str, bytes] | None = None,
    known: lint.Known | None = None,
) -> list[Problem]:
    """Every problem of diagrams, decisions and forms, as deploying would find them.

    `context` are neighbouring files that may be referred to; `known(kind, key, version_tag)` says what is deployed already. Without it,
    references to what is not given are warnings.
    """
    found = lint.check(
        files,
        context=context,
        feel=feel.check_syntax,
        decisions=partial(_decisions, {**(context or {}), **files}),
        forms=_forms,
        known=known,
        connectors=connectors.known() or None,
    )
    return sorted([*found, *starts.problems(files)], key=lambda p: p.severity != "error")


def deploy(session: Session, files: Mapping[str, bytes] | Path, *, by: str, comment: str = "") -> Deployed:
    """Checks and deploys files (or a folder) together, and lets their start events listen; raises InvalidModel."""
    deployed = deploying.deploy(session, files, by=by, comment=comment, check=check)
    faults.point("deploy.stored")
    for definition in deployed.created("process"):
        starts.refresh(session, definition)
    return deployed


def _decisions(files: Mapping[str, bytes], content: bytes, file: str) -> list[Problem]:
    try:
        model = dmn.read(content, file)
    except InvalidModel as error:
        return error.problems
    return dmn.problems(model, [m for f, c in files.items() if f != file and (m := _decision_model(f, c))], file)


def _decision_model(file: str, content: bytes) -> dmn.DecisionModel | None:
    """A neighbouring decision model that may be imported; None when the file is none."""
    try:
        return dmn.read(content, file) if kinds.kind_of(file, content) == "decision" else None
    except InvalidModel:
        return None


def _forms(content: bytes, file: str) -> list[Problem]:
    return [
        Problem(f"form-{p.rule}", f"{p.path}: {p.message}", p.fix, p.component or None, "form", "error", file) for p in forms.problems(content)
    ]
