"""Reads from a legacy database."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from engine.errors import ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

MOST_ROWS = 1000
_lock = threading.Lock()


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
    """Runs one SELECT with parameters in a transaction that is rolled back. Values never become part of the statement.

    在只读事务中执行带参数的 SELECT。参数值不会拼接到语句中。
    """
    link = work.link()
    statement = given.query.strip().rstrip(";")
    if not re.match(r"(?is)^(select|with)\b", statement) or ";" in statement:
        raise ConnectorFailed("query: must be a single SELECT", kind="permanent")
    most = min(given.most, MOST_ROWS)

    def go() -> list[dict[str, Any]]:
        try:
            with _engine(link).connect() as connection:
                _read_only(connection)
                found = connection.execute(text(statement), given.parameters).mappings().fetchmany(most + 1)
                connection.rollback()
        except DBAPIError as error:
            kind = "transient" if error.connection_invalidated or "Operational" in type(error).__name__ else "permanent"
            raise ConnectorFailed(f"{link.name}: {type(error.orig).__name__}", kind=kind) from error  # type: ignore[arg-type]
        except SQLAlchemyError as error:
            raise ConnectorFailed(f"{link.name}: {type(error).__name__}", kind="permanent") from error
        return [{name: _plain(value) for name, value in row.items()} for row in found]

    rows = log.exchange(work.call, link, Outbound("sql", work.call.key[:120], {"query": statement, "parameters": given.parameters}), go)
    return Output(rows[:most], len(rows) > most)


def _read_only(connection: Any) -> None:
    """The database itself refuses writes, where it knows how."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only=ON")


def _engine(link: Link) -> Engine:
    with _lock:
        return _kept(str(link.secrets["url"]), link.timeout)


@lru_cache(16)
def _kept(url: str, timeout: float) -> Engine:
    return create_engine(url, pool_pre_ping=True, pool_size=2, pool_timeout=timeout)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes | memoryview) else value
