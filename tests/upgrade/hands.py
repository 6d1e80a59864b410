"""What is done to a parked instance, step by step, by functions that every release has.

A step is a list, so that a manifest can keep it: ["complete", "a", {"x": 1}], ["later", 3600]. It never touches another
instance of the same database: jobs are taken one by one instead of being claimed by the dozen.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import BpmnError, Conflict, ConnectorFailed
from engine.execution import incidents, instances, jobs, messages, tasks
from engine.execution.tables import Event, Incident, Instance, Job, Task
from engine.execution.values import encode

MORNING = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # a Monday, 08:00 in Shanghai
LEASE = timedelta(seconds=30)
Step = list[Any]


class Hands:
    """Works on one instance at a time of its own."""

    def __init__(self, session: Session, process: str, instance: str = "", now: datetime = MORNING) -> None:
        self.session, self.process, self.instance, self.now = session, process, instance, now

    def do(self, steps: list[Step]) -> None:
        """Carries out steps, each committed."""
        for name, *arguments in steps:
            with clock.at(self.now):
                getattr(self, name)(*arguments)
            self.session.commit()
            if name != "park":
                self._carry()

    # -- steps

    def start(self, variables: dict[str, Any]) -> None:
        self.instance = instances.start(self.session, self.process, variables, business_key=f"K-{self.process}").id

    def claim(self, element: str) -> None:
        tasks.claim(self.session, self._task(element), user="ann", roles=["nurse"])

    def draft(self, element: str, values: dict[str, Any]) -> None:
        tasks.save_draft(self.session, self._task(element), values, user="ann")

    def complete(self, element: str, values: dict[str, Any] | None = None) -> None:
        tasks.complete(self.session, self._task(element), values or {}, user="ann")

    def take(self, element: str) -> None:
        """A worker takes a call, and is not heard of again."""
        self._taken(self._job(element), "lost")

    def answer(self, element: str, output: dict[str, Any]) -> None:
        jobs.finish(self.session, self._taken(self._job(element)), "hands", output)

    def error(self, element: str, code: str) -> None:
        jobs.fail(self.session, self._taken(self._job(element)), "hands", BpmnError(code))

    def fail(self, element: str, kind: Any) -> None:
        jobs.fail(self.session, self._taken(self._job(element)), "hands", ConnectorFailed("no answer", kind=kind))

    def publish(self, name: str, key: str, payload: dict[str, Any]) -> None:
        published = messages.publish(self.session, name, key, payload, message_id=f"{name}/{key}/{self.now.isoformat()}")
        if not self.instance and published.instance_ids:
            self.instance = published.instance_ids[0]

    def signal(self, name: str, payload: dict[str, Any]) -> None:
        messages.signal(self.session, name, payload)

    def retry(self, element: str) -> None:
        incidents.retry(self.session, self._incident(element).id, actor="ann")

    def skip(self, element: str, output: dict[str, Any]) -> None:
        jobs.skip(self.session, str(self._incident(element).job_id), reason="done by hand", output=output, actor="ann")

    def change(self, values: dict[str, Any]) -> None:
        instances.set_variables(self.session, self.instance, values, actor="ann", reason="test")

    def suspend(self) -> None:
        instances.suspend(self.session, self.instance, "holiday", actor="ann")

    def resume(self) -> None:
        instances.resume(self.session, self.instance, "work again", actor="ann")

    def cancel(self) -> None:
        instances.cancel(self.session, self.instance, "left", actor="ann")

    def park(self) -> None:
        """Marks in a case where its instance is left waiting."""

    def later(self, seconds: float) -> None:
        """Time passes; the instance's timers fire at their own moments."""
        until = self.now + timedelta(seconds=seconds)
        due = (Job.instance_id == self.instance, Job.kind == "timer", Job.state == "ready", Job.due <= until)
        running = select(Instance.state).where(Instance.id == self.instance)
        while self.session.scalar(running) == "running" and (
            job := self.session.scalars(select(Job).where(*due).order_by(Job.due).limit(1)).first()
        ):
            self.now = max(job.due, self.now)
            with clock.at(self.now):
                jobs.fire_due(self.session, self._taken(job), "hands")
            self.session.commit()
        self.now = until

    # -- what is looked up

    def _task(self, element: str) -> str:
        query = select(Task.id).where(Task.instance_id == self.instance, Task.element_id == element, Task.state == "open")
        found = self.session.scalars(query.order_by(func.length(Task.token), Task.token)).first()
        assert found, f"{self.process} has no open task {element}"
        return found

    def _job(self, element: str) -> Job:
        query = select(Job).where(Job.instance_id == self.instance, Job.element_id == element, Job.kind == "call")
        found = self.session.scalars(query.where(Job.state.in_(("ready", "running"))).order_by(func.length(Job.token), Job.token)).first()
        assert found, f"{self.process} has no open call {element}"
        return found

    def _incident(self, element: str) -> Incident:
        query = select(Incident).where(Incident.instance_id == self.instance, Incident.element_id == element, Incident.state == "open")
        return self.session.scalars(query).one()

    def _taken(self, job: Job, owner: str = "hands") -> Job:
        job.state, job.owner, job.lease, job.attempts = "running", owner, clock.now() + LEASE, job.attempts + 1
        self.session.flush()
        return job

    def _carry(self) -> None:
        """What the instance itself throws to others."""
        query = select(Job).where(Job.instance_id == self.instance, Job.kind.in_(("message", "signal")), Job.state == "ready")
        while job := self.session.scalars(query).first():
            with clock.at(self.now), suppress(Conflict):
                jobs.fire_due(self.session, self._taken(job), "hands")
            self.session.commit()

    def outcome(self) -> dict[str, Any]:
        """How the instance stands: state, end event, variables, and every element it has completed, in order."""
        self.session.expire_all()
        row = instances.get(self.session, self.instance)
        done = select(Event.element_id).where(Event.instance_id == row.id, Event.kind == "completed", Event.element_id.is_not(None))
        return {
            "state": row.state, "end": row.end_element, "variables": encode(instances.variables(self.session, row.id)),
            "completed": list(self.session.scalars(done.order_by(Event.id))),
        }  # fmt: skip
