"""The one hierarchy of errors. A class's docstring is its default message; `web/errors.py` maps classes to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


class CarelaneError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.details = details
        super().__init__(self.message)


class NotFound(CarelaneError):
    """There is no such thing, or you may not see it."""


class Conflict(CarelaneError):
    """Somebody else was faster; look at the present state and decide again."""


class Stale(Conflict):
    """The instance changed while this step was computed; the step can be tried again at once."""


class Forbidden(CarelaneError):
    """Your role does not allow this."""


class Refused(CarelaneError):
    """This cannot be done without damage, so it was not done."""


class ExpressionFailed(CarelaneError):
    """A FEEL expression could not be evaluated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a model: where, which rule, why it matters and how to mend it."""

    rule: str
    message: str
    fix: str
    element: str | None = None
    element_type: str | None = None
    severity: Literal["error", "warning"] = "error"
    file: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The row that `carelane check --json` prints."""
        return asdict(self)


class InvalidModel(CarelaneError):
    """The model cannot be deployed; every problem is listed."""

    def __init__(self, problems: Sequence[Problem], message: str | None = None) -> None:
        self.problems = list(problems)
        lines = [f"{p.file or 'model'} {p.element or ''}: {p.message} {p.fix}".strip() for p in self.problems]
        super().__init__(message or "\n".join(lines) or None)


class InvalidForm(CarelaneError):
    """Some values are missing or wrong; each is named at its field."""

    def __init__(self, errors: dict[str, list[str]], message: str | None = None) -> None:
        self.errors = errors
        super().__init__(message)


class BpmnError(CarelaneError):
    """A business error that a process may catch by its code."""

    def __init__(self, code: str, message: str | None = None, variables: dict[str, Any] | None = None) -> None:
        self.code = code
        self.variables = variables or {}
        super().__init__(message or f"The process was told of the error {code}.", code=code)


class ConnectorFailed(CarelaneError):
    """A far end could not be reached or did not do what was asked.

    `kind` says what may follow: `transient` is tried again with back-off, `permanent` becomes an incident at once,
    `unknown` (it may have happened) becomes an incident and is never resent silently.
    """

    def __init__(self, message: str | None = None, *, kind: Literal["transient", "permanent", "unknown"] = "transient", **details: Any) -> None:
        self.kind = kind
        super().__init__(message, **details)
