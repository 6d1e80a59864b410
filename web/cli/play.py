"""`carelane play`: runs a model in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from engine.errors import CarelaneError
from engine.execution import scenario
from engine.execution.check import check
from engine.execution.play import Played, expand
from engine.execution.play import play as play_files
from engine.models.lint import PLACEHOLDERS
from web.cli.output import as_json, parse_json, print_json, print_rows, refuse


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--process", help="The process to play; needed when there are several.")
@click.option("--scenario", "scenario_", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A scenarios.yaml.")
@click.option("--name", help="Which scenario of the file; the first when not given.")
@click.option("--vars", "vars_", help="Variables to start with, as JSON.")
@click.option("--auto", is_flag=True, help="Complete every task, answer every call, fire timers and messages.")
@click.option("--max-steps", default=10_000, show_default=True, help="Most tasks, calls, messages and timers to answer.")
@as_json
def play(
    files: tuple[str, ...],
    process: str | None,
    scenario_: Path | None,
    name: str | None,
    vars_: str | None,
    auto: bool,
    max_steps: int,
    json_: bool,
) -> None:
    """Run a model in memory, in virtual time."""
    variables = parse_json(vars_, "--vars")
    try:
        script, given = _script(scenario_, name), expand(files)
        played = _refused(given) or play_files(given, process, script, variables, auto=auto, max_steps=max_steps)
    except CarelaneError as error:
        if not json_:
            refuse(error.message)
        played = Played("incident", [], {}, [], [{"element": None, "kind": "start", "message": error.message}])
    if json_:
        print_json(played.as_dict())
    else:
        print_rows(played.trace, ("at", "process", "element", "type"))
        for row in played.waiting:
            click.echo(f"waits at {row['element']} ({row['type']})")
        for row in played.incidents:
            click.echo(f"incident: {row['message']}", err=True)
        click.echo(played.status)
    raise SystemExit(1 if played.status == "incident" else 0)


def _refused(given: Mapping[str, bytes]) -> Played | None:
    """What could not be deployed is not played either: only gaps that play fills with placeholders are let through."""
    problems = [p for p in check(given) if p.severity == "error" and p.rule not in PLACEHOLDERS]
    if not problems:
        return None
    incidents = [
        {"element": p.element, "type": p.element_type, "kind": p.rule, "message": f"{p.file} {p.element or ''}: {p.message} {p.fix}"}
        for p in problems
    ]
    return Played("incident", [], {}, [], incidents)


def _script(path: Path | None, name: str | None) -> scenario.Scenario | None:
    if path is None:
        return None
    found = [s for s in scenario.load(path.read_bytes(), str(path)) if name in (None, s.name)]
    if not found:
        raise click.BadParameter(f"{path} has no scenario" + (f" called {name!r}" if name else ""))
    return found[0]
