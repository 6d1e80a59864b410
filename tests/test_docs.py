"""The documentation names everything there is, and nothing that is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from engine.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
DOCS = "\n".join(page.read_text() for page in PAGES if page.is_relative_to(ROOT / "docs"))


def unnamed(names: Iterable[str]) -> list[str]:
    """Those names that no page of docs/ holds as a whole word."""
    return [name for name in names if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", DOCS)]


def commands(group: click.Command, path: str = "carelane") -> Iterator[str]:
    """Every command that does something, by its full name."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):  # not `.commands`: the outermost group imports its commands when they are called
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, f"{path} {name}")
    else:
        yield path


def test_every_setting_is_documented() -> None:
    assert unnamed(f"CARELANE_{field.name.upper()}" for field in fields(Settings)) == []


def test_every_documented_setting_exists() -> None:
    known = {f"CARELANE_{field.name.upper()}" for field in fields(Settings)} | {"CARELANE_FAULT"}  # of the tests: engine/faults.py
    assert sorted(set(re.findall(r"\bCARELANE_[A-Z][A-Z_]*[A-Z]\b", DOCS)) - known) == []


def test_every_connector_is_documented() -> None:
    import integrations.connectors  # noqa: F401  registers them
    from engine.execution.connectors import known

    assert known()
    assert unnamed(known()) == []


def test_every_lint_rule_is_documented() -> None:
    from engine.models.lint import RULES

    assert RULES
    assert unnamed(RULES) == []


def test_every_kpi_is_documented() -> None:
    from engine.history.kpis import KPIS

    assert KPIS
    assert unnamed(KPIS) == []


def test_every_command_is_documented() -> None:
    from web.cli import COMMANDS, main

    assert {name.split()[1] for name in commands(main)} == set(COMMANDS)
    assert unnamed(commands(main)) == []


def test_every_make_target_that_is_documented_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*?## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z]+)", page.read_text())}
    assert named - targets == set()
    assert len(targets) <= 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda page: page.name)
def test_a_decision_fits_on_a_page(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= 40
