"""Reads a suite of models that break or keep one rule of BPMN each, and compares what the linter says with the file's name.

`python -m tests.conformance.rules FOLDER` prints a table; pytest runs it when CARELANE_RULES names a folder. A name with
`fail` or `invalid` in it must be refused, one with `success` or `valid` must pass.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.models.files import imports

BROKEN = re.compile(r"(^|[_\d])(fail|invalid)|failure", re.IGNORECASE)
GOOD = re.compile(r"(^|_)(success|valid)", re.IGNORECASE)
FOLDER = os.environ.get("CARELANE_RULES")  # read now: the tests start with a clean environment
MOST_GOOD_REFUSED = 0.05
LEAST_BROKEN_CAUGHT = 0.78


@dataclass
class Verdict:
    """What the linter said of one file, beside what it should have said."""

    file: Path
    broken: bool
    errors: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return bool(self.errors) == self.broken


def verdicts(folder: Path) -> Iterator[Verdict]:
    """A verdict for each file whose name says what it is."""
    from engine.execution.check import check

    for file in sorted(folder.rglob("*.bpmn")):
        broken, good = BROKEN.search(file.stem), GOOD.search(file.stem)
        if bool(broken) == bool(good):
            continue
        problems = check({file.name: file.read_bytes()}, context=imports(file))
        yield Verdict(file, bool(broken), [f"{p.rule} {p.element or ''}: {p.message}" for p in problems if p.severity == "error"])


def summary(all_: list[Verdict]) -> str:
    broken, good = [v for v in all_ if v.broken], [v for v in all_ if not v.broken]
    return (
        f"{sum(v.right for v in broken)} of {len(broken)} broken models refused; "
        f"{sum(not v.right for v in good)} of {len(good)} good models refused"
    )


def main(folder: Path, *, everything: bool = False) -> str:
    all_ = list(verdicts(folder))
    for verdict in all_:
        if everything or not verdict.right:
            said = verdict.errors[0] if verdict.errors else "passed"
            print(f"{'ok ' if verdict.right else 'BAD'} {verdict.file.relative_to(folder)}: {said}")
    return summary(all_)


@pytest.mark.skipif(not FOLDER, reason="CARELANE_RULES names no folder")
def test_the_linter_tells_broken_models_from_good_ones():
    all_ = list(verdicts(Path(FOLDER or "")))
    broken, good = [v for v in all_ if v.broken], [v for v in all_ if not v.broken]
    assert broken
    assert good
    assert sum(v.right for v in broken) >= LEAST_BROKEN_CAUGHT * len(broken), summary(all_)
    assert sum(not v.right for v in good) <= MOST_GOOD_REFUSED * len(good), summary(all_)


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), everything="-v" in sys.argv))
