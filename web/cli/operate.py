"""`carelane instances`, `tasks`, `incidents` and `jobs`: look and act without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

import integrations
from engine import errors, faults
from engine.db import open_engine, sessions, write_lock
from engine.execution import incidents as incident_ops
from engine.execution import instances as instance_ops
from engine.execution import jobs as job_ops
from engine.execution import operations
from engine.execution.tables import Incident, Instance, Job, Task
from engine.execution.values import decode
from engine.settings import Settings
from web.cli.output import as_json, parse_json, print_json, print_rows, refuse

LISTS: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "instances": (
        Instance,
        ("id", "process_id", "version", "state", "business_key", "ticket", "department", "arm", "started", "ended"),
        "started",
    ),
    "tasks": (Task, ("id", "name", "role", "assignee", "state", "priority", "ticket", "department", "due", "created"), "created"),
    "incidents": (Incident, ("id", "instance_id", "element_id", "kind", "state", "message", "created"), "created"),
    "jobs": (Job, ("id", "kind", "type", "state", "element_id", "attempts", "attempts_left", "due", "error"), "due"),
}


@contextmanager
def step() -> Iterator[Session]:
    """One transaction, committed at its end; an error of ours ends the command with exit 1."""
    settings = Settings.from_env()
    integrations.load()
    with sessions(open_engine(settings))() as session:
        try:
            write_lock(session)
            yield session
            with faults.around("cli.operate"):
                session.commit()
        except errors.CarelaneError as error:
            refuse(error.message)


def _row(found: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(found, name) for name in columns}


def _list(what: str, state: str | None, limit: int, json_: bool) -> None:
    table, columns, order = LISTS[what]
    with step() as session:
        query = select(table).order_by(getattr(table, order).desc()).limit(limit)
        rows = [_row(found, columns) for found in session.scalars(query.where(table.state == state) if state else query)]
    if json_:
        print_json(rows)
    else:
        print_rows(rows, columns)


def _group(what: str, help_: str) -> click.Group:
    @click.group(name=what, help=help_, invoke_without_command=True)
    @click.option("--state", help="Only those in this state.")
    @click.option("--limit", default=50, show_default=True)
    @as_json
    @click.pass_context
    def group(ctx: click.Context, state: str | None, limit: int, json_: bool) -> None:
        if ctx.invoked_subcommand is None:
            _list(what, state, limit, json_)

    @group.command(name="show", help="All that may be told about one, without patients' data.")
    @click.argument("id_", metavar="ID")
    @as_json
    def show(id_: str, json_: bool) -> None:
        table, columns, _ = LISTS[what]
        with step() as session:
            found = session.get(table, id_)
            if found is None:
                raise errors.NotFound(f"There is no such one: {id_}.")
            row = _row(found, columns)
            if what == "instances":
                standing = instance_ops.tokens(session, id_)
                row["tokens"] = [{"token": t.token, "element": t.element_id, "scope": t.scope, "state": t.state} for t in standing]
        print_json(row)

    return group


instances = _group("instances", "List, show, steer, migrate or cancel process instances.")
tasks = _group("tasks", "List or show user tasks.")
incidents = _group("incidents", "List or show incidents; try again or skip what failed.")
jobs = _group("jobs", "List, show or retry jobs.")


def tell(done: dict[str, Any], json_: bool) -> None:
    """Says what came of an action."""
    if json_:
        print_json(done)
    else:
        click.echo("done")


@incidents.command(name="retry", help="Try again what failed, perhaps with other input for the call.")
@click.argument("id_", metavar="ID")
@click.option("--input", "input_", metavar="JSON", help="What the call is given instead.")
@click.option("--reason", default="", help="Why; it is recorded.")
@as_json
def retry_incident(id_: str, input_: str | None, reason: str, json_: bool) -> None:
    """Closes the incident; what fails once more opens another."""
    given = None if input_ is None else values_in(input_, "--input")
    with step() as session:
        incident_ops.retry(session, id_, actor="cli", input=given, reason=reason)
    tell({"incident": id_, "state": "resolved"}, json_)


@incidents.command(name="skip", help="Go on without the call that failed.")
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option("--output", default="{}", metavar="JSON", show_default=True, help="The call's result, given by hand.")
@as_json
def skip_incident(id_: str, reason: str, output: str, json_: bool) -> None:
    """Gives the step a result in the call's place."""
    result = values_in(output, "--output")
    with step() as session:
        incident_ops.skip(session, id_, reason=reason, output=result, actor="cli")
    tell({"incident": id_, "state": "resolved"}, json_)


@jobs.command(name="retry", help="Try a failed job again; one that waits for its time is done now.")
@click.argument("id_", metavar="ID")
@click.option("--reason", default="", help="Why; it is recorded. A job that waits for its time needs one.")
@as_json
def retry_job(id_: str, reason: str, json_: bool) -> None:
    """Puts the job to the front."""
    with step() as session:
        job = job_ops.get(session, id_)
        if job.state == "ready":
            operations.hasten(session, id_, actor="cli", reason=reason)
        else:
            job_ops.retry(session, id_, actor="cli", reason=reason)
        done = {"job": id_, "state": job.state}
    tell(done, json_)


def values_in(text: str, what: str) -> dict[str, Any]:
    """A JSON object with the engine's marks for types; bad usage (exit 2) when it is none."""
    value = decode(parse_json(text, what))
    if not isinstance(value, dict):
        raise click.BadParameter(f"{what} must be a JSON object such as {{}}")
    return value
