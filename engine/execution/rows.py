"""From effects to rows: the inbox, jobs, subscriptions, incidents and the record, written in as few statements as can be."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.execution import statements
from engine.execution.effects import (
    Closed,
    Effect,
    IncidentCleared,
    IncidentRaised,
    JobOpened,
    Recorded,
    Subscribed,
    TaskOpened,
    TimerSet,
)
from engine.execution.environment import Deployed, cached, settings
from engine.execution.prepared import Write
from engine.execution.tables import Event, Incident, Instance, Job, Subscription, Task, offer, urgency
from engine.execution.values import encode

if TYPE_CHECKING:
    from engine.models.elements import Element


class Rows:
    """Gathers a step's rows; what opens and closes within the same step is never written."""

    def __init__(self, session: Session, instance: Instance, env: Any, actor: str, handled: Collection[str]) -> None:
        self.session, self.instance, self.actor = session, instance, actor
        self.env: Deployed = env
        self.now = clock.now()
        self.handled = set(handled)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}  # by wait
        self.subs: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.incidents: dict[str, dict[str, Any]] = {}
        self.closed: dict[str, list[str]] = {"task done": [], "task off": [], "job done": [], "job off": [], "sub": [], "incident": []}

    @property
    def subscriptions(self) -> list[dict[str, Any]]:
        """The subscriptions that this step opened."""
        return list(self.subs.values())

    def add(self, effect: Effect) -> None:
        """Takes one effect."""
        match effect:
            case TaskOpened():
                self.tasks[effect.token] = self._task(effect)
            case JobOpened():
                self.jobs[effect.token] = self._job(effect, effect.token, effect.kind, self.now, f"{self.instance.id}:{effect.key}") | {
                    "type": effect.type, "headers": effect.headers, "input": encode(effect.input),
                    "attempts_left": effect.retries or settings().job_attempts,
                }  # fmt: skip
            case TimerSet():
                # A timer that is set anew (migrated, tried again) is another job: its key need not be stable, only unique.
                self.jobs[effect.wait] = self._job(effect, effect.wait, "timer", effect.due, f"{self.instance.id}:{new_id()}")
            case Subscribed():
                self.subs[effect.wait] = {
                    "id": new_id(), "kind": effect.kind, "name": effect.name, "key": effect.key, "instance_id": self.instance.id,
                    "token": effect.wait, "definition_id": effect.process, "element_id": effect.element, "created": self.now,
                }  # fmt: skip
            case Closed():
                self._close(effect)
            case Recorded():
                self.events.append(self._event(effect))
            case IncidentRaised():
                self.incidents[effect.token] = self._incident(effect)
            case IncidentCleared():
                if self.incidents.pop(effect.token, None) is None:
                    self.closed["incident"].append(effect.token)

    def _place(self, definition: str, element: str) -> tuple[str, Element]:
        model = self.env.compiled(definition).model
        return model.id, model.elements[element]

    def _task(self, e: TaskOpened) -> dict[str, Any]:
        process, element = self._place(e.process, e.element)
        row = self.instance
        return {
            "id": new_id(), "instance_id": row.id, "token": e.token, "process_id": process, "definition_id": e.process,
            "element_id": e.element, "name": element.label("en"), "names": {lang: element.label(lang) for lang in ("zh", "en")},
            "form_id": e.form_id, "role": e.roles[0] if e.roles else "", "roles": list(e.roles), "users": list(e.users),
            "assignee": e.assignee, "priority": e.priority, "created": self.now, "claimed": self.now if e.assignee else None,
            "due": e.due, "follow_up": e.follow_up, "department": row.department, "subject": row.subject,
            "ticket": row.ticket, "acuity": row.acuity, "state": "open",
            "offer": offer(e.roles, e.users), "urgency": urgency(row.acuity, e.priority, e.due),
        }  # fmt: skip

    def _job(self, e: JobOpened | TimerSet, wait: str, kind: str, due: Any, key: str) -> dict[str, Any]:
        return {
            "id": new_id(), "kind": kind, "state": "ready", "instance_id": self.instance.id, "token": wait, "element_id": e.element,
            "process_id": self._place(e.process, e.element)[0], "type": "", "key": key, "input": None, "headers": {}, "due": due,
            "created": self.now, "attempts": 0, "attempts_left": settings().job_attempts, "priority": 50,
        }  # fmt: skip

    def _incident(self, e: IncidentRaised) -> dict[str, Any]:
        return {
            "id": new_id(), "instance_id": self.instance.id, "token": e.token, "process_id": self._place(e.process, e.element)[0],
            "element_id": e.element, "kind": e.kind, "message": e.message, "created": self.now, "state": "open",
        }  # fmt: skip

    def _event(self, e: Recorded) -> dict[str, Any]:
        process, version = cached("ref", e.process, lambda: self._reference(e.process))
        row = self.instance
        return {
            "instance_id": row.id, "at": self.now, "kind": e.kind, "process_id": process, "version": version, "element_id": e.element,
            "element_type": e.element_type, "token": e.token, "scope": e.scope, "via": e.via, "role": e.role, "actor": self.actor,
            "tag": e.tag, "department": row.department, "arm": row.arm, "detail": None if e.detail is None else encode(e.detail),
        }  # fmt: skip

    def _reference(self, definition: str) -> tuple[str, int]:
        found = self.env.definition(definition)
        return found.key, found.version

    def _close(self, e: Closed) -> None:
        how = "done" if e.done else "off"
        for kind, _, wait in (waiting.partition(":") for waiting in e.waits):
            place = wait or e.token
            if kind == "task" and self.tasks.pop(e.token, None) is None and e.token not in self.handled:
                self.closed[f"task {how}"].append(e.token)
            elif kind in ("job", "timer") and self.jobs.pop(place, None) is None and place not in self.handled:
                self.closed[f"job {how}"].append(place)
                if kind == "job" and not e.done:
                    self.closed["incident"].append(place)
            elif kind in ("message", "signal") and self.subs.pop(place, None) is None:
                self.closed["sub"].append(place)

    def writes(self) -> list[Write]:
        """What writes everything: closings first, then what is new."""
        found: list[Write] = []
        for name, state in (("done", "completed"), ("off", "cancelled")):
            found += self._ending(Task, self.closed[f"task {name}"], state=state, ended=self.now, ended_by=self.actor)
            found += self._ending(Job, self.closed[f"job {name}"], state="done" if name == "done" else "cancelled", ended=self.now)
        found += self._ending(Incident, self.closed["incident"], state="resolved", resolved=self.now, resolved_by=self.actor)
        if tokens := self.closed["sub"]:
            found.append((statements.UNSUBSCRIBE, [{"at_instance": self.instance.id, "at_token": token} for token in tokens]))
        opened: tuple[tuple[Any, Collection[dict[str, Any]]], ...] = (
            (Task, self.tasks.values()), (Job, self.jobs.values()), (Subscription, self.subs.values()),
            (Incident, self.incidents.values()), (Event, self.events),
        )  # fmt: skip
        return found + [(statements.INSERT[table], list(rows)) for table, rows in opened if rows]

    def _ending(self, table: Any, tokens: list[str], **values: Any) -> list[Write]:
        rows = [{"at_instance": self.instance.id, "at_token": token, **values} for token in tokens]
        return [(statements.END[table], rows)] if rows else []
