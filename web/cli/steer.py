"""`carelane instances …`: an instance's course changed by hand, and instances moved to another version of their process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import NotFound, Refused
from engine.execution import instances as ops
from engine.execution import migration, operations
from engine.execution.tables import Instance
from engine.execution.values import decode
from engine.models import deploy
from engine.models.tables import Definition
from web.cli.operate import instances, step, tell
from web.cli.output import as_json, print_json, print_rows

__all__ = ["instances"]
PIECE = 50  # instances that one transaction moves

why = click.option("--reason", required=True, help="Why; it is recorded.")
of_token = click.option("--token", help="Which token, when several stand on the element (`instances show` lists them).")


def _done(session: Session, id_: str) -> dict[str, Any]:
    row = ops.get(session, id_)
    standing = [{"token": t.token, "element": t.element_id, "scope": t.scope, "state": t.state} for t in ops.tokens(session, id_)]
    return {"id": id_, "state": row.state, "tokens": standing}


def _act(id_: str, json_: bool, act: Callable[[Session], Any]) -> None:
    with step() as session:
        act(session)
        session.flush()
        done = _done(session, id_)
    tell(done, json_)


def _simple(name: str, help_: str, act: Callable[[Session, str, str], Any]) -> None:
    @instances.command(name=name, help=help_)
    @click.argument("id_", metavar="ID")
    @why
    @as_json
    def run(id_: str, reason: str, json_: bool) -> None:
        if not reason.strip():
            raise click.BadParameter("--reason must say something")
        _act(id_, json_, lambda session: act(session, id_, reason))


_simple("cancel", "End an instance early.", lambda s, i, reason: ops.cancel(s, i, reason, actor="cli"))
_simple("suspend", "Hold an instance: its tasks, calls, timers and messages wait.", lambda s, i, reason: ops.suspend(s, i, reason, actor="cli"))
_simple("resume", "Let a suspended instance go on.", lambda s, i, reason: ops.resume(s, i, reason, actor="cli"))


def _token(session: Session, id_: str, element: str | None, token: str | None) -> str:
    """The token that is meant: the given one, the only one on the element, or the only one there is."""
    if token is not None:
        return token
    found = [t for t in ops.tokens(session, id_) if element is None or t.element_id == element]
    if len(found) == 1:
        return found[0].token
    if not found:
        raise NotFound(f"No token stands on {element}." if element else "No token stands anywhere.")
    raise Refused("Several tokens could be meant: " + ", ".join(f"{t.token} on {t.element_id}" for t in found) + ". Say which with --token.")


@instances.command(name="move", help="Take a token away and put one on another ELEMENT of the same scope.")
@click.argument("id_", metavar="ID")
@click.argument("element")
@click.option("--from", "from_", metavar="ELEMENT", help="Where the token stands; may be left out when there is only one.")
@of_token
@why
@as_json
def move(id_: str, element: str, from_: str | None, token: str | None, reason: str, json_: bool) -> None:
    """Moves one token."""
    _act(id_, json_, lambda s: operations.move(s, id_, _token(s, id_, from_, token), element, actor="cli", reason=reason))


@instances.command(name="back", help="Return a token to an earlier step, ELEMENT.")
@click.argument("id_", metavar="ID")
@click.argument("element")
@click.option("--from", "from_", metavar="ELEMENT", help="Where the token stands; may be left out when there is only one.")
@of_token
@why
@as_json
def back(id_: str, element: str, from_: str | None, token: str | None, reason: str, json_: bool) -> None:
    """Goes back with one token."""
    _act(id_, json_, lambda s: operations.go_back(s, id_, _token(s, id_, from_, token), element, actor="cli", reason=reason))


@instances.command(name="add", help="Put a further token on ELEMENT.")
@click.argument("id_", metavar="ID")
@click.argument("element")
@click.option("--scope", help="In which scope, when several have the element.")
@why
@as_json
def add(id_: str, element: str, scope: str | None, reason: str, json_: bool) -> None:
    """Adds one token."""
    _act(id_, json_, lambda s: operations.add(s, id_, element, scope_id=scope, actor="cli", reason=reason))


@instances.command(name="take", help="Take the token on ELEMENT away; the others go on.")
@click.argument("id_", metavar="ID")
@click.argument("element")
@of_token
@why
@as_json
def take(id_: str, element: str, token: str | None, reason: str, json_: bool) -> None:
    """Takes one token away."""
    _act(id_, json_, lambda s: operations.cancel(s, id_, _token(s, id_, element, token), actor="cli", reason=reason))


@instances.command(name="set", help='Set variables: NAME=JSON, such as age=41 or \'born={"$date": "1980-05-02"}\'.')
@click.argument("id_", metavar="ID")
@click.argument("values", metavar="NAME=JSON…", nargs=-1, required=True)
@click.option("--scope", help="An inner scope instead of the process's own.")
@why
@as_json
def set_(id_: str, values: tuple[str, ...], scope: str | None, reason: str, json_: bool) -> None:
    """Changes variables."""
    given = dict(_pair(text) for text in values)
    parsed = {name: _value(name, text) for name, text in given.items()}
    _act(id_, json_, lambda s: operations.change_variables(s, id_, parsed, scope_id=scope, actor="cli", reason=reason))


def _value(name: str, text: str) -> Any:
    try:
        return decode(json.loads(text))
    except ValueError as error:
        raise click.BadParameter(f"{name}: {text} is no JSON value: {error}") from error


def _pair(text: str) -> tuple[str, str]:
    left, mark, right = text.partition("=")
    if not mark or not left or not right:
        raise click.BadParameter(f"{text!r} is not of the form left=right")
    return left, right


@instances.command(name="migrate", help="Move the running instances of PROCESS to another version. Exit 1 when one is refused.")
@click.argument("process")
@click.option("--to", "to", type=int, required=True, help="The version to move to.")
@click.option("--from", "from_", type=int, help="Only instances of this version.")
@click.option("--instance", "only", multiple=True, metavar="ID", help="Only this instance; may be given several times.")
@click.option("--map", "mapping", multiple=True, metavar="OLD=NEW", help="Where an element's tokens go on, when not at the same id.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--reason", default="", help="Why; it is recorded. Only a dry run needs none.")
@as_json
def migrate(
    process: str, to: int, from_: int | None, only: tuple[str, ...], mapping: tuple[str, ...], dry_run: bool, reason: str, json_: bool
) -> None:
    """Moves what can be moved without damage, each instance as a whole, fifty in a transaction."""
    if not dry_run and not reason.strip():
        raise click.UsageError("Say why with --reason, or try it with --dry-run.")
    elements = dict(_pair(text) for text in mapping)
    with step() as session:
        target = deploy.definition(session, "process", process, to)
        ids = list(only) or migration.candidates(session, target, version=from_)
    verdicts: list[migration.Verdict] = []
    for begin in range(0, len(ids), PIECE):
        piece = ids[begin : begin + PIECE]
        with step() as session:
            there = session.get_one(Definition, target.id)
            if dry_run:
                verdicts += migration.dry_run(session, piece, there, elements)
            else:
                verdicts += migration.migrate_all(session, piece, there, elements, actor="cli", reason=reason)
    _report(process, to, verdicts, dry_run, json_)


def _report(process: str, to: int, verdicts: list[migration.Verdict], dry_run: bool, json_: bool) -> None:
    with step() as session:
        found = select(Instance.id, Instance.business_key).where(Instance.id.in_([v.instance_id for v in verdicts]))
        keys = {str(id): key for id, key in session.execute(found)}
    rows = [
        {"id": v.instance_id, "business_key": keys.get(v.instance_id), "possible": v.possible, "problems": v.problems, "changes": v.changes}
        for v in verdicts
    ]
    possible = sum(v.possible for v in verdicts)
    if json_:
        counted = {"possible" if dry_run else "moved": possible, "refused": len(rows) - possible}
        print_json({"process": process, "to": to, "dry_run": dry_run, **counted, "instances": rows})
    else:
        said = [
            {**row, "verdict": "possible" if row["possible"] else "refused", "why": "; ".join(row["problems"] or row["changes"])}
            for row in rows
        ]
        print_rows(said, ("id", "business_key", "verdict", "why"))
        click.echo(f"{possible} {'possible' if dry_run else 'moved'}, {len(rows) - possible} refused")
    if possible < len(rows):
        raise SystemExit(1)
