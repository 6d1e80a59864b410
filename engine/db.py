"""The database's ground: the declarative base, our column types, and engines that behave under load."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, DateTime, LargeBinary, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from engine.settings import Settings


class Base(DeclarativeBase):
    """Every table of Carelane is declared on this base, in the package that owns it."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC on every database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuses naive datetimes: they would silently mean another instant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: use engine.clock.now()")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Marks what was stored as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Keyring:
    """Keys for data at rest; the first encrypts, each decrypts what carries its id."""

    def __init__(self) -> None:
        self._keys: dict[bytes, AESGCM] = {}
        self._current = b""

    def use(self, key: bytes, key_id: bytes = b"k1") -> None:
        """Makes `key` (32 bytes) the one that encrypts from now on. A key id is two bytes."""
        self._keys[key_id] = AESGCM(key)
        self._current = key_id

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypts `plain`, bound to its `place` (table.column): it cannot be moved elsewhere unseen."""
        nonce = os.urandom(12)
        return self._current + nonce + self._keys[self._current].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypts; raises cryptography's InvalidTag when the bytes or the place were changed."""
        return self._keys[sealed[:2]].decrypt(sealed[2:14], sealed[14:], place)


keyring = Keyring()


class Encrypted(TypeDecorator[Any]):
    """A JSON value that is AES-GCM encrypted at rest. `place` is 'table.column'."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__()

    def process_bind_param(self, value: Any, dialect: Any) -> bytes | None:
        """JSON, then sealed."""
        return None if value is None else keyring.seal(orjson.dumps(value), self.place.encode())

    def process_result_value(self, value: bytes | None, dialect: Any) -> Any:
        """Opened, then JSON."""
        return None if value is None else orjson.loads(keyring.open(bytes(value), self.place.encode()))


class _Ids:
    """The last id that this process gave out."""

    lock = Lock()
    last = 0

    @classmethod
    def forget(cls) -> None:
        """Processes that were forked from one must not count on from the same id."""
        cls.last = 0


os.register_at_fork(after_in_child=_Ids.forget)


def new_id() -> str:
    """A fresh 20-digit hexadecimal id: milliseconds, then chance.

    It grows with time, so that indexes stay compact and what was made later sorts later; within a process always, also inside
    a millisecond.
    """
    fresh = int(datetime.now(UTC).timestamp() * 1000) << 32 | int.from_bytes(os.urandom(4), "big") >> 1
    with _Ids.lock:
        _Ids.last = fresh if fresh >> 32 > _Ids.last >> 32 else _Ids.last + 1
        return f"{_Ids.last:020x}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


# Values are patients' data: an error names the statement without them.
ENGINE: dict[str, Any] = {"hide_parameters": True, "json_serializer": _json, "json_deserializer": orjson.loads}


def pool_options(settings: Settings) -> dict[str, Any]:
    """What an installation's engine is made with. A PostgreSQL that was restarted is connected to anew; an unreachable one is no wait."""
    options: dict[str, Any] = {**ENGINE, "pool_size": settings.threads, "max_overflow": 16}
    if not settings.url.startswith("sqlite"):
        options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5, "tcp_user_timeout": 10_000}}  # s, ms
    return options


def open_engine(settings: Settings) -> Engine:
    """An engine for `settings.url`; also arms the keyring. SQLite gets WAL, a busy timeout and foreign keys."""
    keyring.use(settings.data_key_bytes)
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    engine = create_engine(settings.url, **pool_options(settings))
    if engine.dialect.name == "sqlite":
        arm_sqlite(engine)
    return engine


def arm_sqlite(engine: Engine) -> None:
    """WAL, durable commits, and explicit transactions instead of the driver's own guess.

    A transaction begins as a reader; `write_lock` takes the write lock before the first read of a step that will write,
    so that two writers queue up instead of failing half-way.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=15000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        on_driver(connection, "BEGIN IMMEDIATE" if immediate else "BEGIN", [()])


def overtaken(error: DBAPIError) -> bool:
    """True when PostgreSQL ended the transaction in favour of another one: a deadlock or a serialization failure."""
    return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


_CURSOR = "cursor of on_driver"


def _cursor(database: str, driver: Any) -> Any:
    if database == "postgresql":
        from psycopg import RawCursor

        return RawCursor(driver)
    return driver.cursor()


def on_driver(connection: Connection, statement: str, bound: Sequence[Any], name: str = "") -> Any:
    """Executes a statement on the driver's own cursor, once for each of `bound`, and returns the cursor, whose next use ends this one.

    For what runs so often that SQLAlchemy's work around each execution would cost more than the statement. Parameters are
    numbered: `?` on SQLite, `$1` on PostgreSQL. Errors are SQLAlchemy's own, without the values; who listens for statements
    hears of these too.
    """
    dialect, driver = connection.dialect, connection.connection.driver_connection
    key = _CURSOR + name
    cursor = connection.info.get(key) or connection.info.setdefault(key, _cursor(dialect.name, driver))
    for told in connection.engine.dispatch.before_cursor_execute:
        told(connection, cursor, statement, bound, None, len(bound) > 1)
    try:
        if len(bound) == 1:
            cursor.execute(statement, bound[0])
        else:
            cursor.executemany(statement, bound)
    except dialect.loaded_dbapi.Error as error:
        raise _told(connection, error, statement) from error
    return cursor


@contextmanager
def pipeline(connection: Connection) -> Iterator[None]:
    """On PostgreSQL: what is executed inside is sent without waiting; the answers, errors too, are there at its end."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, error, "several statements together") from error


def _told(connection: Connection, error: Exception, statement: str) -> DBAPIError:
    """A driver's error as SQLAlchemy's; a connection that is gone is given up."""
    dialect = connection.dialect
    gone = dialect.is_disconnect(error, connection.connection.driver_connection, None)  # type: ignore[arg-type]
    if gone:
        connection.invalidate(error)
    base = dialect.loaded_dbapi.Error
    made = DBAPIError.instance(statement, None, error, base, hide_parameters=True, connection_invalidated=gone, dialect=dialect)
    assert isinstance(made, DBAPIError)
    return made


def write_lock(session: Session) -> None:
    """Begins a writing transaction: on SQLite the write lock is taken now. Must come before anything is read."""
    if session.get_bind().dialect.name == "sqlite" and not session.in_transaction():
        session.connection(execution_options={"immediate": True})


def sessions(engine: Engine) -> sessionmaker[Session]:
    """Plain sessions for the worker and the command line; nothing expires on commit."""
    return sessionmaker(engine, expire_on_commit=False)
