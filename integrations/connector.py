"""A connector is one decorated function with a typed input and output; the rest follows from its declaration.

    @connector("queue.ticket", title=("Queue ticket", "取号"), group=("Clinic", "门诊"))
    def ticket(given: Input, work: Work) -> Output: ...

From it come the registered call with its checks, the element template of the editor, the row in the docs, what to mask,
and the connection that a test button tries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from sqlalchemy.exc import IntegrityError

from engine.errors import BpmnError, CarelaneError, ConnectorFailed
from engine.execution import connectors as registry
from engine.execution.connectors import Call
from integrations import expressions, schema
from integrations.connections import book
from integrations.connections.book import Link

Stub = Callable[[Any, "Work"], Any]

_instead: ContextVar[Mapping[str, Stub] | None] = ContextVar("carelane_stubs", default=None)


@dataclass(frozen=True, slots=True)
class Work:
    """One call in progress: the engine's call and where it goes."""

    call: Call
    connection: str = ""

    def link(self, name: str = "") -> Link:
        """The connection to use: the one asked for, else the task's header `connection`, else the connector's own.

        Raises ConnectorFailed (permanent) when there is none of that name, (transient) when it is stopped.
        """
        return book.link(name or self.call.headers.get("connection", "") or self.connection)


@dataclass(eq=False)
class Declared:
    """A connector as it was declared. Satisfies `engine.execution.connectors.Connector`."""

    type: str
    title: tuple[str, str]  # English, Chinese
    group: tuple[str, str]
    input: Any  # a dataclass
    output: Any
    run: Callable[[Any, Work], Any]
    connection: str = ""  # default connection; empty: works inside Carelane
    standard: str = ""
    icon: str = "gear"
    errors: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # BPMN error code: meaning in English, Chinese
    message: str = ""  # message that brings the outcome later
    description: tuple[str, str] = ("", "")

    def call(self, call: Call) -> Mapping[str, Any]:
        """Checks the input, runs, and returns the output variables."""
        given: Any = schema.read(self.input, call.input, f"input of {self.type}")
        run = (_instead.get() or {}).get(self.type, self.run)
        try:
            output = schema.write(run(given, Work(call, self.connection)))
        except BpmnError:
            raise
        except ConnectorFailed as failure:
            return expressions.failed(call.headers, failure)
        except IntegrityError as error:  # two workers had the same idea at once; the second finds the first one's rows
            raise ConnectorFailed("Somebody else wrote the same at the same moment.", kind="transient") from error
        except CarelaneError as error:  # there is no such payment, for instance: trying again would not help
            raise ConnectorFailed(error.message, kind="permanent") from error
        return expressions.result(call.headers, output)

    def redacted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` as they may be shown to someone who may not see patients."""
        from integrations.redact import mask_values

        return dict(mask_values(values, schema.personal(self.input) | schema.personal(self.output)))


_declared: dict[str, Declared] = {}


def connector(
    type_: str,
    *,
    title: tuple[str, str],
    group: tuple[str, str],
    connection: str = "",
    standard: str = "",
    icon: str = "gear",
    errors: Mapping[str, tuple[str, str]] | None = None,
    message: str = "",
) -> Callable[[Callable[[Any, Work], Any]], Callable[[Any, Work], Any]]:
    """Declares a connector. The function's docstring is its description: English, a blank line, Chinese."""

    def declare(run: Callable[[Any, Work], Any]) -> Callable[[Any, Work], Any]:
        hints = get_type_hints(run)
        english, _, chinese = (run.__doc__ or "").strip().partition("\n\n")
        made = Declared(
            type=type_, title=title, group=group, input=hints["given"], output=hints["return"], run=run, connection=connection,
            standard=standard, icon=icon, errors=errors or {}, message=message,
            description=(" ".join(english.split()), " ".join(chinese.split())),
        )  # fmt: skip
        _declared[type_] = made
        registry.register(made)
        return run

    return declare


def declared() -> dict[str, Declared]:
    """Every declared connector by its type, sorted. Call `integrations.load` first."""
    return dict(sorted(_declared.items()))


@contextmanager
def instead(stubs: Mapping[str, Stub]) -> Iterator[None]:
    """In this thread, calls of these types run the stub; checks of input and output stay the same."""
    token = _instead.set(stubs)
    try:
        yield
    finally:
        _instead.reset(token)


REFUSED = {"FAR_END_REFUSED": ("the far end refused it for a business reason", "对方系统因业务原因拒绝")}
