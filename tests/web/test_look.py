"""What can be computed of the look: contrast of the tokens, sizes, and the weight of the inbox's scripts."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "web/static"
TOKENS = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", (STATIC / "css/tokens.css").read_text()))

TEXT_ON = [
    ("ink", "card"), ("ink", "ground"), ("ink", "stripe"), ("ink-soft", "card"), ("ink-soft", "ground"), ("ink-soft", "stripe"),
    ("accent", "card"), ("accent", "ground"), ("accent-dark", "accent-ground"), ("card", "accent"), ("card", "accent-dark"),
    ("head-ink", "head"), ("head-soft", "head"), ("mint", "head"), ("late", "card"), ("late", "ground"), ("late", "late-ground"), ("card", "late"),
    ("warn-ink", "warn-ground"), ("good-ink", "good-ground"), ("info-ink", "info-ground"),
    *((f"acuity-{n}-ink", f"acuity-{n}") for n in (1, 2, 3, 4)),
]  # fmt: skip


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_knows_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_stands_out_by_wcag_aa(text: str, ground: str) -> None:
    assert contrast(TOKENS[text], TOKENS[ground]) >= 4.5


def test_borders_of_controls_stand_out() -> None:
    assert contrast(TOKENS["line-strong"], TOKENS["card"]) >= 3


def test_rows_are_36_pixels_and_text_14() -> None:
    sheet = (STATIC / "css/tokens.css").read_text()
    assert "--row: 36px" in sheet
    assert "--text: 14px" in sheet


STAFF_SHEETS = ("base", "shell", "parts", "inbox", "task", "visits", "login", "admin", "board", "far_ends", "api")


def test_red_is_for_late_and_trouble_only() -> None:
    """The sheets of staff's pages take it from the tokens, so that red cannot creep in."""
    reds = [
        f"{path.name}: {colour}"
        for path in (STATIC / f"css/{name}.css" for name in STAFF_SHEETS)
        for colour in re.findall(r"#[0-9a-f]{6}\b", path.read_text())
        if int(colour[1:3], 16) > 1.8 * max(int(colour[3:5], 16), int(colour[5:7], 16), 1)
    ]
    assert reds == []


def test_the_inbox_loads_at_most_60_kb_of_script() -> None:
    built = STATIC / "dist"
    if not (built / "app.js").exists():
        pytest.skip("the front end is not built")
    assert sum(len(gzip.compress((built / name).read_bytes())) for name in ("app.js", "inbox.js")) <= 60 * 1024
