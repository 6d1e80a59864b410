"""One past visit, from arrival to exit, through the real engine."""

from __future__ import annotations

import heapq
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import forms
from engine import clock
from engine.errors import BpmnError, CarelaneError
from engine.execution import connectors, feel, instances, jobs, tasks
from engine.execution.steps import advance
from engine.execution.tables import Instance, Job, Task
from integrations.simulators import instant
from web.demo.roster import Roster

if TYPE_CHECKING:
    from web.demo.plan import Planned

MOST_STEPS = 400
MINUTES = {  # how long a person of that role takes for one task: shortest, longest, usual
    "registrar": (1.0, 5.0, 2.0), "triage_nurse": (2.0, 7.0, 3.5), "doctor": (4.0, 16.0, 8.0), "lab_technician": (2.0, 8.0, 4.0),
    "imaging_technician": (6.0, 18.0, 10.0), "cashier": (1.5, 6.0, 3.0), "pharmacist": (2.0, 8.0, 4.0),
    "referral_coordinator": (4.0, 15.0, 8.0),
}  # fmt: skip


class Stranded(CarelaneError):
    """A past visit came to a stand; its step and the reason are in the message."""


class Journey:
    """Plays one visit by its own events: people, answers, messages and timers, in the order of their time."""

    def __init__(self, session: Session, roster: Roster, far: instant.FarEnds, luck: random.Random) -> None:
        self.session, self.roster, self.far, self.luck = session, roster, far, luck
        self.agenda: list[tuple[datetime, int, str, str, Any]] = []
        self.order = itertools.count()
        self.known: set[str] = set()
        self.said: dict[str, Any] = {}  # answers that are wanted of this visit, past what its patient would say

    def play(self, visit: Planned) -> Instance:
        """Plays the visit to its end; raises Stranded, and then nothing of it was written."""
        row = self.begin(visit)
        for _ in range(MOST_STEPS):
            if row.state != "running":
                return row
            if not self.agenda:
                break
            self._next()
        stands = ", ".join(f"{t.element_id} {t.waits}" for t in instances.tokens(self.session, row.id))
        raise Stranded(f"The past visit {visit.number} ({visit.arm}) stands at {stands}.")

    def play_until(self, visit: Planned, role: str, by: str) -> Task | None:
        """Plays the visit until somebody of `role` has something to do and nothing else is on its way; None when it never is."""
        row = self.begin(visit, by)
        for _ in range(MOST_STEPS):
            waiting = select(Task).where(Task.instance_id == row.id, Task.state == "open", Task.role == role)
            if (task := self.session.scalars(waiting.order_by(Task.created).limit(1)).first()) is not None:
                self.agenda = [entry for entry in self.agenda if entry[3] != task.id]
                heapq.heapify(self.agenda)
                if not any(entry[2] == "news" for entry in self.agenda):
                    return task
            if not self.agenda or row.state != "running":
                return None
            self._next()
        return None

    def begin(self, visit: Planned, by: str = "past") -> Instance:
        """The patient arrives."""
        self.visit, self.moment = visit, visit.arrival
        with clock.at(visit.arrival):
            self.row = instances.start(
                self.session, "outpatient_visit", {"arrival": "walk_in"}, version_tag=visit.arm, arm=visit.arm,
                business_key=visit.number, department=visit.department, actor=by,
            )  # fmt: skip
            self._look()
        return self.row

    # -- what comes next ----------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self.moment, _, kind, key, about = heapq.heappop(self.agenda)
        with clock.at(self.moment):
            {"claim": self._claim, "task": self._complete, "timer": self._fire, "news": self._receive}[kind](key, about)
            self.session.flush()
            if self.row.state == "running":
                self._look()

    def _at(self, moment: datetime, kind: str, key: str, about: Any = None) -> None:
        heapq.heappush(self.agenda, (moment, next(self.order), kind, key, about))

    def _new(self, table: Any, *where: Any) -> list[Any]:
        found = self.session.scalars(select(table).where(table.instance_id == self.row.id, *where)).all()
        fresh = [row for row in found if row.id not in self.known]
        self.known |= {row.id for row in fresh}
        return fresh

    def _look(self) -> None:
        """Answers calls at once, and plans people, messages and timers that are new."""
        while self.row.state == "running" and (calls := self._new(Job, Job.state == "ready", Job.kind != "timer")):
            for job in calls:
                self._answer(job)
        for task in self._new(Task, Task.state == "open"):
            shortest, longest, usual = MINUTES.get(task.role, (2.0, 6.0, 3.0))
            minutes = self.luck.triangular(shortest, longest, usual)
            start, who = self.roster.book(task.role, self.visit.department, self.moment, minutes)
            self._at(start, "claim", task.id, who)
            self._at(start + timedelta(minutes=minutes), "task", task.id, who)
        for job in self._new(Job, Job.state == "ready", Job.kind == "timer"):
            self._at(job.due, "timer", job.id)
        for news in self.far.due(datetime.max.replace(tzinfo=UTC)):
            self._at(max(news.at, self.moment), "news", news.name, news)

    # -- what happens -------------------------------------------------------------------------------------------------

    def _answer(self, job: Job) -> None:
        job.state, job.owner, job.lease, job.attempts = "running", "past", self.moment + timedelta(minutes=1), 1
        self.session.flush()
        if job.kind != "call":
            jobs.fire_due(self.session, job, "past")
            return
        try:
            call = jobs.call_of(self.session, job)
            output = dict(connectors.get(call.type).call(call))
        except BpmnError as error:
            jobs.fail(self.session, job, "past", error)
        else:
            jobs.finish(self.session, job, "past", output)

    def _claim(self, task_id: str, who: str) -> None:
        task = tasks.get(self.session, task_id)
        if task.state == "open" and task.assignee is None:
            tasks.claim(self.session, task_id, user=who, roles=[task.role])

    def _complete(self, task_id: str, who: str) -> None:
        task = tasks.get(self.session, task_id)
        if task.state == "open":
            tasks.complete(self.session, task_id, self._values(task), user=who)

    def _values(self, task: Task) -> dict[str, Any]:
        """The form's example values, with what this patient would say and show in their place where it is valid."""
        form = tasks.form_of(self.session, task)
        if form is None:
            return {}
        context = tasks.context(self.session, task)
        example = forms.example(form, context, evaluate=feel.evaluate)
        own = {key: value for key, value in self._answers(context).items() if key in example}
        validated = forms.validate(form, {**example, **own}, context, evaluate=feel.evaluate)
        return validated.values if validated.ok else example

    def _answers(self, context: dict[str, Any]) -> dict[str, Any]:
        ill, luck = self.visit.patient.sickness, self.luck
        paying = ("wechat", "alipay", "wechat") if self.visit.arm == "to-be" else ("cash", "wechat", "cash")
        vital = {
            "heartRate": round(72 + 60 * ill + luck.gauss(0, 5)), "sbp": round(126 - 30 * ill + luck.gauss(0, 8)),
            "dbp": round(78 - 12 * ill + luck.gauss(0, 5)), "respirationRate": round(15 + 9 * ill + luck.gauss(0, 1)),
            "spo2": min(100, round(98.5 - 7 * ill + luck.gauss(0, 0.6))), "temperature": round(36.6 + 2.6 * ill + luck.gauss(0, 0.2), 1),
            "pain": max(0, min(6, round(6 * ill + luck.gauss(0, 1)))), "chiefComplaint": self.visit.patient.complaint,
        }  # fmt: skip
        return {**self.visit.patient.answers(), **vital, "department": self.visit.department, "channel": luck.choice(paying), **self.said}

    def _fire(self, job_id: str, _about: Any) -> None:
        job = jobs.get(self.session, job_id)
        if job.state == "ready":
            job.state = "done"
            token, due = job.token, job.due
            advance(self.session, self.row.id, lambda run: run.fire(token, {}, due), actor="timer", handled=[token])

    def _receive(self, _name: str, news: instant.News) -> None:
        self.far.deliver(self.session, news)
