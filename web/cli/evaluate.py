"""`carelane feel` and `carelane decide`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import CarelaneError
from engine.execution import dmn
from engine.execution import feel as language
from web.cli.output import as_json, parse_json, plain, print_json


@click.command()
@click.argument("expression")
@click.option("--context", help="Variables, as JSON.")
@as_json
def feel(expression: str, context: str | None, json_: bool) -> None:
    """Evaluate a FEEL expression."""
    variables = parse_json(context, "--context")
    try:
        value, warnings = language.evaluate_with_warnings(expression, variables)
    except CarelaneError as error:
        if json_:
            print_json({"error": error.message})
        else:
            click.echo(error.message, err=True)
        raise SystemExit(1) from error
    if json_:
        print_json({"value": value, "warnings": [str(warning) for warning in warnings]})
        return
    print_json(value)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("decision_id")
@click.option("--input", "input_", help="The decision's inputs, as JSON.")
@as_json
def decide(file: Path, decision_id: str, input_: str | None, json_: bool) -> None:
    """Evaluate a decision with everything it requires."""
    inputs = parse_json(input_, "--input")
    siblings = [path for path in sorted(file.parent.glob("*.dmn")) if path != file]
    try:
        models = [dmn.read(file.read_bytes(), file.name)]
        models += [dmn.read(path.read_bytes(), path.name) for path in siblings] if models[0].imports else []
        decided = dmn.decide(models, decision_id, inputs)
    except CarelaneError as error:
        if json_:
            print_json({"error": error.message})
        else:
            click.echo(error.message, err=True)
        raise SystemExit(1) from error
    hits = [getattr(hit, "rule", hit) for hit in decided.hits]
    if json_:
        print_json({"result": decided.result, "hits": hits})
    else:
        click.echo(plain(decided.result))
