"""What happened in a visit so far, read from the record: who did what, when, and how long it took and waited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.execution.tables import Event
from engine.models.elements import Element
from web.i18n import language
from web.visits.models import definitions, element_of, model_of

WORK = frozenset({"userTask", "serviceTask", "sendTask", "receiveTask", "businessRuleTask", "manualTask", "task"})
SHOWN_EVENTS = frozenset({"message", "timer", "signal", "error", "escalation"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    kind: str  # work, waiting, process, event, trouble
    title: str
    actor: str | None = None
    waited: timedelta | None = None  # until somebody took it
    worked: timedelta | None = None  # from then, or from the start, to the end
    note: str = ""
    depth: int = 0


def timeline(session: Session, instance_id: str) -> list[Entry]:
    """The lines of one instance, oldest first."""
    events = list(session.scalars(select(Event).where(Event.instance_id == instance_id).order_by(Event.id)))
    return _Reading(session, events).entries()


class _Reading:
    def __init__(self, session: Session, events: list[Event]) -> None:
        self.events = events
        found = definitions(session, {(e.process_id, e.version) for e in events if e.version})
        self.models = {key: model_of(session, row) for key, row in found.items()}
        self.entered: dict[str, datetime] = {}
        self.claimed: dict[str, datetime] = {}
        self.open: dict[str, Entry] = {}

    def entries(self) -> list[Entry]:
        done = [entry for event in self.events if (entry := self.entry(event)) is not None]
        return _folded(sorted([*done, *self.open.values()], key=lambda entry: entry.at))

    def entry(self, event: Event) -> Entry | None:
        element = element_of(self.models.get((event.process_id, event.version)), event.element_id)
        token = f"{event.scope}:{event.token}"
        if event.kind == "entered":
            self.entered[token] = event.at
            if element and element.type in WORK:
                self.open[token] = Entry(event.at, "waiting", element.label(language()))
        elif event.kind in ("claimed", "unclaimed"):
            self.take(token, event)
        elif event.kind in ("completed", "cancelled", "failed") and event.element_id:
            self.open.pop(token, None)
            return self.finished(event, element, token)
        else:
            return self.happening(event, element)
        return None

    def take(self, token: str, event: Event) -> None:
        taken = event.kind == "claimed"
        if taken:
            self.claimed[token] = event.at
        else:
            self.claimed.pop(token, None)
        if token in self.open:
            self.open[token] = replace(self.open[token], actor=event.actor if taken else None)

    def finished(self, event: Event, element: Element | None, token: str) -> Entry | None:
        if element is None or event.kind != "completed":
            return None
        began = self.entered.pop(token, event.at)
        if element.type in WORK:
            taken = self.claimed.pop(token, None)
            by = event.actor if element.type in ("userTask", "manualTask") else None
            waited = taken - began if taken else None
            return Entry(event.at, "work", element.label(language()), by, waited, event.at - (taken or began))
        if element.events and element.events[0].kind in SHOWN_EVENTS and element.name:
            name = element.label(language())
            title = gettext("Time is up: %(name)s", name=name) if element.events[0].kind == "timer" else name
            return Entry(event.at, "event", title, worked=event.at - began if event.at > began else None)
        return None

    def happening(self, event: Event, element: Element | None) -> Entry | None:
        where = element.label(language()) if element else ""
        model = self.models.get((event.process_id, event.version))
        process = model.label(language()) if model else event.process_id
        detail: dict[str, Any] = event.detail if isinstance(event.detail, dict) else {}
        reason = str(detail.get("reason") or detail.get("skipped") or detail.get("resolution") or "")
        words = {
            "started": (gettext("%(process)s began", process=process), "process"),
            "ended": (gettext("%(process)s ended", process=process), "process"),
            "cancelled": (gettext("The visit was cancelled"), "trouble"),
            "incident": (gettext("Stopped: %(step)s", step=where), "trouble"),
            "resolved": (gettext("Goes on: %(step)s", step=where), "event"),
            "suspended": (gettext("Paused"), "trouble"),
            "resumed": (gettext("Resumed"), "event"),
            "variables": (_corrected(detail), "event"),
            "moved": (self.moved(event, where, detail), "event"),
            "migrated": (gettext("Moved to version %(n)s", n=detail.get("to", "")), "event"),
        }
        if event.kind not in words:
            return None
        title, kind = words[event.kind]
        actor = event.actor if kind != "process" and event.actor not in ("system", "worker") else None
        return Entry(event.at, kind, title, actor, note=reason)

    def moved(self, event: Event, where: str, detail: dict[str, Any]) -> str:
        """What a person did to a token, in words."""
        model = self.models.get((event.process_id, event.version))
        to = element_of(model, str(detail.get("to") or detail.get("added") or detail.get("hastened") or ""))
        place = to.label(language()) if to else ""
        if "to" in detail:
            return gettext("Moved by hand from %(step)s to %(place)s", step=where, place=place)
        if "added" in detail:
            return gettext("Begun by hand: %(place)s", place=place)
        if "hastened" in detail:
            return gettext("Done before its time, by hand: %(place)s", place=place)
        return gettext("Taken away by hand: %(step)s", step=where)


def _corrected(detail: dict[str, Any]) -> str:
    names = ", ".join(sorted(detail.get("set") or {}))
    return gettext("Values were corrected by hand: %(names)s", names=names) if names else gettext("Values were corrected by hand")


def _folded(entries: list[Entry]) -> list[Entry]:
    """The system's repetitions of one step in a row (each item of a list) become one line that counts them."""
    folded: list[Entry] = []
    counts: list[int] = []
    for entry in entries:
        last = folded[-1] if folded else None
        if last and entry.kind == last.kind == "work" and not entry.actor and (entry.title, last.actor) == (last.title, entry.actor):
            folded[-1], counts[-1] = replace(entry, worked=(last.worked or timedelta()) + (entry.worked or timedelta())), counts[-1] + 1
        else:
            folded.append(entry)
            counts.append(1)
    return [replace(e, title=f"{e.title} ×{n}") if n > 1 else e for e, n in zip(folded, counts, strict=True)]


def touched(session: Session, instance_ids: Iterable[str]) -> list[tuple[str, int]]:
    """The (process id, version) pairs that instances ran through, in the order of the first event."""
    query = select(Event.process_id, Event.version).where(Event.instance_id.in_(list(instance_ids))).order_by(Event.id)
    return list(dict.fromkeys((process, version) for process, version in session.execute(query) if version))
