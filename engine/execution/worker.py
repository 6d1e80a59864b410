"""The worker: carries out due jobs, again and again, until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event as Stop
from threading import Lock

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from engine.db import write_lock
from engine.errors import BpmnError, CarelaneError, Conflict, ConnectorFailed, NotFound, Stale
from engine.execution import connectors, jobs, messages
from engine.execution.connectors import Call
from engine.execution.tables import Job
from engine.settings import Settings

log = logging.getLogger("carelane.worker")
STALE_TRIES = 5


class Worker:
    """Claims due jobs and does them: the engine's own in one transaction, connector calls outside any."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings) -> None:
        self.sessions = sessions
        self.lease = timedelta(seconds=settings.lease_seconds)
        self.threads = settings.worker_threads
        self._busy: set[str] = set()
        self._filling = Lock()
        self.owner = f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    def run_once(self) -> int:
        """Does what is due now; returns how many jobs were done or tried."""
        taken = self._claim(limit=self.threads * 4)
        for job in taken:
            self.do(job)
        return len(taken)

    def run_forever(self, stop: Stop, idle: float = 0.5) -> None:
        """Works until `stop` is set: APScheduler looks for due jobs every `idle` seconds and carries them in its threads.

        The `job` table stays the truth: what APScheduler holds may be lost at any moment, a lease that runs out gives the
        job to another worker.
        """
        pools = {"default": {"type": "threadpool", "max_workers": 2}, "calls": {"type": "threadpool", "max_workers": self.threads}}
        scheduler = BackgroundScheduler(executors=pools, job_defaults={"misfire_grace_time": None, "coalesce": True}, timezone=UTC)
        scheduler.add_job(self._fill, "interval", [scheduler], seconds=idle, max_instances=1, next_run_time=datetime.now(UTC))
        scheduler.add_job(self._tidy, "interval", seconds=5, max_instances=1)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a look for due jobs that is skipped is no news
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)

    def _fill(self, scheduler: BackgroundScheduler) -> None:
        """Gives each idle thread a due job; each thread comes back here when it is done."""
        with self._filling:
            free = self.threads - len(self._busy)
            taken = self._claim(limit=free) if free > 0 else []
            self._busy |= {job.id for job in taken}
        for job in taken:
            scheduler.add_job(self._carry, args=[scheduler, job], executor="calls")

    def _carry(self, scheduler: BackgroundScheduler, job: Job) -> None:
        try:
            self.do(job)
        finally:
            self._busy.discard(job.id)
            if scheduler.running:
                self._fill(scheduler)

    def _tidy(self) -> None:
        with self.sessions() as session:
            write_lock(session)
            messages.expire(session)
            messages.meet(session)
            session.commit()

    def _claim(self, limit: int) -> list[Job]:
        try:
            with self.sessions() as session:
                write_lock(session)
                taken = jobs.claim(session, self.owner, limit, self.lease)
                session.commit()
                return taken
        except OperationalError as error:
            log.warning("the database did not answer; trying again: %s", type(error).__name__)
            return []

    def do(self, job: Job) -> None:
        """Does one claimed job. Whatever happens is written to the job, or left to its lease."""
        try:
            if job.kind == "call":
                self._call(job)
            else:
                self._settle(job, lambda session: jobs.fire_due(session, job, self.owner))
        except Conflict as conflict:
            log.info("job %s: %s", job.id, conflict)
        except OperationalError as error:
            log.warning("job %s waits for its lease, the database failed: %s", job.id, type(error).__name__)

    def _call(self, job: Job) -> None:
        with self.sessions() as session:
            call = jobs.call_of(session, job)
        try:
            output = dict(self._connector(call))
        except (BpmnError, ConnectorFailed) as error:
            failure = error
        else:
            self._settle(job, lambda session: jobs.finish(session, job, self.owner, output))
            return
        self._settle(job, lambda session: jobs.fail(session, job, self.owner, failure))

    def _connector(self, call: Call) -> dict[str, object]:
        try:
            return dict(connectors.get(call.type).call(call))
        except NotFound as error:
            raise ConnectorFailed(str(error), kind="permanent") from error
        except (BpmnError, ConnectorFailed):
            raise
        except CarelaneError as error:
            raise ConnectorFailed(str(error), kind="permanent") from error

    def _settle(self, job: Job, write: Callable[[Session], object]) -> None:
        """Writes the outcome; a clash with another step of the same instance is tried again at once, at no cost."""
        for attempt in range(STALE_TRIES):
            with self.sessions() as session:
                write_lock(session)
                try:
                    write(session)
                    session.commit()
                except Stale:
                    session.rollback()
                    if attempt == STALE_TRIES - 1:
                        raise
                except CarelaneError as error:
                    session.rollback()
                    if isinstance(error, Conflict):
                        raise
                    self._give_up(job, error)
                    return
                else:
                    return

    def _give_up(self, job: Job, error: CarelaneError) -> None:
        """A job whose instance cannot take its outcome (ended, cancelled) is closed with the reason."""
        with self.sessions() as session:
            write_lock(session)
            row = session.get(Job, job.id)
            if row is not None and row.owner == self.owner and row.state == "running":
                row.state, row.error, row.owner, row.lease = "cancelled", error.message, None, None
                session.commit()
