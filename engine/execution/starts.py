"""Start events that something triggers: each newest version listens, older ones listen no more.

What a start event waits for is a subscription without an instance: by name for messages and signals, by its due instant for
timers. A timer's row changes in the same transaction in which its instance begins, so that it starts once and outlives a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from engine import clock
from engine.db import new_id
from engine.errors import CarelaneError, ExpressionFailed, InvalidModel, Problem
from engine.execution import feel, instances, timers
from engine.execution.environment import Deployed, settings
from engine.execution.specs.base import feel_or_text, name_from
from engine.execution.tables import Instance, Message, Subscription
from engine.execution.values import decode
from engine.models import files as kinds
from engine.models.elements import Element, EventDefinition, ProcessModel
from engine.models.read import read
from engine.models.tables import Definition

log = logging.getLogger("carelane.starts")
LONGEST_KEY = 100  # what the business key holds
AGAIN = timedelta(minutes=1)  # when a start that failed is tried again


def triggers(model: ProcessModel) -> Iterator[tuple[Element, int, EventDefinition]]:
    """What starts a process: the definitions of its start events and of what instantiates it, each with its place among its event's."""
    for element in model.inside(None):
        behind = [model.elements[model.flows[flow].target] for flow in element.outgoing] if element.type == "eventBasedGateway" else [element]
        if element.type == "startEvent" or element.instantiate:
            yield from ((event, index, definition) for event in behind for index, definition in enumerate(event.events))


def refresh(session: Session, definition: Definition) -> None:
    """Lets the start events of a newly deployed process listen in place of its older versions'."""
    if definition.kind != "process":
        return
    versions = select(Definition.id).where(Definition.kind == "process", Definition.key == definition.key)
    older = (Subscription.instance_id.is_(None), Subscription.definition_id.in_(versions))
    session.execute(delete(Subscription).where(*older))
    for element, index, event in triggers(Deployed(session).compiled(definition.id).model):
        if event.kind in ("message", "signal"):
            session.add(_listening(definition, element, event.kind, name_from(event.name, {}, f"{event.kind}'s name"), ""))
        elif event.kind == "timer" and (due := due_of(event, clock.now(), 0)) is not None:
            session.add(_listening(definition, element, "timer", _round(index, 0), _instant(due)))


def _listening(definition: Definition, element: Element, kind: str, name: str, key: str) -> Subscription:
    return Subscription(
        id=new_id(), kind=kind, name=name, key=key, instance_id=None, token=None, definition_id=definition.id, element_id=element.id,
        created=clock.now(),
    )  # fmt: skip


# -- timers ---------------------------------------------------------------------------------------------------------------


def problems(files: Mapping[str, bytes]) -> list[Problem]:
    """Start events whose timer or name needs variables, which are not there before the process has begun."""
    found = []
    for file, content in files.items():
        for model in _models(file, content):
            for element, _, event in triggers(model):
                if model.executable and (reason := _unknown(event)):
                    message = f"What starts the process must be known before it has begun: {reason}"
                    fix = "Write it out, or as FEEL without variables."
                    found.append(Problem("start-unknown", message, fix, element.id, element.type, file=file))
    return found


def _unknown(event: EventDefinition) -> str | None:
    """Why a start event's timer or name cannot be told yet; None when it can."""
    try:
        if event.kind == "timer" and event.value:
            due_of(event, clock.now(), 0)
        elif event.kind in ("message", "signal"):
            name_from(event.name, {}, f"{event.kind}'s name")
    except CarelaneError as error:
        return error.message
    return None


def _models(file: str, content: bytes) -> list[ProcessModel]:
    try:
        return read(content, file) if kinds.kind_of(file, content) == "process" else []
    except InvalidModel:
        return []  # the linter says why


def due_of(event: EventDefinition, after: datetime, fired: int) -> datetime | None:
    """The instant of a start event's timer that has fired so often; None when it is used up."""
    zone = ZoneInfo(settings().clinic_zone)
    value = feel_or_text(event.value or "", {})
    if value is None:
        raise ExpressionFailed(f"The timer {event.value!r} gives nothing.")
    if event.timer == "cycle":
        return timers.next_of_cycle(value, after, fired, zone)
    if fired:
        return None
    return timers.due_date(value, zone) if event.timer == "date" else timers.after(value, after)


def _round(index: int, fired: int) -> str:
    return f"{index}.{fired}"


