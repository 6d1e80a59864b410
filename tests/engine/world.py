"""One process instance seen by a test: in memory, dumped and reloaded between all steps, or in a database."""

from __future__ import annotations

import heapq
import itertools
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from SpiffWorkflow.util.task import TaskState
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import ConnectorFailed
from engine.execution import check, incidents, instances, jobs, messages, starts, state, tasks
from engine.execution.effects import Closed, IncidentCleared, IncidentRaised, JobOpened, Recorded, Subscribed, TaskOpened, TimerSet
from engine.execution.environment import Deployed
from engine.execution.play import Library
from engine.execution.run import Run
from engine.execution.tables import Event, Incident, Instance, Job, Subscription, Task
from engine.models import deploy as deploying

MORNING = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # a Monday, 08:00 in Shanghai
LEASE = timedelta(seconds=30)


class World(ABC):
    """What a test does to an instance, and what it sees of it."""

    def __init__(self) -> None:
        self.now = MORNING

    # -- what a test does

    @abstractmethod
    def deploy(self, *files: bytes, lint: bool = True) -> None: ...

    @abstractmethod
    def start(self, variables: dict[str, Any] | None = None, process: str = "p") -> World: ...

    @abstractmethod
    def complete(self, element: str, **values: Any) -> None:
        """Completes the first open task of that element."""

    @abstractmethod
    def answer(self, element: str, *, error: str | None = None, **output: Any) -> None:
        """A connector answers the first open call of that element."""

    @abstractmethod
    def publish(self, name: str, key: str = "", **payload: Any) -> None: ...

    @abstractmethod
    def signal(self, name: str, **payload: Any) -> None: ...

    @abstractmethod
    def retry(self, element: str) -> None: ...

    @abstractmethod
    def change(self, **values: Any) -> None:
        """Changes root variables by hand."""

    def later(self, **how_long: float) -> None:
        """Time passes; what is due in it happens at its own moment."""
        until = self.now + timedelta(**how_long)
        while (due := self._next_due()) is not None and due <= until:
            self.now = max(due, self.now)
            self._fire_due()
        self.now = until

    @abstractmethod
    def _next_due(self) -> datetime | None: ...

    @abstractmethod
    def _fire_due(self) -> None: ...

    # -- what a test sees

    @property
    @abstractmethod
    def run(self) -> Run:
        """The instance's state."""

    @property
    @abstractmethod
    def trace(self) -> list[str]:
        """Elements in the order in which they were completed."""

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.run.root.data)

    @property
    def at(self) -> list[str]:
        """Where tokens stand, without those that wait for what is inside them."""
        found = [
            t.element.id for s in self.run.scopes.values() for t in s.live()
            if not {"scope", "loop"} & set(t.notes.get("waits", ()))
        ]  # fmt: skip
        return sorted(found)

    @property
    def over(self) -> bool:
        return self.run.over

    @property
    def incidents(self) -> list[tuple[str, str]]:
        """(element, kind) of what waits for a person."""
        return [
            (t.element.id, t.notes["failed"]["kind"])
            for s in self.run.scopes.values()
            for t in s.tasks.values()
            if t.has_state(TaskState.ERROR)
        ]

    def times(self, element: str) -> int:
        return self.trace.count(element)


