"""The worker: carries out due jobs, again and again, until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event as Stop
from threading import Lock

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from engine import faults
from engine.db import overtaken, write_lock
from engine.errors import BpmnError, CarelaneError, Conflict, ConnectorFailed, NotFound, Stale
from engine.execution import connectors, jobs, messages, starts
from engine.execution.connectors import Call
from engine.execution.tables import Job
from engine.settings import Settings

log = logging.getLogger("carelane.worker")
STALE_TRIES = 5
MOST_OWN = 200  # jobs of the engine's own that are claimed at once: they take milliseconds
TOGETHER = 25  # timers in one transaction: as many as keep a person's click waiting for less than a tenth of a second
DATABASE_PAUSE = 0.25  # seconds between tries while the database does not answer


class Worker:
    """Claims due jobs and does them: the engine's own in one transaction, connector calls outside any."""

    def __init__(self, sessions: sessionmaker[Session], settings: Settings) -> None:
        self.sessions = sessions
        self.lease = timedelta(seconds=settings.lease_seconds)
        self.threads = settings.worker_threads
        self._busy: set[str] = set()  # calls in hand
        self._firing = False  # jobs of the engine's own are in hand
        self._filling = Lock()
        self.owner = f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    def run_once(self) -> int:
        """Does what is due now; returns how many jobs were done or tried."""
        self._begin()
        taken = self._claim(calls=self.threads * 4, own=MOST_OWN)
        self.do_all(taken)
        return len(taken)

    def run_forever(self, stop: Stop, idle: float = 0.5) -> None:
        """Works until `stop` is set: APScheduler looks for due jobs every `idle` seconds and carries them in its threads.

        The `job` table stays the truth: what APScheduler holds may be lost at any moment, a lease that runs out gives the
        job to another worker.
        """
        sizes = {"default": 2, "own": 1, "calls": self.threads}
        pools = {name: {"type": "threadpool", "max_workers": size} for name, size in sizes.items()}
        scheduler = BackgroundScheduler(executors=pools, job_defaults={"misfire_grace_time": None, "coalesce": True}, timezone=UTC)
        scheduler.add_job(self._fill, "interval", [scheduler], seconds=idle, max_instances=1, next_run_time=datetime.now(UTC))
        scheduler.add_job(self._begin, "interval", seconds=1, max_instances=1)
        scheduler.add_job(self._tidy, "interval", seconds=5, max_instances=1)
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a look for due jobs that is skipped is no news
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.shutdown(wait=True)

    def _fill(self, scheduler: BackgroundScheduler) -> None:
        """Gives each idle thread a due call, and one thread the engine's own jobs; each comes back here when it is done."""
        with self._filling:
            free, own = self.threads - len(self._busy), 0 if self._firing else MOST_OWN
            taken = self._claim(calls=free, own=own) if free > 0 or own else []
            calls = [job for job in taken if job.kind == "call"]
            ours = [job for job in taken if job.kind != "call"]
            self._busy |= {job.id for job in calls}
            self._firing = self._firing or bool(ours)
        for job in calls:
            scheduler.add_job(self._carry, args=[scheduler, job], executor="calls")
        if ours:
            scheduler.add_job(self._carry_ours, args=[scheduler, ours], executor="own")

    def _carry(self, scheduler: BackgroundScheduler, job: Job) -> None:
        try:
            self.do(job)
        finally:
            self._busy.discard(job.id)
            if scheduler.running:
                self._fill(scheduler)

    def _carry_ours(self, scheduler: BackgroundScheduler, ours: list[Job]) -> None:
        try:
            self.do_all(ours)
        finally:
            self._firing = False
            if scheduler.running:
                self._fill(scheduler)

    def _begin(self) -> None:
        """Starts the processes whose timer start events are due."""
        try:
            with self.sessions() as session:
                if starts.is_due(session):
                    session.rollback()
                    write_lock(session)
                    starts.begin_due(session)
                    with faults.around("worker.start"):
                        session.commit()
        except OperationalError as error:
            log.warning("timer start events wait for the next look: %s", type(error).__name__)

    def _tidy(self) -> None:
        try:
            with self.sessions() as session:
                write_lock(session)
                messages.expire(session)
                messages.meet(session)
                starts.begin_kept(session)
                with faults.around("worker.tidy"):
                    session.commit()
        except (Stale, OperationalError) as error:
            log.warning("kept messages wait for the next look: %s", type(error).__name__)

    def _claim(self, *, calls: int, own: int) -> list[Job]:
        try:
            with self.sessions() as session:
                write_lock(session)
                taken = jobs.claim(session, self.owner, own, self.lease, kinds=jobs.OWN) if own > 0 else []
                taken += jobs.claim(session, self.owner, calls, self.lease, kinds=("call",)) if calls > 0 else []
                with faults.around("worker.claim"):
                    session.commit()
                return taken
        except OperationalError as error:
            log.warning("the database did not answer; trying again: %s", type(error).__name__)
            return []

    def do_all(self, taken: Sequence[Job]) -> None:
        """Does claimed jobs: timers many at a time, the rest one by one.

        A timer that was claimed before and not finished may be what ended its worker: it goes alone.
        """
        timers = [job for job in taken if job.kind == "timer" and job.attempts == 1]
        for first in range(0, len(timers), TOGETHER):
            self._fire(timers[first : first + TOGETHER])
        for job in taken:
            if job.kind != "timer" or job.attempts > 1:
                self.do(job)

    def _fire(self, timers: Sequence[Job]) -> None:
        """Timers in one transaction; when one of them fails, each in its own."""
        try:
            with self.sessions() as session:
                write_lock(session)
                left = jobs.fire_together(session, timers, self.owner)
                with faults.around("worker.batch"):
                    session.commit()
        except (CarelaneError, DBAPIError) as error:
            log.info("%d timers go one by one: %s", len(timers), type(error).__name__)
            left = list(timers)
        for job in left:
            self.do(job)

    def do(self, job: Job) -> None:
        """Does one claimed job. Whatever happens is written to the job, or left to its lease."""
        try:
            if job.kind == "call":
                self._call(job)
            else:
                self._settle(job, lambda session: jobs.fire_due(session, job, self.owner))
        except Conflict as conflict:
            log.info("job %s: %s", job.id, conflict)
        except DBAPIError as error:
            log.warning("job %s waits for its lease, the database failed: %s", job.id, type(error).__name__)

    def _call(self, job: Job) -> None:
        with self.sessions() as session:
            call = jobs.call_of(session, job)
        faults.point("call.before")
        try:
            output = dict(self._connector(call))
        except (BpmnError, ConnectorFailed) as error:
            failure = error
        else:
            faults.point("call.after")
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
        """Writes the outcome; a clash with another step of the same instance is tried again at once, at no cost.

        While the database does not answer it is tried again for as long as the job is surely ours: what a far end has
        said is not asked for a second time because of a restart.
        """
        until = time.monotonic() + self.lease.total_seconds() / 2
        clashes = 0
        while True:
            try:
                self._write(job, write)
            except Stale:
                clashes += 1
                if clashes == STALE_TRIES:
                    raise
            except DBAPIError as error:
                clashes += overtaken(error)
                if clashes == STALE_TRIES or not isinstance(error, OperationalError) or time.monotonic() > until:
                    raise
                if not overtaken(error):
                    time.sleep(DATABASE_PAUSE)
            else:
                return

    def _write(self, job: Job, write: Callable[[Session], object]) -> None:
        with self.sessions() as session:
            write_lock(session)
            try:
                write(session)
            except Conflict:
                raise
            except CarelaneError as error:
                session.rollback()
                self._give_up(job, error)
                return
            with faults.around("worker.finish" if job.kind == "call" else "worker.fire"):
                session.commit()

    def _give_up(self, job: Job, error: CarelaneError) -> None:
        """The instance cannot take the outcome: it ended, was cancelled, or is suspended."""
        with self.sessions() as session:
            write_lock(session)
            jobs.give_up(session, job, self.owner, error)
            with faults.around("worker.give_up"):
                session.commit()
