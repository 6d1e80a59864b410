"""Jobs: claimed with a lease, done outside any transaction, finished in one, fenced by their owner."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import new_id
from engine.errors import BpmnError, CarelaneError, Conflict, ConnectorFailed, NotFound, Refused
from engine.execution import lanes, messages, statements
from engine.execution.connectors import Call
from engine.execution.run import Run
from engine.execution.steps import advance
from engine.execution.tables import Incident, Instance, Job
from engine.execution.values import decode, encode

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=300)
MOST_ASKED = timedelta(hours=1)
OWN = ("timer", "message", "signal")  # done by the engine itself, without I/O
_FENCED_JOBS = update(Job.__table__).where(  # type: ignore[arg-type]
    Job.id.in_(bindparam("at_ids", expanding=True)), Job.owner == bindparam("at_owner"), Job.state == "running"
)  # fmt: skip
_INSTANCES = (
    select(Instance).where(Instance.id.in_(bindparam("at_ids", expanding=True))).order_by(Instance.id).with_for_update(skip_locked=True)
)


def claim(session: Session, owner: str, limit: int, lease: timedelta, *, kinds: tuple[str, ...] | None = None) -> list[Job]:
    """Takes due jobs for `owner`, most urgent first: ready ones, and running ones whose lease has run out.

    The caller commits before it works on them. On PostgreSQL, rows that another worker is taking are skipped.
    Calls to a connection that has all it bears at once are passed over (`lanes`).
    """
    now = clock.now()
    claim = {"state": "running", "owner": owner, "lease": now + lease}
    most = lanes.limits() if kinds is None or "call" in kinds else {}
    if most:
        taken = lanes.choose(session, partial(_due, session, kinds, now), limit, now, most)
        claims = [{**claim, "attempts": job.attempts + 1} for job in taken]
        if claims:
            rows = [{"at_id": job.id, **values} for job, values in zip(taken, claims, strict=True)]
            statements.CLAIM_JOB.run(session.connection(), *rows)
        for job, values in zip(taken, claims, strict=True):
            statements.told(job, values)
        return taken
    found = statements.claim_due_jobs(kinds).all(statements.connection(session), {"at_now": now, "at_most": limit, **claim})
    found.sort(key=lambda job: (-job["priority"], job["due"], job["id"]))
    return [_loaded(session, row) for row in found]


def _due(session: Session, kinds: tuple[str, ...] | None, now: datetime, most: int, offset: int = 0) -> list[Job]:
    wanted = {"at_now": now, "at_most": most, "at_offset": offset}
    return [_loaded(session, row) for row in statements.due_jobs(kinds).all(statements.connection(session), wanted)]


def _loaded(session: Session, row: dict[str, Any]) -> Job:
    if (job := statements.held(session, Job, row["id"])) is None:
        return statements.adopt(session, Job, row)
    statements.told(job, row)
    return job


def next_due(session: Session) -> datetime | None:
    """When the next job will be due."""
    return session.scalars(select(Job.due).where(Job.state == "ready").order_by(Job.due).limit(1)).first()


def call_of(session: Session, job: Job) -> Call:
    """What the connector is asked; the key stays the same for every try."""
    row = session.get(Instance, job.instance_id)
    assert row is not None
    return Call(
        job.type, decode(job.input) or {}, dict(job.headers or {}), job.key, job.instance_id, job.element_id, job.process_id,
        row.business_key, row.subject, row.department, job.attempts,
    )  # fmt: skip


def _fence(session: Session, job: Job, owner: str, **values: Any) -> None:
    """Ends the claim, if it is still ours: a job that was taken over meanwhile is not finished twice."""
    values |= {"owner": None, "lease": None}
    if statements.fenced_job(tuple(values)).run(statements.connection(session), {"at_id": job.id, "at_owner": owner, **values}) != 1:
        raise Conflict("The job belongs to another worker by now; this result is dropped.")
    faults.point("job.fenced")
    if job in session:  # else it is what a worker holds, which may have to try again from what it was
        statements.told(job, values)


def finish(session: Session, job: Job, owner: str, output: dict[str, Any]) -> None:
    """The call succeeded: the job is done and the instance goes on, in this transaction."""
    _fence(session, job, owner, state="done", ended=clock.now(), error=None)
    token = job.token
    advance(session, job.instance_id, lambda run: run.complete(token, output), actor=f"connector:{job.type}", handled=[token])


def fail(session: Session, job: Job, owner: str, error: ConnectorFailed | BpmnError) -> None:
    """The call failed: a business error goes to the model, the rest is tried again or becomes an incident."""
    actor = f"connector:{job.type}"
    if isinstance(error, BpmnError):
        _fence(session, job, owner, state="done", ended=clock.now(), error=error.message)
        code, message, variables, token = error.code, error.message, error.variables, job.token
        advance(session, job.instance_id, lambda run: run.throw_error(token, code, message, variables), actor=actor, handled=[token])
        return
    # A connection that a person has stopped is no failure: the call waits and keeps its tries
    left = job.attempts_left - (0 if error.details.get("stopped") else 1)
    if error.kind == "transient" and left > 0:
        due = clock.now() + max(pause(job.attempts), _asked_for(error))
        _fence(session, job, owner, state="ready", due=due, attempts_left=left, error=error.message)
        return
    _fence(session, job, owner, state="failed", attempts_left=max(left, 0), error=error.message)
    kind = "unknown_outcome" if error.kind == "unknown" else "job"
    _raise_incident(session, job, kind, error.message, actor)


def pause(attempt: int) -> timedelta:
    """How long to wait before the next try: 5 s, doubled each time up to 300 s, with a fifth of jitter."""
    seconds = min(FIRST_PAUSE.total_seconds() * 2 ** max(attempt - 1, 0), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter is no secret


def _asked_for(error: ConnectorFailed) -> timedelta:
    """How long the far end asked us to wait (Retry-After), an hour at most."""
    return min(timedelta(seconds=error.details.get("retry_after") or 0), MOST_ASKED)


def _raise_incident(session: Session, job: Job, kind: str, message: str, actor: str) -> None:
    about = {"kind": kind, "message": message, "job": job.id}
    advance(session, job.instance_id, lambda run: run.record("incident", run.find(job.token), detail=about), actor=actor)
    session.add(
        Incident(
            id=new_id(), instance_id=job.instance_id, token=job.token, job_id=job.id, process_id=job.process_id,
            element_id=job.element_id, kind=kind, message=message, created=clock.now(), state="open",
        )
    )  # fmt: skip


def fire_due(session: Session, job: Job, owner: str) -> None:
    """Carries out a job of the engine's own: a timer, a message or a signal."""
    _fence(session, job, owner, state="done", ended=clock.now())
    token, due = job.token, job.due
    if job.kind == "timer":
        advance(session, job.instance_id, partial(_fire, token, due), actor="timer", handled=[token])
        return
    given = decode(job.input) or {}
    if job.kind == "message":
        messages.publish(session, job.type, str(given.get("key", "")), given.get("payload", {}), message_id=job.key, actor="message")
    else:
        messages.signal(session, job.type, given.get("payload", {}), actor="signal")
    advance(session, job.instance_id, lambda run: _sent(run, token), actor=job.kind, handled=[token])


