"""Moving running instances to another version of their process: mapping, dry run, batch, report."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from engine.clock import now
from engine.errors import NotFound
from engine.execution import migration
from engine.execution.tables import Instance
from engine.models import deploy
from engine.models.tables import Definition
from web.access import allowed, signed_in
from web.db import db
from web.operations import listing, mapping
from web.operations.blueprint import bp, reason
from web.operations.tables import MigrationBatch
from web.operations.words import in_words

TRIED = 200  # instances that the page's dry run looks at; the command line looks at all
PIECE = 25  # instances that one request moves


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with what people call the instance."""

    instance_id: str
    number: str
    possible: bool
    words: tuple[str, ...]


@bp.get("/operations/processes")
@allowed("operations.view")
def processes() -> ResponseReturnValue:
    """Every version of every process, and how many instances run on it."""
    batches = select(MigrationBatch).order_by(MigrationBatch.created.desc()).limit(20)
    return render_template("operations/processes.html", processes=listing.processes(), batches=list(db.session.scalars(batches)))


def _definition(process_id: str, version: int) -> Definition:
    return deploy.definition(db.session(), "process", process_id, version)


def _target(process_id: str, version: int) -> Definition:
    """The version that was chosen, else the newest that is another one."""
    asked = request.values.get("to", "")
    if asked.isdecimal() and int(asked) != version:
        return _definition(process_id, int(asked))
    others = select(Definition).where(Definition.kind == "process", Definition.key == process_id, Definition.version != version)
    found = db.session.scalars(others.order_by(Definition.version.desc()).limit(1)).first()
    if found is None:
        raise NotFound
    return found


@bp.get("/operations/processes/<process_id>/<int:version>/move")
@allowed("instance.migrate")
def plan(process_id: str, version: int) -> ResponseReturnValue:
    """Where each element's tokens would go on."""
    return _plan(process_id, version)


@bp.post("/operations/processes/<process_id>/<int:version>/move")
@allowed("instance.migrate")
def decide(process_id: str, version: int) -> ResponseReturnValue:
    """A dry run, or the beginning of a batch."""
    source, target, said = _definition(process_id, version), _target(process_id, version), mapping.given(request.form)
    ids = migration.candidates(db.session(), target, version=version)
    if request.form.get("do") != "run":
        return _plan(process_id, version, _answers(migration.dry_run(db.session(), ids[:TRIED], target, said), source))
    if len(reason()) < 3:
        flash(gettext("Say why: the reason is kept in the record. Nothing was changed."), "bad")
        return _plan(process_id, version)
    batch = MigrationBatch(
        process_id=process_id, from_version=source.version, target_id=target.id, to_version=target.version, mapping=said, reason=reason(),
        actor=signed_in().login, created=now(), todo=ids, refused=[], moved=0,
    )  # fmt: skip
    db.session.add(batch)
    db.session.flush()
    return redirect(url_for("operations.report", batch_id=batch.id))


def _plan(process_id: str, version: int, answers: list[Answer] | None = None) -> ResponseReturnValue:
    source, target = _definition(process_id, version), _target(process_id, version)
    old, new = deploy.model(db.session(), source), deploy.model(db.session(), target)
    title, versions = listing.processes()[process_id]
    return render_template(
        "operations/move.html", source=source, target=target, title=title, versions=[v for v in versions if v.definition.version != version],
        pairs=mapping.pairs(old, new, source, mapping.given(request.form)), count=len(migration.candidates(db.session(), target, version=version)),
        answers=answers, tried=TRIED, reason=reason() if request.method == "POST" else "",
    )  # fmt: skip


def _answers(verdicts: list[migration.Verdict], source: Definition) -> list[Answer]:
    model = deploy.model(db.session(), source)
    keys = _numbers(verdicts)
    found = [
        Answer(v.instance_id, keys[v.instance_id], v.possible, tuple(in_words(line, model) for line in v.problems or v.changes))
        for v in verdicts
    ]
    return sorted(found, key=lambda answer: answer.possible)


def _numbers(verdicts: list[migration.Verdict]) -> dict[str, str]:
    ids = [verdict.instance_id for verdict in verdicts]
    found = db.session.execute(select(Instance.id, Instance.business_key).where(Instance.id.in_(ids)))
    return dict.fromkeys(ids, "") | {str(id): str(key or id) for id, key in found}


def _batch(batch_id: str) -> MigrationBatch:
    found = db.session.get(MigrationBatch, batch_id)
    if found is None:
        raise NotFound
    return found


@bp.get("/operations/migrations/<batch_id>")
@allowed("operations.view")
def report(batch_id: str) -> ResponseReturnValue:
    """How far a batch is, and which instances stayed where they were, and why."""
    return _report("operations/report.html", _batch(batch_id))


def _report(template: str, batch: MigrationBatch) -> str:
    model = deploy.model(db.session(), _definition(batch.process_id, batch.from_version))
    return render_template(template, batch=batch, in_words=lambda problem: in_words(problem, model))


@bp.post("/operations/migrations/<batch_id>/step")
@allowed("instance.migrate")
def step(batch_id: str) -> ResponseReturnValue:
    """Moves the next piece of a batch; the page asks again until none is left."""
    batch = _batch(batch_id)
    piece, rest = batch.todo[:PIECE], batch.todo[PIECE:]
    target = db.session.get_one(Definition, batch.target_id)
    verdicts = migration.migrate_all(db.session(), piece, target, batch.mapping, actor=signed_in().login, reason=batch.reason)
    stayed = [verdict for verdict in verdicts if not verdict.possible]
    keys = _numbers(stayed)
    refused = [{"instance": v.instance_id, "number": keys[v.instance_id], "problems": v.problems} for v in stayed]
    batch.todo, batch.refused, batch.moved = rest, [*batch.refused, *refused], batch.moved + len(piece) - len(refused)
    if not rest and batch.ended is None:
        batch.ended = now()
    if "HX-Request" in request.headers:
        return _report("operations/progress.html", batch)
    return redirect(url_for("operations.report", batch_id=batch.id))
