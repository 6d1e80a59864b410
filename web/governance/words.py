"""What the pages of data governance call things, and what the packages below say, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext

from engine.errors import InvalidForm
from integrations.mappings.conform import WORDS, Problem
from web.i18n import in_words

TYPES: Mapping[str, Any] = {
    "text": lazy_gettext("text"), "integer": lazy_gettext("whole number"), "number": lazy_gettext("number"), "boolean": lazy_gettext("yes or no"),
    "date": lazy_gettext("date"), "datetime": lazy_gettext("date and time"), "code": lazy_gettext("code"), "quantity": lazy_gettext("quantity"),
    "money": lazy_gettext("money"), "phone": lazy_gettext("phone number"), "id_card": lazy_gettext("ID card number"),
    "list": lazy_gettext("list"), "object": lazy_gettext("object"),
}  # fmt: skip
PARTS: Mapping[str, Any] = {
    "name_en": lazy_gettext("Name in English"), "name_zh": lazy_gettext("Name in Chinese"), "meaning_en": lazy_gettext("Meaning in English"),
    "meaning_zh": lazy_gettext("Meaning in Chinese"), "type": lazy_gettext("Type"), "unit": lazy_gettext("Unit (UCUM)"),
    "codes": lazy_gettext("Codes"), "owner": lazy_gettext("Owner"), "personal": lazy_gettext("Personal"), "retired": lazy_gettext("Retired"),
    "key": lazy_gettext("Key"), "field": lazy_gettext("Field"), "kind": lazy_gettext("Kind"), "parameters": lazy_gettext("Demand"),
    "severity": lazy_gettext("Severity"), "format": lazy_gettext("Format"), "expression": lazy_gettext("Expression"), "rows": lazy_gettext("Rows"),
}  # fmt: skip
KINDS: Mapping[str, Any] = {
    "missing": lazy_gettext("missing"), "range": lazy_gettext("out of range"), "format": lazy_gettext("wrong form"),
    "code": lazy_gettext("code not in the table"), "unit": lazy_gettext("wrong unit"), "duplicate": lazy_gettext("duplicate"),
    "identity": lazy_gettext("ID card against birth date or sex"), "order": lazy_gettext("wrong order in time"),
    "condition": lazy_gettext("inconsistent"),
}  # fmt: skip
FOUND: Mapping[str, Any] = {**KINDS, "unreadable": lazy_gettext("cannot be read"), "unmapped": lazy_gettext("mapping failed")}
SEVERITIES: Mapping[str, Any] = {"error": lazy_gettext("error"), "warning": lazy_gettext("warning")}
FORMATS: Mapping[str, str] = {"json": "JSON", "hl7": "HL7 v2", "fhir": "FHIR R4", "csv": "CSV", "xml": "XML"}
GRADES: Mapping[str, Any] = {
    "certain": lazy_gettext("certain"), "probable": lazy_gettext("probable"), "possible": lazy_gettext("possible"),
    "certainly-not": lazy_gettext("certainly not"),
}  # fmt: skip
OUTCOMES: Mapping[str, Any] = {"same": lazy_gettext("same"), "near": lazy_gettext("almost the same"), "differ": lazy_gettext("different")}
DEMOGRAPHICS: Mapping[str, Any] = {
    "name": lazy_gettext("Name"), "sex": lazy_gettext("Sex"), "birthDate": lazy_gettext("Birth date"), "idCard": lazy_gettext("ID card"),
    "medicalCard": lazy_gettext("Medical card"), "phone": lazy_gettext("Phone"), "address": lazy_gettext("Address"),
    "allergies": lazy_gettext("Allergies"),
}  # fmt: skip

_PROBLEMS: Mapping[str, Any] = {  # the rules of integrations.mappings.conform.WORDS
    "failed": "%(detail)s",
    "unreadable": lazy_gettext("the message cannot be read: %(detail)s"),
    "not_object": lazy_gettext("the mapping gives %(detail)s, where an object with the dictionary’s fields is expected"),
    "unknown_field": lazy_gettext("the dictionary has no such field"),
    "retired_field": lazy_gettext("the dictionary calls this field retired"),
    "date": lazy_gettext("%(detail)s is no date"),
    "number": lazy_gettext("%(detail)s is no number"),
    "boolean": lazy_gettext("%(detail)s is neither yes nor no"),
    "choice": lazy_gettext("%(detail)s is not among the field’s codes"),
    "code": lazy_gettext("%(detail)s is not in the code table"),
    "unit": "%(detail)s",
    "list": lazy_gettext("%(detail)s is no list"),
    "object": lazy_gettext("%(detail)s is no object"),
}

# Sentences of the packages below, as they say them: the parts in %(…)s are found in the English sentence and put into the other.
_SENTENCES: tuple[Any, ...] = (
    lazy_gettext("A key begins with a letter and has letters, digits and _ only."),
    lazy_gettext("A key has 2 to 60 small letters, digits, dots or dashes, a letter first."),
    lazy_gettext("A field needs a name in both languages."),
    lazy_gettext("%(what)s is no UCUM unit."),
    lazy_gettext("A quantity needs its unit."),
    lazy_gettext("Say which codes: a code system, a code table, or the values as a | b | c."),
    lazy_gettext("%(what)s is none of %(list)s."),
    lazy_gettext("The column %(name)s is missing."),
    lazy_gettext("Two lines have this key."),
    lazy_gettext("There is no published code table %(name)s."),
    lazy_gettext("There is a mapping %(name)s already."),
    lazy_gettext("The code %(code)s has two rows."),
    lazy_gettext("A code table has 1 to %(n)s rows."),
    lazy_gettext("Nothing has changed against the newest version."),
    lazy_gettext("Somebody changed this field meanwhile. Look at it again."),
    lazy_gettext("Name a field, or a field in a list as observations.unit."),
    lazy_gettext("A rule of this kind needs %(what)s."),
    lazy_gettext("A range needs a lowest or a highest number."),
    lazy_gettext("Days are a whole number from 1 to 366."),
    lazy_gettext("Say why: the reason stays with the records."),
    lazy_gettext("Somebody has decided this pair already."),
    lazy_gettext("One of the two records is already merged, or they are the same record."),
    lazy_gettext("This merge was already taken back."),
    lazy_gettext("Only a pair that was called different can be opened again."),
    lazy_gettext("The mapping is empty."),
    lazy_gettext("It took longer than %(n)s s and was stopped."),
    lazy_gettext("It needs too much memory or calls itself too deeply."),
    lazy_gettext("It is empty."),
    lazy_gettext("It has a line of names but no row."),
    lazy_gettext("It has %(n)s values for %(m)s columns."),
    lazy_gettext("A FHIR resource names its resourceType."),
    lazy_gettext("It does not begin with an MSH segment."),
    lazy_gettext("An ID card has 17 digits and a last digit or X."),
    lazy_gettext("The ID card's last character does not fit the others; one of them is mistyped."),
    lazy_gettext("The ID card's birth date %(day)s is no date."),
    lazy_gettext("The ID card's birth date %(day)s cannot be."),
    lazy_gettext("%(unit)s cannot be converted to %(other)s without the molar mass of %(what)s."),
    lazy_gettext("%(unit)s cannot be converted to %(other)s without the valence of %(what)s."),
    lazy_gettext("%(unit)s and %(other)s measure different things."),
)  # fmt: skip


def said(text: str) -> str:
    """A sentence of the packages below in the reader's language; as it is where it is not known."""
    where = re.match(r"line (\d+), column (\d+): ", text)
    if where:
        return f"{place(where[0].rstrip(': '))}: {said(text[where.end() :])}"
    found = in_words(text, _SENTENCES)
    return text if found is None else found