def _instant(due: datetime) -> str:
    """An instant as text whose order is that of time."""
    return due.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (Subscription.kind == "timer", Subscription.instance_id.is_(None), Subscription.key <= _instant(now))


def is_due(session: Session) -> bool:
    """Whether a timer is due to start something."""
    return session.scalars(select(Subscription.id).where(*_due(clock.now())).limit(1)).first() is not None


def begin_due(session: Session) -> list[str]:
    """Starts what its timer is due to start, and sets cycles anew; the instances' ids.

    A cycle that was missed many times while nothing ran starts once and goes on from now; a counted one starts as often as it says.
    """
    begun = []
    query = select(Subscription).where(*_due(clock.now())).order_by(Subscription.key, Subscription.id).with_for_update(skip_locked=True)
    for waiting in session.scalars(query).all():
        definition = Deployed(session).definition(str(waiting.definition_id))
        try:
            with session.begin_nested():
                row = instances.start_definition(session, definition, {}, start_element=waiting.element_id, payload={}, actor="timer")
                _set_anew(session, waiting)
        except CarelaneError as error:
            log.warning("the timer %s of %s could not start it: %s", waiting.element_id, definition.key, error)
            waiting.key = _instant(clock.now() + AGAIN)
        else:
            begun.append(row.id)
    return begun


def _set_anew(session: Session, waiting: Subscription) -> None:
    index, fired = map(int, waiting.name.split("."))
    event = Deployed(session).compiled(str(waiting.definition_id)).model.elements[waiting.element_id].events[index]
    last = datetime.fromisoformat(waiting.key)
    following = due_of(event, last, fired + 1)
    if following is not None and following <= clock.now() and not timers.counted(feel_or_text(event.value or "", {})):
        following = due_of(event, clock.now(), fired + 1)
    if following is None:
        session.delete(waiting)
    else:
        waiting.name, waiting.key = _round(index, fired + 1), _instant(following)


# -- messages -------------------------------------------------------------------------------------------------------------


def by_message(session: Session, message: Message, payload: dict[str, Any], actor: str, besides: Collection[str] = ()) -> list[str]:
    """Starts the processes that begin with a message, but those of the instances `besides`, which got it; the instances' ids.

    With a key there is one running instance a process and key: the start event's own correlation key, evaluated on the message's
    content, or the key that the message came with. A message that finds its instance running is kept for its time.
    """
    query = select(Subscription).where(Subscription.kind == "message", Subscription.name == message.name, Subscription.instance_id.is_(None))
    reached, served = [], set(session.scalars(select(Instance.process_id).where(Instance.id.in_(besides)))) if besides else set()
    for waiting in session.scalars(query).all():
        definition = Deployed(session).definition(str(waiting.definition_id))
        key = _key(session, waiting, message, payload)
        if definition.key in served or (key and _runs(session, definition.key, key)):
            continue
        row = instances.start_definition(
            session, definition, {}, start_element=waiting.element_id, payload=payload, business_key=key or None, actor=actor
        )
        reached.append(row.id)
    return reached


def _key(session: Session, waiting: Subscription, message: Message, payload: dict[str, Any]) -> str:
    element = Deployed(session).compiled(str(waiting.definition_id)).model.elements[waiting.element_id]
    for event in element.events:
        if event.kind == "message" and event.correlation and str(feel_or_text(event.name or "", {})) == message.name:
            value = feel.evaluate(event.correlation, payload)
            return message.key if value is None or isinstance(value, bool | list | dict) else str(value)[:LONGEST_KEY]
    return message.key[:LONGEST_KEY]


def _runs(session: Session, process_id: str, key: str) -> bool:
    query = select(Instance.id).where(
        Instance.process_id == process_id, Instance.business_key == key, Instance.state.in_(("running", "suspended"))
    )
    return session.scalars(query.limit(1)).first() is not None


def begin_kept(session: Session, actor: str = "system") -> list[str]:
    """Starts what kept messages start, now that the instance that had their key is over; the instances' ids."""
    pair = (Subscription.kind == "message") & (Subscription.name == Message.name) & Subscription.instance_id.is_(None)
    query = select(Message).join(Subscription, pair).where(Message.state == "waiting", Message.expires > clock.now())
    begun: list[str] = []
    for message in session.scalars(query.distinct().order_by(Message.received)).all():
        if reached := by_message(session, message, decode(message.payload), actor):
            message.state, message.instance_id = "correlated", reached[0]
            begun += reached
    return begun
