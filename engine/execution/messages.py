"""Messages and signals: correlated to who waits, starting what begins with them, kept for a while when nobody does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine import clock, faults
from engine.db import new_id
from engine.execution import starts
from engine.execution.environment import Deployed, settings
from engine.execution.instances import start_definition
from engine.execution.run import Run
from engine.execution.steps import advance
from engine.execution.tables import Instance, Message, Subscription
from engine.execution.values import decode, encode


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a message."""

    instance_ids: tuple[str, ...]
    buffered: bool = False
    duplicate: bool = False


def publish(
    session: Session,
    name: str,
    key: str,
    payload: dict[str, Any],
    *,
    message_id: str,
    ttl: timedelta | None = None,
    actor: str = "system",
) -> Published:
    """Gives a message to its receivers, one of each process; keeps it for `ttl` when there is none.

    `message_id` is the sender's own: the same one again changes nothing and is reported as a duplicate.
    """
    known = session.scalars(select(Message).where(Message.name == name, Message.message_id == message_id)).first()
    if known is not None:
        return Published((known.instance_id,) if known.instance_id else (), duplicate=True)
    now = clock.now()
    message = Message(
        id=new_id(), name=name, key=key, message_id=message_id, payload=encode(payload), received=now,
        expires=now + (timedelta(minutes=settings().message_ttl_minutes) if ttl is None else ttl), state="correlated",
    )  # fmt: skip
    session.add(message)
    session.flush()
    faults.point("message.kept")
    reached = _correlate(session, message, payload, actor)
    reached += starts.by_message(session, message, payload, actor, besides=reached)
    if reached:
        message.instance_id = reached[0]
    else:
        message.state = "expired" if message.expires <= now else "waiting"
    return Published(tuple(reached), buffered=message.state == "waiting")


def _waiting(session: Session, kind: str, name: str) -> Any:
    return select(Subscription).where(Subscription.kind == kind, Subscription.name == name)


def _correlate(session: Session, message: Message, payload: dict[str, Any], actor: str) -> list[str]:
    query = (
        _waiting(session, "message", message.name)
        .join(Instance, Instance.id == Subscription.instance_id)
        .where(Subscription.key.in_({message.key, ""}), Instance.state == "running")
    )
    env, seen, reached = Deployed(session), set(), []
    for waiting in session.scalars(query.order_by(Subscription.created, Subscription.id)).all():
        process = env.definition(str(waiting.definition_id)).key
        if process not in seen:
            seen.add(process)
            _fire(session, waiting, payload, {"name": message.name, "key": message.key, "id": message.message_id}, actor)
            reached.append(str(waiting.instance_id))
    return reached


def _fire(session: Session, waiting: Subscription, payload: dict[str, Any], about: dict[str, Any], actor: str) -> None:
    wait = str(waiting.token)

    def act(run: Run) -> None:
        run.record("message", detail=about)
        run.fire(wait, payload)

    advance(session, str(waiting.instance_id), act, actor=actor)


def signal(session: Session, name: str, payload: dict[str, Any], *, actor: str = "system") -> list[str]:
    """Tells everybody who waits for the signal now, and starts what begins with it; returns the instances reached."""
    reached = []
    for waiting in session.scalars(_waiting(session, "signal", name).order_by(Subscription.created, Subscription.id)).all():
        if waiting.instance_id is None:
            definition = Deployed(session).definition(str(waiting.definition_id))
            reached.append(start_definition(session, definition, {}, start_element=waiting.element_id, payload=payload, actor=actor).id)
        else:
            row = session.get(Instance, waiting.instance_id)
            if row is not None and row.state == "running":
                _fire(session, waiting, payload, {"signal": name}, actor)
                reached.append(row.id)
    return reached


def meet(session: Session) -> int:
    """Hands kept messages to receivers that wait for them; returns how many.

    On PostgreSQL a message and its receiver may be written at the same moment without seeing each other: this finds them.
    """
    pair = (Subscription.kind == "message") & (Subscription.name == Message.name) & (Subscription.key == Message.key)
    query = select(Message).join(Subscription, pair).where(Message.state == "waiting", Subscription.instance_id.is_not(None))
    met = 0
    for message in session.scalars(query.distinct().order_by(Message.received)).all():
        if reached := _correlate(session, message, payload_of(message), "message"):
            message.state, message.instance_id = "correlated", reached[0]
            met += 1
    return met


def expire(session: Session) -> int:
    """Marks buffered messages whose time is up; returns how many."""
    now = clock.now()
    done = session.execute(update(Message).where(Message.state == "waiting", Message.expires <= now).values(state="expired"))
    faults.point("message.expired")
    return int(done.rowcount)  # type: ignore[attr-defined]


def payload_of(message: Message) -> dict[str, Any]:
    """A kept message's payload with its types."""
    value: dict[str, Any] = decode(message.payload)
    return value