def place(text: str) -> str:
    """A place in a message or an expression."""
    if found := re.fullmatch(r"(\[\d+\]\.)?line (\d+)(?:, column (\d+))?", text):
        line = gettext("line %(n)s", n=found[2])
        column = gettext(", column %(n)s", n=found[3]) if found[3] else ""
        return f"{found[1] or ''}{line}{column}"
    return text


def worded(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """A mapping's problems for a page."""
    return [
        {"place": place(one.place), "severity": one.severity, "text": str(_PROBLEMS[one.rule]) % {"detail": said(one.detail)}}
        for one in problems
    ]


def worded_problem(text: str) -> str:
    """A problem in a mapping's own English ("birthDate: 19 is no date") in the reader's language."""
    where, _, rest = text.partition(": ")
    for rule, english in WORDS.items():
        pattern = re.escape(english).replace(re.escape("{detail}"), "(?P<detail>.+)")
        if rule not in ("failed", "unit") and (found := re.fullmatch(pattern, rest or where, re.DOTALL)):
            told = str(_PROBLEMS[rule]) % {"detail": said(found.groupdict().get("detail") or "")}
            return f"{place(where)}: {told}" if rest else told
    return f"{place(where)}: {said(rest)}" if rest else said(text)


def refusal(error: InvalidForm) -> list[str]:
    """What is wrong with a form, a line a reason, the part named."""
    return [f"{PARTS.get(part, place(part))}: {said(text)}" for part, texts in error.errors.items() for text in texts]
