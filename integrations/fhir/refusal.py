"""Refusals in FHIR's own words: an OperationOutcome that says what is wrong, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import CarelaneError


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding. `code` is of FHIR's issue-type, `place` a FHIRPath such as `Patient.name[0].given`."""

    code: str
    text: str
    place: str = ""

    def as_fhir(self) -> dict[str, Any]:
        """As an element of OperationOutcome.issue."""
        made: dict[str, Any] = {"severity": "error", "code": self.code, "diagnostics": self.text}
        return {**made, "expression": [self.place]} if self.place else made

    def within(self, place: str) -> Issue:
        """The same finding, its place seen from further outside: `Bundle.entry[2].resource` for `Patient`."""
        _, _, rest = self.place.partition(".")
        return Issue(self.code, self.text, f"{place}.{rest}" if rest else place)


class FhirRefused(CarelaneError):
    """The interaction was refused."""

    def __init__(self, status: int, *issues: Issue) -> None:
        self.status, self.issues = status, issues
        super().__init__("; ".join(f"{i.place}: {i.text}" if i.place else i.text for i in issues))

    @property
    def outcome(self) -> dict[str, Any]:
        """The OperationOutcome that answers the sender."""
        return outcome(self.issues)

    def within(self, place: str) -> FhirRefused:
        """The same refusal, of an entry of a bundle."""
        return FhirRefused(self.status, *(issue.within(place) for issue in self.issues))


def refuse(status: int, code: str, text: str, place: str = "") -> FhirRefused:
    """A refusal with one finding, to be raised."""
    return FhirRefused(status, Issue(code, text, place))


def outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    """An OperationOutcome of these findings."""
    return {"resourceType": "OperationOutcome", "issue": [issue.as_fhir() for issue in issues]}


def words(body: Mapping[str, Any]) -> str:
    """An OperationOutcome that we were answered with, in words."""
    issues = body.get("issue")
    found = [_said(issue) for issue in issues if isinstance(issue, Mapping)] if isinstance(issues, list) else []
    return "; ".join(text for text in found if text) or "no reason given"


def _said(issue: Mapping[str, Any]) -> str:
    details = issue.get("details")
    text = issue.get("diagnostics") or (details.get("text") if isinstance(details, Mapping) else "") or issue.get("code", "")
    places = issue.get("expression") or issue.get("location") or ()
    place = ", ".join(str(item) for item in places) if isinstance(places, list) else ""
    return f"{place}: {text}" if place and place not in str(text) else str(text)
