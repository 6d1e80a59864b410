"""`carelane legacy`: rows of large files taken, and passes carried out without a worker."""

from __future__ import annotations

from pathlib import Path

import click

from engine.db import open_engine
from engine.errors import CarelaneError
from engine.settings import Settings
from integrations import runtime
from integrations.legacy import runs, source
from web.cli import output
from web.cli.serve import prepare


@click.group()
def legacy() -> None:
    """Move a department's cases from an old system."""
    settings = Settings.from_env()
    prepare(settings, open_engine(settings))


@legacy.command()
@click.argument("migration")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", default="csv", show_default=True, help="csv, xml or fixed.")
@click.option("--encoding", default="utf-8", show_default=True, help="utf-8, gbk, gb18030 or big5.")
@click.option("--delimiter", default=",", help="Between columns of CSV; tab for a tabulator.")
@click.option("--columns", default="", help="Columns of fixed width: 'no 1-10; name 11-30'.")
@click.option("--row-path", default="", help="XML: the element that is a row.")
def load(migration: str, file: Path, format_: str, encoding: str, delimiter: str, columns: str, row_path: str) -> None:
    """Take the rows of FILE into a MIGRATION that the page has begun."""
    address = {"format": format_, "encoding": encoding, "delimiter": delimiter, "columns": columns, "row_path": row_path}
    try:
        with runtime.transaction() as session, file.open("rb") as opened:
            count = source.from_file(session, source.get(session, migration), opened, file.name, address).rows
    except CarelaneError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"{count} rows")


@legacy.command()
@click.argument("migration")
@click.argument("kind", type=click.Choice(["check", "dry", "move"]))
@click.option("--by", required=True, help="Login of who does it.")
@click.option("--most", type=int, help="Cases of this batch at most.")
@output.as_json
def run(migration: str, kind: str, by: str, most: int | None, json_: bool) -> None:
    """Check the rows, try them, or move a batch; waits for its end."""
    try:
        with runtime.transaction() as session:
            begun = runs.begin(session, source.get(session, migration), kind, by=by, most=most).id
        runs.finish(begun)
    except CarelaneError as error:
        raise click.ClickException(error.message) from error
    with runtime.reading() as session:
        counts = runs.get(session, begun).counts
    if json_:
        output.print_json(counts)
    else:
        click.echo("\n".join(f"{name}: {count}" for name, count in counts.items()))
