"""`carelane check`: whether files could be deployed, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

import integrations.connectors  # noqa: F401  its connectors are what tasks may call
from engine.errors import Problem
from engine.execution import check as checking
from engine.models import files as kinds
from web.cli.output import as_json, print_json
from web.problems import told

VERDICTS = {"en": ("Cannot be deployed.", "Can be deployed."), "zh": ("不能部署。", "可以部署。")}


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the problems.")
@as_json
def check(files: tuple[Path, ...], lang: str, json_: bool) -> None:
    """Lint diagrams, decisions and forms, or folders of them; given together, they resolve each other.

    Exit 0: they can be deployed. Exit 1: they cannot, and every reason is listed.
    """
    given = kinds.gather(files)
    beside = {name: content for file in files if file.is_file() for name, content in kinds.imports(file).items() if name not in given}
    problems = told(checking.check(given, context=beside), lang)
    deployable = not any(p.severity == "error" for p in problems)
    if json_:
        print_json({"deployable": deployable, "problems": [row(p) for p in problems]})
    else:
        print_problems(problems)
        click.echo(VERDICTS[lang][deployable])
    raise SystemExit(0 if deployable else 1)


def row(problem: Problem) -> dict[str, str | None]:
    """A problem as programs get it; the keys are fixed."""
    keys = ("file", "element", "element_type", "rule", "severity", "message", "fix")
    return {key: problem.as_dict()[key] for key in keys}


def print_problems(problems: Sequence[Problem], *, err: bool = False) -> None:
    """A paragraph for each problem: where, what and how to mend it."""
    for p in problems:
        place = " ".join(filter(None, (p.file, p.element_type, p.element)))
        click.secho(f"{p.severity} {place} [{p.rule}]", fg="red" if p.severity == "error" else "yellow", err=err)
        click.echo(f"  {p.message}\n  {p.fix}", err=err)
