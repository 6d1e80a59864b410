"""A form that we would not run right is refused, with every reason at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from form_samples import VITALS, form

import forms

TEXT = {"type": "textfield", "key": "name", "label": "Name"}
CHOICE = {"type": "select", "key": "c", "label": "C", "values": [{"value": "a", "label": "A"}]}
LIST = {"type": "dynamiclist", "path": "rows", "label": "Rows", "components": [TEXT]}

REFUSED = [
    ("json", "{"),
    ("json", b"[" * 100_000),
    ("not-a-form", "[]"),
    ("not-a-form", {"type": "survey", "components": []}),
    ("schema-version", {"schemaVersion": 99, "components": []}),
    ("component-unknown", form({"type": "hologram", "key": "x"})),
    ("component-unsupported", form({"type": "filepicker", "key": "x", "label": "X"})),
    ("component-unsupported", form({"type": "html", "content": "<script>alert(1)</script>"})),
    ("component-unsupported", form({"type": "iframe", "url": "https://example.org"})),
    ("component-unsupported", form({"type": "documentPreview"})),
    ("component-unsupported", form({"type": "date", "key": "x"})),
    ("key-missing", form({"type": "textfield", "label": "X"})),
    ("key-form", form({**TEXT, "key": "a b"})),
    ("key-form", form({**TEXT, "key": "_add:x"})),
    ("key-duplicate", form(TEXT, TEXT)),
    ("key-duplicate", form({**TEXT, "key": "p.name"}, {"type": "group", "path": "p", "components": [TEXT]})),
    ("key-conflict", form({**TEXT, "key": "p"}, {**TEXT, "key": "p.name"})),
    ("id-duplicate", form({**TEXT, "id": "a"}, {**TEXT, "key": "b", "id": "a"})),
    ("property-unknown", form({**TEXT, "decimalDigits": 2})),
    ("property-unknown", form({**TEXT, "validate": {"min": 1}})),
    ("property-unknown", form({**TEXT, "conditional": {"show": "=a"}})),
    ("property-type", form({**TEXT, "label": 5})),
    ("property-type", form({**TEXT, "readonly": "yes"})),
    ("property-type", form({**TEXT, "validate": {"required": "yes"}})),
    ("property-type", {"components": [5]}),
    ("condition", form({**TEXT, "conditional": {"hide": "a = 1"}})),
    ("options-missing", form({"type": "radio", "key": "c", "label": "C"})),
    ("options-both", form({**CHOICE, "valuesKey": "list"})),
    ("option-form", form({**CHOICE, "values": [{"label": "A"}]})),
    ("option-duplicate", form({**CHOICE, "values": [{"value": "a", "label": "A"}, {"value": "a", "label": "B"}]})),
    ("default-not-an-option", form({**CHOICE, "defaultValue": "z"})),
    ("bounds", form({"type": "number", "key": "n", "label": "N", "validate": {"min": "low"}})),
    ("bounds-reversed", form({"type": "number", "key": "n", "label": "N", "validate": {"min": 5, "max": 1}})),
    ("bounds-reversed", form({**LIST, "properties": {"minRows": "5", "maxRows": "2"}})),
    ("pattern", form({**TEXT, "validate": {"pattern": "([a"}})),
    ("validation-type", form({**TEXT, "validate": {"validationType": "iban"}})),
    ("check-unknown", form({**TEXT, "properties": {"validate": "us_ssn"}})),
    ("unit", form({"type": "number", "key": "n", "label": "N", "properties": {"unit": "cent"}})),
    ("unit", form({"type": "number", "key": "n", "label": "N", "decimalDigits": 2, "properties": {"unit": "fen", "display": "yuan"}})),
    ("unit", form({"type": "number", "key": "n", "label": "N", "serializeToString": True, "properties": {"unit": "fen"}})),
    ("row-limit", form({**LIST, "properties": {"maxRows": "many"}})),
    ("not-repeating", form({**LIST, "isRepeating": False})),
    ("list-empty", form({**LIST, "components": []})),
    ("locked-cell", form({**LIST, "components": [{**TEXT, "readonly": True}]})),
    ("locked-cell", form({**LIST, "components": [{**LIST, "path": "inner", "allowAddRemove": False}]})),
    ("locked-cell", form({**LIST, "components": [{"type": "group", "components": [{**TEXT, "disabled": "=sealed"}]}]})),
    ("columns", form({**TEXT, "layout": {"row": "r", "columns": 17}})),
    ("row-too-wide", form({**TEXT, "layout": {"row": "r", "columns": 10}}, {**TEXT, "key": "b", "layout": {"row": "r", "columns": 7}})),
    ("template", form({"type": "text", "text": "{{#if x}}a{{/if}}"})),
    ("image-source", form({"type": "image", "source": "https://tracker.example/p.png", "alt": "x"})),
    ("image-source", form({"type": "image", "source": "//tracker.example/p.png", "alt": "x"})),
    ("table", form({"type": "table", "columns": [{"key": "a", "label": "A"}]})),
    ("too-large", form(*({**TEXT, "key": f"k{number}"} for number in range(501)))),
]


@pytest.mark.parametrize(("rule", "data"), REFUSED, ids=[f"{rule}-{at}" for at, (rule, _) in enumerate(REFUSED)])
def test_refuses_with_the_rule_the_reason_and_the_mend(rule: str, data: object) -> None:
    found = [problem for problem in forms.problems(data) if problem.rule == rule]  # type: ignore[arg-type]
    assert found
    assert all(problem.message and problem.fix for problem in found)


def test_load_raises_all_problems_together() -> None:
    with pytest.raises(forms.FormInvalid) as caught:
        forms.load(form({"type": "filepicker", "key": "x"}, {"type": "textfield"}, {**CHOICE, "values": []}))
    assert {problem.rule for problem in caught.value.problems} == {"component-unsupported", "key-missing", "options-missing"}


def test_too_deep_nesting_is_refused_not_overflowed() -> None:
    inner: dict[str, object] = TEXT
    for _ in range(200):
        inner = {"type": "group", "components": [inner]}
    assert [problem.rule for problem in forms.problems(form(inner))] == ["too-deep"]


def test_a_good_form_has_no_problems_in_any_spelling() -> None:
    text = json.dumps(VITALS)
    assert forms.problems(VITALS) == forms.problems(text) == forms.problems(text.encode()) == []
    assert forms.load(text) is forms.load(text)


def test_every_rule_is_tested_and_documented() -> None:
    root = Path(__file__).parents[3]
    sources = [*(root / "forms").glob("*.py"), *(root / "forms" / "widgets").glob("*.py")]
    written = "\n".join(path.read_text() for path in sources)
    used = {rule for rule, _ in REFUSED} | {"too-deep"}
    written = re.sub(r"\s+", " ", written)
    emitted = set(re.findall(r'complain\( ?f?"[^"]*", "([a-z-]+)"', written))
    emitted |= set(re.findall(r'self\.add\( ?[^,]+, [^,]+, "([a-z-]+)"', written)) | set(
        re.findall(r'Problem\("", "form", "([a-z-]+)"', written)
    )
    assert len(emitted) > 20
    assert emitted <= used
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", (root / "docs" / "forms.md").read_text(), re.MULTILINE))
    assert used <= documented
