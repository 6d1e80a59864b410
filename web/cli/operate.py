"""`carelane instances`, `tasks`, `incidents` and `jobs`: look and act without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from engine.execution.tables import Incident, Instance, Job, Task
from engine.settings import Settings
from web.cli.output import as_json, print_json, print_rows, refuse

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
                row["tokens"] = [{"element": t.element_id, "state": t.state} for t in instance_ops.tokens(session, id_)]
        print_json(row)

    return group


instances = _group("instances", "List, show or cancel process instances.")
tasks = _group("tasks", "List or show user tasks.")
incidents = _group("incidents", "List, show or retry incidents.")
jobs = _group("jobs", "List, show or retry jobs.")


def _action(group: click.Group, name: str, help_: str, act: Callable[[Session, str, str], Any], *, reason: bool = False) -> None:
    @group.command(name=name, help=help_)
    @click.argument("id_", metavar="ID")
    @click.option("--reason", default="", required=reason, help="Why; it is recorded.")
    def run(id_: str, reason: str) -> None:
        with step() as session:
            act(session, id_, reason)
        click.echo("done")


_action(instances, "cancel", "End an instance early.", lambda s, i, why: instance_ops.cancel(s, i, why, actor="cli"), reason=True)
_action(incidents, "retry", "Try again what failed.", lambda s, i, _why: incident_ops.retry(s, i, actor="cli"))
_action(jobs, "retry", "Try a failed job again.", lambda s, i, _why: job_ops.retry(s, i, actor="cli"))
