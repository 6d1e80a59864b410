"""What commands print: a table for people, JSON for programs; and how they refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import click

from engine.execution.feel import YearMonthDuration

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: decimals as numbers, moments and durations as ISO 8601 text."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case YearMonthDuration():
            return str(value)
    return value


def _duration(value: timedelta) -> str:
    seconds = abs(value.total_seconds())
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, whole = divmod(rest, 60)
    part = seconds - int(seconds)
    tail = f"{whole + part:g}" if part else str(whole)
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n) + (f"{tail}S" if whole or part else "")
    text = "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
    return ("-" if value < timedelta() else "") + (text if text != "P" else "PT0S")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table with aligned columns."""
    texts = [[str("" if row.get(c) is None else plain(row.get(c))) for c in columns] for row in rows]
    widths = [max(len(c), *(len(t[i]) for t in texts)) if texts else len(c) for i, c in enumerate(columns)]
    for line in [list(columns), *texts]:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def parse_json(text: str | None, what: str) -> dict[str, Any]:
    """A JSON object given on the command line; bad usage (exit 2) when it is none."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{what} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise click.BadParameter(f'{what} is no JSON object such as {{"name": 1}}: {text}')
    return value


def refuse(message: str) -> NoReturn:
    """The answer is no: the reason on standard error, exit 1."""
    click.echo(message, err=True)
    raise SystemExit(1)
