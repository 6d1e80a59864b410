"""`carelane bench`: the benchmarks of `benchmarks/`, each beside its baseline in the same run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import click

from web.cli.output import as_json, print_json, print_rows, refuse

FOLDER = Path(__file__).parents[2] / "benchmarks"


@click.command()
@click.argument("name", type=click.Choice(["engine", "http", "simulate", "log", "integrations"]))
@click.argument("parts", nargs=-1)
@click.option("--full", is_flag=True, help="Measure long enough for figures to be published.")
@as_json
def bench(name: str, parts: tuple[str, ...], full: bool, json_: bool) -> None:
    """Measures NAME; PARTS are modules of benchmarks/NAME. Ratios below 1 mean faster than the baseline."""
    found = sorted(path.stem for path in (FOLDER / name).glob("*.py") if not path.stem.startswith("_"))
    if not found:
        refuse(f"There are no benchmarks in {FOLDER / name}; they come with the source, not with the installed package.")
    if unknown := sorted(set(parts) - set(found)):
        raise click.BadParameter(f"there is no {', '.join(unknown)}; there are: {', '.join(found)}", param_hint="PARTS")
    rows: list[dict[str, Any]] = []
    for part in parts or found:
        measure = getattr(import_module(f"benchmarks.{name}.{part}"), "measure", None)
        if measure is not None:
            rows += _rows(part, measure(full=full) if "full" in signature(measure).parameters else measure())
    if json_:
        print_json(rows)
    else:
        print_rows(
            [{key: _short(value) for key, value in row.items()} for row in rows], ["what", "value", "unit", "baseline", "base", "ratio", "goal"]
        )


def _rows(part: str, found: Mapping[str, float] | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A module's figures: rows as they are, or bare figures by name."""
    if isinstance(found, Mapping):
        return [{"what": f"{part}: {name}", "value": value} for name, value in found.items()]
    return [dict(row) for row in found]


def _short(value: Any) -> Any:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:.0f}" if isinstance(value, float) else value
