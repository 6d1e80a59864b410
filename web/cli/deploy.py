"""`carelane deploy`: makes files the newest versions of what they define."""

from __future__ import annotations

from pathlib import Path

import click

import integrations.connectors  # noqa: F401  its connectors are what tasks may call
from engine import db, faults
from engine.errors import InvalidModel
from engine.execution import check as checking
from engine.models import files as kinds
from engine.settings import Settings
from web.cli.check import print_problems, row
from web.cli.output import as_json, print_json, print_rows


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--by", default="cli", show_default=True, help="Who deploys.")
@click.option("--comment", default="", help="Why.")
@as_json
def deploy(paths: tuple[Path, ...], by: str, comment: str, json_: bool) -> None:
    """Deploy files or process folders together: all of them or, when anything is wrong, none."""
    contents = kinds.gather(paths)
    engine = db.open_engine(Settings.from_env())
    try:
        with db.sessions(engine)() as session:
            deployed = checking.deploy(session, contents, by=by, comment=comment)
            with faults.around("cli.deploy"):
                session.commit()
    except InvalidModel as error:
        if json_:
            print_json({"deployed": False, "problems": [row(p) for p in error.problems]})
        else:
            print_problems(error.problems, err=True)
        raise SystemExit(1) from error
    rows = [
        {"kind": d.kind, "key": d.key, "version": d.version, "tag": d.version_tag, "file": d.file, "status": what}
        for d, what in deployed.versions
    ]
    if json_:
        print_json({"deployed": True, "versions": rows, "problems": [row(p) for p in deployed.warnings]})
    else:
        print_rows(rows, ("kind", "key", "version", "tag", "status", "file"))
