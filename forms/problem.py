"""What can be wrong with a form, as one report."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in a form that we would not run right, with its mend.

    ``path`` is where it is in the JSON (``components[2].validate.min``), ``component`` the key or id a person knows it
    by, ``rule`` a stable name that docs/forms.md explains.
    """

    path: str
    component: str
    rule: str
    message: str
    fix: str

    def as_dict(self) -> dict[str, str]:
        """Give the problem as plain JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.path} ({self.component}): {self.message} {self.fix} [{self.rule}]"


class FormInvalid(ValueError):
    """The form has problems and was not loaded."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class ExpressionNeeded(ValueError):
    """The form holds a FEEL expression, and the caller passed nothing that evaluates FEEL."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        super().__init__(f"The form needs the FEEL expression {expression!r} evaluated: pass evaluate=.")


class ExampleMissing(ValueError):
    """No valid example could be derived for a field."""

    def __init__(self, key: str, why: str) -> None:
        self.key = key
        super().__init__(f'No valid example for {key!r}: {why} Give the component a property "example".')