class Memory(World):
    """Effects go to dictionaries; with `reload` the state is written and read again after every step."""

    def __init__(self, *, reload: bool) -> None:
        super().__init__()
        self.reload = reload
        self.tasks: dict[str, TaskOpened] = {}
        self.jobs: dict[str, JobOpened] = {}
        self.subscriptions: dict[str, Subscribed] = {}
        self.timers: list[tuple[datetime, int, TimerSet]] = []
        self.open: set[str] = set()  # tokens with an incident
        self.order = itertools.count()
        self._trace: list[str] = []

    def deploy(self, *files: bytes, lint: bool = True) -> None:
        self.library = Library({f"{n}.bpmn": file for n, file in enumerate(files)}, moment=self.now)

    def start(self, variables: dict[str, Any] | None = None, process: str = "p") -> World:
        self._run = Run(self.library)
        self._step(lambda run: run.start(self.library.find(process), dict(variables or {})))
        return self

    @property
    def run(self) -> Run:
        return self._run

    @property
    def trace(self) -> list[str]:
        return self._trace

    def _step(self, act: Callable[[Run], Any]) -> None:
        self.library.moment = self.now
        with clock.at(self.now):
            act(self._run)
        self._apply()
        if self.reload:
            dumped = orjson.dumps(state.dump(self._run))
            self._run = state.load(orjson.loads(dumped), self.library)
            assert orjson.dumps(state.dump(self._run)) == dumped, "dump → load → dump changed something"
        self._carry()

    def _apply(self) -> None:
        items, self._run.effects.items = self._run.effects.items, []
        for effect in items:
            match effect:
                case TaskOpened():
                    self.tasks[effect.token] = effect
                case JobOpened():
                    self.jobs[effect.token] = effect
                case Subscribed():
                    self.subscriptions[effect.wait] = effect
                case TimerSet():
                    heapq.heappush(self.timers, (effect.due, next(self.order), effect))
                case Closed():
                    self._close(effect)
                case IncidentRaised():
                    self.open.add(effect.token)
                case IncidentCleared():
                    self.open.discard(effect.token)
                case Recorded(kind="completed", element=str(element)):
                    self._trace.append(element)

    def _close(self, effect: Closed) -> None:
        for kind, _, wait in (each.partition(":") for each in effect.waits):
            if kind == "task":
                del self.tasks[effect.token]
            elif kind == "job":
                self.jobs.pop(effect.token, None)
            elif kind in ("message", "signal"):
                del self.subscriptions[wait]
            elif kind == "timer":
                self.timers = [entry for entry in self.timers if entry[2].wait != wait]
                heapq.heapify(self.timers)

    def _carry(self) -> None:
        """Messages and signals that the instance itself throws."""
        for token, job in list(self.jobs.items()):
            if job.kind in ("message", "signal") and token in self.jobs:
                payload = job.input["payload"]
                del self.jobs[token]
                (self.publish if job.kind == "message" else self.signal)(
                    job.type, **({"key": job.input["key"]} if "key" in job.input else {}), **payload
                )  # type: ignore[operator]
                if self._run.find(token) is not None:
                    self._step(lambda run, token=token: run.complete(token, {}))  # type: ignore[misc]

    def complete(self, element: str, **values: Any) -> None:
        token = next(t.token for t in self.tasks.values() if t.element == element)
        self._step(lambda run: run.complete(token, values))

    def answer(self, element: str, *, error: str | None = None, **output: Any) -> None:
        token = next(j.token for j in self.jobs.values() if j.element == element)
        if error is None:
            self._step(lambda run: run.complete(token, output))
        else:
            self._step(lambda run: run.throw_error(token, error, None, output))

    def publish(self, name: str, key: str = "", **payload: Any) -> None:
        for wait, s in list(self.subscriptions.items()):
            if s.kind == "message" and s.name == name and s.key in ("", key):
                return self._step(lambda run, wait=wait: run.fire(wait, payload))  # type: ignore[misc]
        return None

    def signal(self, name: str, **payload: Any) -> None:
        for wait in [wait for wait, s in self.subscriptions.items() if s.kind == "signal" and s.name == name]:
            self._step(lambda run, wait=wait: run.fire(wait, payload))  # type: ignore[misc]

    def retry(self, element: str) -> None:
        token = next(
            t.id for s in self.run.scopes.values() for t in s.tasks.values() if t.element.id == element and t.has_state(TaskState.ERROR)
        )
        assert token in self.open
        self._step(lambda run: run.retry(token))

    def change(self, **values: Any) -> None:
        def act(run: Run) -> None:
            run.root.data.update(values)
            run.dirty = True
            run.drain()

        self._step(act)

    def _next_due(self) -> datetime | None:
        return self.timers[0][0] if self.timers else None

    def _fire_due(self) -> None:
        due, _, timer = heapq.heappop(self.timers)
        self._step(lambda run: run.fire(timer.wait, {}, due))


