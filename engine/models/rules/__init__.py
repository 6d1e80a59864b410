"""The linter's rules, a module for each subject. Importing the package puts all of them on the register."""

from engine.models.rules import (
    activities,
    catching,
    data,
    engine,
    events,
    expressions,
    flows,
    gateways,
    languages,
    messages,
    references,
    schema,
    structure,
)
from engine.models.rules.register import RULES, Bundle, Finding, Known, Process, Rule, Sheet, run

__all__ = [
    "RULES", "Bundle", "Finding", "Known", "Process", "Rule", "Sheet", "activities", "catching", "data", "engine", "events", "expressions", "flows", "gateways",
    "languages", "messages", "references", "run", "schema", "structure",
]  # fmt: skip
