"""A statement compiled once for each kind of database and run on the driver's own cursor.

SQLAlchemy writes the statement, binds its types and guards its connection; what is left out is the work that it does anew at
each execution, which for the statements of a step costs several times what the database itself does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.engine import default
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.crud import REQUIRED

from engine.db import UtcDateTime, on_driver, pipeline

MOST_AT_ONCE = 8  # rows of one INSERT; more go one by one
_NUMBER = re.compile(r"\$(\d+)")
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    binds: tuple[tuple[str, Convert | None, Any], ...]  # name, what it is written with, its value when none is given
    columns: tuple[tuple[str, Convert | None], ...]  # name, what it is read with

    def bound(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The driver's parameters."""
        return tuple([values.get(name, given) if write is None else write(values.get(name, given)) for name, write, given in self.binds])

    def many(self, count: int) -> str:
        """An INSERT of `count` rows."""
        head, group = self.text.split(" VALUES ")
        width = len(self.binds)
        return f"{head} VALUES {', '.join(_shift(group, row * width) for row in range(count))}"

    def read(self, row: Sequence[Any]) -> dict[str, Any]:
        """A row by column names."""
        return {name: value if read is None else read(value) for (name, read), value in zip(self.columns, row, strict=True)}


class Prepared:
    """One statement. `sets` are the columns that an INSERT or UPDATE is given; names of conditions are its bound parameters."""

    def __init__(self, statement: Executable, sets: Iterable[str] = ()) -> None:
        self.statement, self.sets = statement, tuple(sets)
        self._compiled: dict[str, _Compiled] = {}
        self._many: dict[tuple[str, int], str] = {}

    def run(self, connection: Connection, *rows: Mapping[str, Any]) -> int:
        """Executes it once for each row of values and returns how many rows of the database it changed."""
        return int(self.send(connection, rows).rowcount)

    def send(self, connection: Connection, rows: Sequence[Mapping[str, Any]], *, cursor: str = "") -> Any:
        """Executes it once for each row of values; the cursor knows how many rows it changed once the answer is there."""
        compiled = self._for(connection.dialect)
        bound = [compiled.bound(row) for row in rows]
        if self.statement.is_insert and 1 < len(bound) <= MOST_AT_ONCE:
            name = (connection.dialect.name, len(bound))
            text = self._many.get(name) or self._many.setdefault(name, compiled.many(len(bound)))
            return on_driver(connection, text, [tuple(chain.from_iterable(bound))], cursor)
        return on_driver(connection, compiled.text, bound, cursor)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows it selects, by column names."""
        return self.read(connection, self.send(connection, [values]))

    def read(self, connection: Connection, cursor: Any) -> list[dict[str, Any]]:
        """The rows that a cursor of `send` has, by column names."""
        compiled = self._for(connection.dialect)
        return [compiled.read(row) for row in cursor.fetchall()]

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The only row it selects; None when there is none."""
        return next(iter(self.all(connection, values)), None)

    def _for(self, dialect: Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> _Compiled:
        assert isinstance(dialect, default.DefaultDialect)
        if dialect.name == "postgresql":
            dialect = copy(dialect)
            dialect.paramstyle, dialect.positional = "numeric_dollar", True
        compiled: Any = self.statement.compile(dialect=dialect, column_keys=list(self.sets) or None)  # type: ignore[attr-defined]
        names = list(compiled.positiontup)
        given = {name: value for name, value in compiled.construct_params(_check=False).items() if value is not REQUIRED}
        writers = dict(compiled._bind_processors)
        for name in names:
            if name in compiled.binds and isinstance(compiled.binds[name].type, UtcDateTime):
                writers[name] = _once(writers[name])
        columns = [(column.keyname, column.type._cached_result_processor(dialect, None)) for column in compiled._result_columns or ()]
        binds = tuple((name, writers.get(name), given.get(name)) for name in names)
        return _Compiled(str(compiled), binds, tuple(columns))


Write = tuple[Prepared, Sequence[Mapping[str, Any]]]


def together(connection: Connection, writes: Sequence[Write], *, after_first: Callable[[], None]) -> int:
    """Executes statements in order and returns how many rows the first changed; when it changed none, the others count for nothing.

    PostgreSQL gets them without waiting for each answer: the way there and back costs more than most of them.
    """
    (first, rows), *others = writes
    if connection.dialect.name != "postgresql":
        changed = first.run(connection, *rows)
        after_first()
        for statement, values in others if changed else ():
            statement.run(connection, *values)
        return changed
    sent: Any = None
    try:
        with pipeline(connection):
            sent = first.send(connection, rows, cursor="first")
            after_first()
            for statement, values in others:
                statement.send(connection, values)
    except DBAPIError:
        if sent is None or sent.rowcount != 0:
            raise
    return int(sent.rowcount)


def read_and_change(connection: Connection, read: Prepared, change: Prepared, values: Mapping[str, Any]) -> tuple[dict[str, Any] | None, int]:
    """Reads a row, then changes some: the row, and how many were changed. PostgreSQL gets both at once."""
    with pipeline(connection) if connection.dialect.name == "postgresql" else nullcontext():
        seen, changed = read.send(connection, [values], cursor="read"), change.send(connection, [values], cursor="first")
    return next(iter(read.read(connection, seen)), None), int(changed.rowcount)


def _shift(group: str, by: int) -> str:
    return _NUMBER.sub(lambda found: f"${int(found[1]) + by}", group)


def _once(write: Convert) -> Convert:
    """Remembers the last instant: a step has one, and writes it many times."""
    last: tuple[Any, Any] = (None, None)

    def written(value: Any) -> Any:
        nonlocal last
        known, text = last
        if value is not known:
            text = write(value)
            last = (value, text)
        return text

    return written
