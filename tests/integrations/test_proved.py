"""The page that says what each connector was proved against stays true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import integrations
from integrations.connector import declared

ROOT = Path(__file__).parents[2]
integrations.load()


def rows() -> list[list[str]]:
    """The cells of the table."""
    lines = (ROOT / "docs/integration/proved.md").read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def test_every_connector_has_a_row_and_no_row_is_of_none() -> None:
    named = {name for row in rows() for name in re.findall(r"`([^`]+)`", row[0])}
    assert named == set(declared())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_test_that_a_row_names_exists_and_the_row_says_what_it_was(row: list[str]) -> None:
    _, standard, far_end, test = row
    assert standard
    assert far_end
    file, name = re.fullmatch(r"`(test_\w+\.py)::(test_\w+)`", test).groups()  # type: ignore[union-attr]
    assert f"\ndef {name}(" in (ROOT / "tests/integrations" / file).read_text()
