"""The page about models says of each rule what the register says."""

from __future__ import annotations

import re
from pathlib import Path

from engine.models.lint import RULES, Rule
from engine.models.normalise import PLACEHOLDERS

PAGE = (Path(__file__).parents[3] / "docs" / "engine" / "models.md").read_text()


def row(rule: Rule) -> str:
    finding = rule.severity + (", plain BPMN" if rule.formal and rule.severity == "error" else "") + (", to run" if rule.running else "")
    return f"| `{rule.id}` | {rule.title} | {rule.fix} | {finding} |"


def test_each_rule_has_its_row() -> None:
    assert [rule.id for rule in RULES.values() if row(rule) not in PAGE] == []


def test_no_row_is_about_a_rule_that_is_gone() -> None:
    rows = PAGE.partition("## Rules")[2]
    assert set(re.findall(r"^\| `([\w-]+)`", rows, re.MULTILINE)) == set(RULES)


def test_each_rule_that_reading_knows_is_named() -> None:
    sources = Path(__file__).parents[3] / "engine" / "models"
    text = "".join(
        (sources / f"{name}.py").read_text() for name in ("xml", "read", "normalise", "vendors", "events", "files", "deploy", "lint")
    )
    named = set(re.findall(r"""(?:Problem\(|note\(|self\.note\(element, |refused\(file, )\s*"([a-z]+(?:-[a-z]+)*)\"""", text)) | PLACEHOLDERS
    assert len(named) > 20
    assert [rule for rule in sorted(named) if f"`{rule}`" not in PAGE] == []