def fire_together(session: Session, timers: Sequence[Job], owner: str) -> list[Job]:
    """Fires timers in one transaction; returns those whose instance somebody else is moving now.

    Anything that goes wrong with one of them raises, and the caller fires each by itself.
    """
    rows = {row.id: row for row in session.scalars(_INSTANCES, {"at_ids": sorted({job.instance_id for job in timers})})}
    mine = [job for job in timers if job.instance_id in rows]
    ending = {"state": "done", "ended": clock.now(), "owner": None, "lease": None}
    done = session.connection().execute(_FENCED_JOBS, {"at_ids": [job.id for job in mine], "at_owner": owner, **ending}) if mine else None
    if done is not None and done.rowcount != len(mine):
        raise Conflict("Some of the jobs belong to another worker by now.")
    faults.point("job.fenced")
    for job in mine:
        advance(session, job.instance_id, partial(_fire, job.token, job.due), actor="timer", handled=[job.token])
    return [job for job in timers if job.instance_id not in rows]


def _fire(token: str, due: datetime, run: Run) -> None:
    run.fire(token, {}, due)


def give_up(session: Session, job: Job, owner: str, error: CarelaneError) -> None:
    """Closes a job whose instance is over and cannot take its outcome; one of a suspended instance waits until that goes on."""
    row = session.get(Instance, job.instance_id)
    if row is not None and row.state == "suspended":
        _fence(session, job, owner, state="ready", error=error.message)
    else:
        _fence(session, job, owner, state="cancelled", ended=clock.now(), error=error.message)


def _sent(run: Run, token: str) -> None:
    """The thrower goes on, unless what it threw has ended it."""
    if run.find(token) is not None:
        run.complete(token, {})


def get(session: Session, job_id: str) -> Job:
    """A job, or NotFound."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound("There is no such job.")
    return job


def retry(session: Session, job_id: str, *, actor: str, input: dict[str, Any] | None = None, attempts: int = 5, reason: str = "") -> Job:
    """Tries a failed job again, perhaps with other input; the incident closes."""
    job = _failed(session, job_id)
    job.state, job.due, job.attempts_left, job.error = "ready", clock.now(), attempts, None
    if input is not None:
        job.input = encode(input)
    about = {"job": job.id, "edited": input is not None} | ({"reason": reason} if reason else {})
    advance(session, job.instance_id, lambda run: run.record("resolved", run.find(job.token), detail=about), actor=actor)
    _resolve(session, job, actor, "tried again" if input is None else "tried again with other input")
    return job


def skip(session: Session, job_id: str, *, reason: str, output: dict[str, Any], actor: str) -> Job:
    """Goes on without the call, with `output` in its place; who and why is recorded."""
    job = _failed(session, job_id)
    if not reason.strip():
        raise Refused("Skipping a call needs a reason.")
    job.state, job.ended = "done", clock.now()
    session.flush()
    token = job.token

    def act(run: Run) -> None:
        run.record("resolved", run.find(token), detail={"skipped": reason, "output": output})
        run.complete(token, output)

    advance(session, job.instance_id, act, actor=actor, handled=[token])
    _resolve(session, job, actor, f"skipped: {reason}")
    return job


def _failed(session: Session, job_id: str) -> Job:
    job = get(session, job_id)
    if job.state != "failed":
        raise Conflict(f"The job is {job.state}, not failed.")
    return job


def _resolve(session: Session, job: Job, actor: str, resolution: str) -> None:
    session.execute(
        update(Incident)
        .where(Incident.job_id == job.id, Incident.state == "open")
        .values(state="resolved", resolved=clock.now(), resolved_by=actor, resolution=resolution)
    )
