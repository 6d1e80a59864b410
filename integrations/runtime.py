"""What connectors and listeners run on: the session factory and the settings that `integrations.load` was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from engine import faults
from engine.db import write_lock
from engine.errors import Refused
from engine.settings import Settings


@dataclass
class _Runtime:
    sessions: sessionmaker[Session] | None = None
    settings: Settings | None = None


_runtime = _Runtime()
_joined: ContextVar[Session | None] = ContextVar("carelane_joined_session", default=None)


def use(sessions: sessionmaker[Session], settings: Settings) -> None:
    """Sets what every connector of this process works with."""
    _runtime.sessions, _runtime.settings = sessions, settings


def settings() -> Settings:
    """The installation's settings; Refused before `integrations.load(sessions=…, settings=…)`."""
    if _runtime.settings is None:
        raise Refused("integrations.load(sessions=…, settings=…) must run before a connector is called")
    return _runtime.settings


def known_settings() -> Settings | None:
    """The installation's settings, or None where nothing was loaded (a process that only looks at tables)."""
    return _runtime.settings


def sessions() -> sessionmaker[Session]:
    """The session factory; Refused before `integrations.load(sessions=…, settings=…)`."""
    if _runtime.sessions is None:
        raise Refused("integrations.load(sessions=…, settings=…) must run before a connector is called")
    return _runtime.sessions


@contextmanager
def within(session: Session) -> Iterator[None]:
    """In this thread, connectors work inside `session` until the block ends; whoever owns it commits."""
    token = _joined.set(session)
    try:
        yield
    finally:
        _joined.reset(token)


@contextmanager
def transaction() -> Iterator[Session]:
    """A short writing transaction of its own: commits at the end of the block, rolls back on an error."""
    if (joined := _joined.get()) is not None:
        yield joined
        joined.flush()
        return
    with sessions()() as session:
        write_lock(session)
        yield session
        with faults.around("connector.work"):
            session.commit()


@contextmanager
def reading() -> Iterator[Session]:
    """A short session that only reads."""
    if (joined := _joined.get()) is not None:
        yield joined
        return
    with sessions()() as session:
        yield session