class Stored(World):
    """The real thing: definitions, instance and rows in a database, the worker's own functions."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.instance = ""

    def deploy(self, *files: bytes, lint: bool = True) -> None:
        named = {f"{n}.bpmn": file for n, file in enumerate(files)}
        with clock.at(self.now):
            if lint:
                check.deploy(self.session, named, by="test")
            else:
                deployed = deploying.deploy(self.session, named, by="test", check=lambda *_, **__: [])
                for definition in deployed.created("process"):
                    starts.refresh(self.session, definition)
        self.session.commit()

    def start(self, variables: dict[str, Any] | None = None, process: str = "p", **more: Any) -> World:
        with clock.at(self.now):
            self.instance = instances.start(self.session, process, variables, **more).id
        self._settle()
        return self

    @property
    def row(self) -> Instance:
        return instances.get(self.session, self.instance)

    @property
    def run(self) -> Run:
        return state.load(self.row.body, Deployed(self.session))

    @property
    def trace(self) -> list[str]:
        query = select(Event.element_id).where(Event.instance_id == self.instance, Event.kind == "completed", Event.element_id.is_not(None))
        return [str(id) for id in self.session.scalars(query.order_by(Event.id))]

    def _settle(self) -> None:
        """Commits, and lets the worker carry what the instance itself has thrown."""
        self.session.commit()
        with clock.at(self.now):
            while taken := jobs.claim(self.session, "test", 10, LEASE, kinds=("message", "signal")):
                self.session.commit()
                for job in taken:
                    jobs.fire_due(self.session, job, "test")
                    self.session.commit()
        for id in self.session.scalars(select(Instance.id)):
            assert_rows_match(self.session, id)

    def complete(self, element: str, **values: Any) -> None:
        query = select(Task.id).where(Task.element_id == element, Task.state == "open", Task.instance_id == self.instance)
        with clock.at(self.now):
            first = self.session.scalars(query.order_by(func.length(Task.token), Task.token)).first()
            tasks.complete(self.session, first or "none", values, user="ann")
        self._settle()

    def answer(self, element: str, *, error: str | None = None, **output: Any) -> None:
        job = self.claim(element)
        with clock.at(self.now):
            if error is None:
                jobs.finish(self.session, job, "test", output)
            else:
                from engine.errors import BpmnError

                jobs.fail(self.session, job, "test", BpmnError(error, variables=output))
        self._settle()

    def claim(self, element: str) -> Job:
        """The first open call of an element, claimed; the others are given back."""
        with clock.at(self.now):
            taken = jobs.claim(self.session, "test", 100, LEASE, kinds=("call",))
        job, *others = sorted((j for j in taken if j.element_id == element), key=lambda j: (len(j.token), j.token))
        for other in [*others, *(j for j in taken if j.element_id != element)]:
            other.state, other.owner, other.lease, other.attempts = "ready", None, None, other.attempts - 1
        self.session.commit()
        return job

    def fail(self, element: str, kind: Any = "transient", message: str = "no answer") -> Job:
        """A call fails for a technical reason."""
        job = self.claim(element)
        with clock.at(self.now):
            jobs.fail(self.session, job, "test", ConnectorFailed(message, kind=kind))
        self.session.commit()
        return job

    def publish(self, name: str, key: str = "", **payload: Any) -> None:
        with clock.at(self.now):
            messages.publish(self.session, name, key, payload, message_id=f"m{key}{payload}{self.now}{self.row.rev}", ttl=timedelta(0))
        self._settle()

    def signal(self, name: str, **payload: Any) -> None:
        with clock.at(self.now):
            messages.signal(self.session, name, payload)
        self._settle()

    def retry(self, element: str) -> None:
        incident = next(i for i in incidents.open_incidents(self.session, instance_id=self.instance) if i.element_id == element)
        with clock.at(self.now):
            incidents.retry(self.session, incident.id, actor="ann")
        self._settle()

    def change(self, **values: Any) -> None:
        with clock.at(self.now):
            instances.set_variables(self.session, self.instance, values, actor="ann", reason="test")
        self._settle()

    def _next_due(self) -> datetime | None:
        return self.session.scalars(select(Job.due).where(Job.state == "ready", Job.kind == "timer").order_by(Job.due, Job.id).limit(1)).first()

    def _fire_due(self) -> None:
        with clock.at(self.now):
            for job in jobs.claim(self.session, "test", 1, LEASE, kinds=("timer",)):
                jobs.fire_due(self.session, job, "test")
        self._settle()


def assert_rows_match(session: Session, instance_id: str) -> None:
    """The rows that the outside sees are exactly what the state's tokens wait for."""
    row = instances.get(session, instance_id)
    run = state.load(row.body, Deployed(session))
    wanted: Counter[tuple[str, str]] = Counter()
    for token in (t for s in run.scopes.values() for t in s.tasks.values()):
        for kind, _, wait in (each.partition(":") for each in token.notes.get("waits", ())):
            if kind in ("task", "job", "timer", "message", "signal"):
                wanted[kind, wait or token.id] += 1
        if token.has_state(TaskState.ERROR):
            wanted["incident", token.id] += 1
    found: Counter[tuple[str, str]] = Counter()
    mine = [Task.instance_id == instance_id, Task.state == "open"]
    found.update(("task", t) for t in session.scalars(select(Task.token).where(*mine)))
    for kind, wait in session.execute(
        select(Job.kind, Job.token).where(Job.instance_id == instance_id, Job.state.in_(("ready", "running", "failed")))
    ):
        found["timer" if kind == "timer" else "job", wait] += 1
    for kind, wait in session.execute(select(Subscription.kind, Subscription.token).where(Subscription.instance_id == instance_id)):
        found[kind, str(wait)] += 1
    query = select(Incident.token).where(Incident.instance_id == instance_id, Incident.state == "open", Incident.job_id.is_(None))
    found.update(("incident", t) for t in session.scalars(query))
    assert found == wanted, f"rows {found - wanted} too many, {wanted - found} missing"
    assert (row.state == "running") == (not run.over) or row.state in ("cancelled", "suspended")
