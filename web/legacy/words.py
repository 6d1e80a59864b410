"""Words for the codes of migrations, and its reasons in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext

KINDS: dict[str, Any] = {
    "check": lazy_gettext("Check"),
    "dry": lazy_gettext("Dry run"),
    "move": lazy_gettext("Batch"),
    "back": lazy_gettext("Taking back"),
}
COUNTS: dict[str, tuple[Any, str]] = {  # words, kind of badge
    "valid": (lazy_gettext("can be moved"), "good"),
    "created": (lazy_gettext("cases created"), "good"),
    "returned": (lazy_gettext("taken back"), "good"),
    "skipped": (lazy_gettext("skipped, here already"), ""),
    "moved": (lazy_gettext("moved already"), ""),
    "rejected": (lazy_gettext("rejected"), "bad"),
    "refused": (lazy_gettext("refused"), "bad"),
    "patients new": (lazy_gettext("new patients"), "info"),
    "patients changed": (lazy_gettext("patients completed"), "info"),
    "patients existing": (lazy_gettext("patients known"), ""),
    "patients kept": (lazy_gettext("patients that stay"), "warning"),
    "open": (lazy_gettext("still under way"), "info"),
    "completed": (lazy_gettext("ended"), ""),
    "cancelled": (lazy_gettext("broken off"), ""),
}
TYPES: dict[str, Any] = {
    "integer": lazy_gettext("whole number"), "number": lazy_gettext("number"), "date": lazy_gettext("date"), "text": lazy_gettext("text"),
    "id_card": lazy_gettext("ID card"), "phone": lazy_gettext("phone"), "mixed": lazy_gettext("mixed"), "empty": lazy_gettext("empty"),
}  # fmt: skip
ODD: dict[str, Any] = {
    "spaces around it": lazy_gettext("spaces around it"),
    "stands for nothing": lazy_gettext("stands for nothing"),
    "a date that means none": lazy_gettext("a date that means none"),
    "garbled by a wrong encoding": lazy_gettext("garbled by a wrong encoding"),
    "control characters": lazy_gettext("control characters"),
    "full-width digits or letters": lazy_gettext("full-width digits or letters"),
    "an ID card that cannot be": lazy_gettext("an ID card that cannot be"),
}
_SENTENCES: dict[str, Any] = {
    r"The patient has no name\.": lazy_gettext("The patient has no name."),
    r"Nothing tells the patient from others.*": lazy_gettext(
        "Nothing tells the patient from others of that name: no number of the old system, no ID card, no medical card."
    ),
    r"It may be the patient (?P<who>.+): a person must decide first\.": lazy_gettext("It may be the patient %(who)s: a person must decide first."),
    r"Our record of this patient has another (?P<field>\w+)\.": lazy_gettext("Our record of this patient has another %(field)s."),
    r"An earlier row has this case too\.": lazy_gettext("An earlier row has this case too."),
    r"This case is here already, with other content.*": lazy_gettext("This case is here already, with other content: take back its batch first, or leave it."),
    r"It began or ended in the future\.": lazy_gettext("It began or ended in the future."),
    r"It ended before it began\.": lazy_gettext("It ended before it began."),
    r"The times of (?P<step>\S+) do not follow.*": lazy_gettext("The times of %(step)s do not follow each other, or lie outside the case."),
    r"legacyEnded: an ended case needs.*": lazy_gettext("An ended case needs the time of its end."),
    r"legacyElement: .*": lazy_gettext("It is not known where the open case stands."),
    r"legacyStarted: .*": lazy_gettext("It is not known when the case began."),
    r"legacyCase: .*": lazy_gettext("The case has no number of the old system."),
    r"A case on (?P<step>\S+) would be over at once.*": lazy_gettext("A case on %(step)s would be over at once: it is an ended one."),
    r"(?P<who>\S+) has begun (?P<task>.+)\.": lazy_gettext("%(who)s has begun %(task)s."),
    r"(?P<who>\S+) has completed (?P<task>.+)\.": lazy_gettext("%(who)s has completed %(task)s."),
    r"The case has moved on\.": lazy_gettext("The case has moved on."),
    r"(?P<who>\S+) stays: there are other visits.*": lazy_gettext("%(who)s stays: there are other visits of this patient."),
    r"Check the rows by the present mapping first\.": lazy_gettext("Check the rows by the present mapping first."),
    r"Look at a dry run first.*": lazy_gettext("Look at a dry run first: it says what would be created."),
    r"A pass over this migration is under way.*": lazy_gettext("A pass over this migration is under way; wait until it has ended."),
    r"Check every row of the sample first\.": lazy_gettext("Check every row of the sample first."),
    r"Who moved the batch does not sign it\.": lazy_gettext("Who moved the batch does not sign it."),
    r"Say what is wrong with it\.": lazy_gettext("Say what is wrong with it."),
    r"Say why: the reason stays.*": lazy_gettext("Say why: the reason stays with the signature."),
}  # fmt: skip


def said(text: str) -> str:
    """A reason in the reader's language, each of several; as it is where it is not known."""
    return "; ".join(_one(part) for part in text.split("; "))


def _one(text: str) -> str:
    for pattern, words in _SENTENCES.items():
        if found := re.fullmatch(pattern, text):
            return str(words) % found.groupdict() if found.groupdict() else str(words)
    return text


def counted(counts: Mapping[str, int]) -> list[tuple[Any, str, int]]:
    """Counts in the order in which they are read: words, kind of badge, number."""
    return [(*words, counts[name]) for name, words in COUNTS.items() if counts.get(name)]


def wrong(field: str) -> str:
    """Why a new migration cannot be begun."""
    names = {
        "name": gettext("It needs a name."), "source": gettext("The old system is named with small letters and digits, a letter first."),
        "department": gettext("Choose a department."), "process_id": gettext("This process is not deployed."),
        "mapping": gettext("This mapping is not published."),
    }  # fmt: skip
    return names.get(field, field)
