"""Reads from a legacy database."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from engine.errors import ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

MOST_ROWS = 1000
SQLITE_STEPS = 10_000  # virtual machine instructions between two looks at the clock
CONNECT_TIMEOUT = {  # driver: its word for the seconds that reaching the database may take; most wait for minutes or for ever
    "psycopg": "connect_timeout", "psycopg2": "connect_timeout", "pg8000": "timeout", "pymysql": "connect_timeout", "mysqldb": "connect_timeout",
    "mariadbconnector": "connect_timeout", "oracledb": "tcp_connect_timeout", "pyodbc": "timeout", "pymssql": "login_timeout",
}  # fmt: skip
_FOR_GOOD = (  # words of drivers that give no SQLSTATE; at the door, PostgreSQL's gives none either
    "no such", "syntax", "readonly", "read-only", "authentication", "pg_hba", "does not exist", "access denied", "unknown database",
    "login failed",
)  # fmt: skip
_lock = threading.Lock()
_open: list[Engine] = []


@dataclass(frozen=True)
class Input:
    """A query with named parameters."""

    query: str = about("Query", "查询语句", help=("SELECT with :parameters.", "使用 :参数 的 SELECT 语句。"))
    parameters: dict[str, Any] = about("Parameters", "参数", default={}, personal=True)  # noqa: RUF009  about() makes a field
    most: int = about("Most rows", "最多行数", default=100)


@dataclass(frozen=True)
class Output:
    """The rows."""

    rows: list[dict[str, Any]] = about("Rows", "结果行", personal=True)  # noqa: RUF009  about() makes a field
    more: bool = about("There are more", "是否还有更多", default=False)


@connector(
    "sql.query", title=("Read from a database", "查询数据库"), group=("General", "通用"), connection="legacy", standard="SQL, read only",
    icon="table",
)  # fmt: skip
def read(given: Input, work: Work) -> Output:
    """Runs one SELECT with parameters in a transaction that the database keeps read-only. Values never become part of the statement.

    在数据库强制只读的事务中执行带参数的 SELECT。参数值不会拼接到语句中。
    """
    link = work.link()
    statement = given.query.strip().rstrip(";")
    if not re.match(r"(?is)^(select|with)\b", statement) or ";" in re.sub(r"'(?:[^']|'')*'", "''", statement):
        raise ConnectorFailed("query: must be a single SELECT", kind="permanent")
    most = max(1, min(given.most, MOST_ROWS))
    message = Outbound("sql", work.call.key[:120], {"query": statement, "payload": given.parameters}, None, work.call.subject)
    kept = log.exchange(work.call, link, message, lambda: {"payload": _rows(link, statement, given.parameters, most + 1)})
    rows = kept["payload"]  # a name that is masked: an old database calls its personal columns as it likes
    return Output(rows[:most], len(rows) > most)


def _rows(link: Link, statement: str, parameters: dict[str, Any], most: int) -> list[dict[str, Any]]:
    started = time.monotonic()
    encoding = str(link.address.get("encoding", ""))
    try:
        with _engine(link).connect() as connection:
            _only_read(connection, link)
            streamed = connection.execution_options(stream_results=True)
            found = streamed.execute(text(statement), parameters).mappings().fetchmany(most)
            connection.rollback()
    except DBAPIError as error:
        if time.monotonic() - started >= link.timeout:
            raise ConnectorFailed(f"{link.name}: the query took longer than {link.timeout:g} s", kind="transient") from error
        kind = "transient" if error.connection_invalidated or _is_away(error) else "permanent"
        raise ConnectorFailed(f"{link.name}: {type(error.orig).__name__}", kind=kind) from error  # type: ignore[arg-type]
    except SQLAlchemyError as error:
        raise ConnectorFailed(f"{link.name}: {type(error).__name__}", kind="permanent") from error
    except UnicodeError as error:
        raise ConnectorFailed(
            f"{link.name}: a text is not in {encoding or 'UTF-8'}; the connection's encoding must say in what", kind="permanent"
        ) from error
    return [{name: _plain(value, encoding) for name, value in row.items()} for row in found]


def _only_read(connection: Connection, link: Link) -> None:
    """The database itself refuses writes and stops a query that takes too long.

    Where it cannot (neither PostgreSQL, MySQL, MariaDB, Oracle nor SQLite), ConnectorFailed, unless the connection says `read_only_user`:
    that its database user may only read.
    """
    dialect, milliseconds = connection.dialect.name, int(link.timeout * 1000)
    if dialect == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
    elif dialect in ("mysql", "mariadb"):
        limit = f"max_execution_time = {milliseconds}" if dialect == "mysql" else f"max_statement_time = {link.timeout}"
        connection.exec_driver_sql(f"SET SESSION {limit}")
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("START TRANSACTION READ ONLY")
    elif dialect == "oracle":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif dialect == "sqlite":
        raw: Any = connection.connection.dbapi_connection
        until = time.monotonic() + link.timeout
        raw.set_progress_handler(lambda: time.monotonic() > until, SQLITE_STEPS)
        connection.exec_driver_sql("PRAGMA query_only=ON")
    elif not link.address.get("read_only_user"):
        text_ = f"{link.name}: {dialect} cannot be kept from writing; give it a user that may only read, and say read_only_user"
        raise ConnectorFailed(text_, kind="permanent")


def _is_away(error: DBAPIError) -> bool:
    """Whether the database could not be reached or had no room, rather than refused the statement."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:  # classes of SQLSTATE: connection, resources, operator, system
        return str(state)[:2] in ("08", "53", "57", "58")
    said = str(error.orig).lower()
    return "Operational" in type(error).__name__ and not any(word in said for word in _FOR_GOOD)


def _engine(link: Link) -> Engine:
    with _lock:
        return _kept(str(link.secrets["url"]), link.timeout, str(link.address.get("encoding", "")))


@lru_cache(16)
def _kept(url: str, timeout: float, encoding: str) -> Engine:
    named = make_url(url)
    word = CONNECT_TIMEOUT.get(named.get_driver_name(), "")
    patience = {word: max(2, ceil(timeout))} if word and word not in named.query else {}  # libpq waits 2 s at least
    made = create_engine(named, pool_pre_ping=True, pool_size=2, pool_timeout=timeout, connect_args=patience)
    if encoding and made.dialect.name == "sqlite":

        def as_bytes(raw: Any, _record: Any) -> None:
            raw.text_factory = lambda content: content.decode(encoding)

        event.listen(made, "connect", as_bytes)
    _open.append(made)
    return made


def close_engines() -> None:
    """Lets go of every kept database connection of this process."""
    with _lock:
        for made in _open:
            made.dispose()
        _open.clear()
        _kept.cache_clear()


def _plain(value: Any, encoding: str) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        content = bytes(value)
        if encoding:  # old systems keep texts in columns of bytes
            with suppress(UnicodeDecodeError):
                return content.decode(encoding).rstrip("\0 ")
        return content.hex()
    return value
