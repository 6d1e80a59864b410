"""Is this the same person? Probabilistic record linkage after Fellegi and Sunter (JASA 64, 1969).

Each field adds log2(m/u) when it agrees and log2((1-m)/(1-u)) when it does not; m is the chance of agreement for the same person,
u for two people. The m and u below are estimates for a Chinese outpatient clinic, to be fitted on the clinic's own pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from math import log2
from typing import Any, Literal

from integrations.patients.identity import sound, tidy_card, tidy_id, tidy_name, tidy_phone

Grade = Literal["certain", "probable", "possible", "certainly-not"]  # FHIR match-grade

PROBABLE, POSSIBLE = 12.0, 4.0


@dataclass(frozen=True, slots=True)
class Weight:
    """A field's chances: `near` is the weight of almost agreeing (one character off)."""

    m: float
    u: float
    near: float

    @property
    def agree(self) -> float:
        """Weight of evidence for the same person, in bits."""
        return log2(self.m / self.u)

    @property
    def differ(self) -> float:
        """Weight of evidence when both are known and differ, in bits (negative)."""
        return log2((1 - self.m) / (1 - self.u))


WEIGHTS: Mapping[str, Weight] = {
    "idCard": Weight(0.99, 1e-7, 9.0),
    "medicalCard": Weight(0.70, 1e-6, 0.0),  # people lose cards and get new ones
    "name": Weight(0.97, 1e-3, 3.0),
    "birthDate": Weight(0.98, 1 / 25000, 4.0),
    "phone": Weight(0.60, 5e-4, 0.0),  # families share one; people change theirs
    "sex": Weight(0.99, 0.5, 0.0),
}

_LABELS = {"idCard": "ID card", "medicalCard": "medical card", "name": "name", "birthDate": "birth date", "phone": "phone", "sex": "sex"}


@dataclass(frozen=True, slots=True)
class Part:
    """What one field says: same, near or differ, and its weight in bits."""

    field: str
    outcome: str
    bits: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score in bits, its grade, the reasons in words and field by field."""

    score: float
    grade: Grade
    why: str
    parts: tuple[Part, ...] = field(default=())


def compare(asked: Mapping[str, Any], known: Mapping[str, Any]) -> Verdict:
    """Compares what is asked for with a known patient. Fields that either side lacks say nothing.

    Certain needs an identity document that agrees and a name and birth date that do not contradict it: twins share birth date,
    phone and half a name, and cards are lent.
    """
    found = {field: outcome for field in WEIGHTS if (outcome := _outcome(field, asked.get(field), known.get(field)))}
    score = sum(_weight(field, outcome) for field, outcome in found.items())
    document = "same" in (found.get("idCard"), found.get("medicalCard"))
    contradicted = "differ" in (found.get("name"), found.get("birthDate"), found.get("sex"), found.get("idCard"))
    if document and not contradicted:
        grade: Grade = "certain"
    elif found.get("idCard") == "same":
        grade = "possible"  # somebody else's card, or a wrong record: a person decides
    else:
        grade = "probable" if score >= PROBABLE else "possible" if score >= POSSIBLE else "certainly-not"
    if grade == "probable" and found.get("idCard") == "differ":
        grade = "possible"  # two valid cards are two people until someone has looked
    parts = tuple(Part(name, outcome, round(_weight(name, outcome), 1)) for name, outcome in found.items())
    return Verdict(round(score, 1), grade, _why(found), parts)


def _weight(field: str, outcome: str) -> float:
    weight = WEIGHTS[field]
    return weight.agree if outcome == "same" else weight.near if outcome == "near" else weight.differ


def _outcome(field: str, asked: Any, known: Any) -> str | None:
    if not asked or not known or "unknown" in (asked, known):
        return None
    tidy = _TIDY.get(field, str)
    left, right = tidy(str(asked)), tidy(str(known))
    if left == right:
        return "same"
    if field == "name" and sound(str(asked)) == sound(str(known)):  # 晓 for 小, or the passport's Latin letters
        return "near"
    near = _NEAR.get(field)
    return "near" if near is not None and near(left, right) else "differ"


def _one_off(left: str, right: str) -> bool:
    """One character mistyped, missing, extra, or two neighbours swapped."""
    if len(left) == len(right):
        wrong = [i for i, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]]
        if len(wrong) == 2:
            i, j = wrong
            return j == i + 1 and left[i] == right[j] and left[j] == right[i]
        return len(wrong) == 1
    short, long = sorted((left, right), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


def _names_near(left: str, right: str) -> bool:
    short, long = sorted((left, right), key=len)
    if len(short) >= 3 and len(long) >= 5 and not long.isascii() and long.startswith(short):
        return True  # 阿依古丽 for 阿依古丽·买买提: the father's name is often left out
    if max(len(left), len(right)) <= 3:  # Chinese: the same surname and one other character, or the order mixed up
        return sorted(left) == sorted(right) or (len(left) == len(right) == 3 and left[0] == right[0] and _one_off(left, right))
    return SequenceMatcher(None, left, right).ratio() >= 0.85


def _dates_near(left: str, right: str) -> bool:
    year, month, day = [*left.split("-"), "", ""][:3]
    return _one_off(left, right) or right == f"{year}-{day}-{month}"


_TIDY: Mapping[str, Callable[[str], str]] = {
    "idCard": tidy_card, "medicalCard": tidy_id, "name": tidy_name, "phone": tidy_phone,
}  # fmt: skip
_NEAR: Mapping[str, Callable[[str, str], bool]] = {"idCard": _one_off, "name": _names_near, "birthDate": _dates_near}


def _why(found: Mapping[str, str]) -> str:
    words = {"same": "same", "near": "almost the same", "differ": "different"}
    groups = [f"{words[kind]} {', '.join(_LABELS[f] for f, o in found.items() if o == kind)}" for kind in words if kind in found.values()]
    return "; ".join(groups) or "nothing to compare"
