"""Killed at every named point, before and after each commit: whatever was answered holds, nothing doubles, nothing is stuck."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import faults
from tests.conftest import ROOT
from tests.test_shape import parsed

UNNAMED = {
    "engine/faults.py": "the docstring's example",
    "integrations/dicom/arrivals.py": "asks the archive anew at every look, and announces by the study's own id",
    "integrations/dicom/listener.py": "notes when a listener last worked, and does so again",
    "integrations/hl7/listener.py _keep": "keeps what is no HL7 message for a person to see; its sender gets no answer to rely on",
    "web/demo/live.py": "lets a demonstration's visits arrive that are not there yet",
    "web/cli/demo.py": "sets up a demonstration, and does it again at the next start",
    "web/demo/past.py": "invents a demonstration's past",
    "web/demo/showcase.py": "puts what a demonstration is to show",
    "web/demo/wires.py": "plays the people of a demonstration's visits",
}  # commits without a fault point, and why
HARDEST = ("edge.write.after", "worker.claim.after", "call.after", "worker.finish.before", "worker.finish.after", "worker.batch.before")
slow = [pytest.mark.slow, pytest.mark.timeout(1800)]


def days(folder: Path, server: str, *points: str) -> list[dict[str, Any]]:
    """What came of a day for each point."""
    arguments = [sys.executable, "-m", "tests.chaos.nursery", str(folder), server, "", *points]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wrong(found: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {day["point"] or "no kill": day["wrong"] for day in found if day["wrong"]}


def passed(folder: Path) -> dict[str, int]:
    """How often a day without a kill passes each point."""
    counts: dict[str, int] = json.loads((folder / "seen.json").read_text())["passed"]
    return counts


class TestList:
    def used(self) -> Iterator[tuple[str, str]]:
        for _, module in parsed():
            for node in ast.walk(module):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "faults":
                    names = [text.value for text in ast.walk(node) if isinstance(text, ast.Constant) and "." in str(text.value)]
                    yield from ((node.func.attr, str(name)) for name in names)

    def test_it_is_what_the_code_passes(self) -> None:
        used = set(self.used())
        assert {name for what, name in used if what == "around"} == set(faults.COMMITS)
        assert {name for what, name in used if what == "point"} == set(faults.MOMENTS)

    def test_every_commit_has_its_points(self) -> None:
        found = [(file, name, line) for file, module in parsed() if file not in UNNAMED for name, line in unguarded(module)]
        bare = [f"{file}:{line}" for file, name, line in found if f"{file} {name}" not in UNNAMED]
        assert bare == [], "put the commit into `with faults.around(…)` and name it in engine/faults.py"

    def test_the_search_sees_a_bare_commit(self) -> None:
        module = ast.parse('with faults.around("a"):\n    session.commit()\nwith session:\n    session.commit()\n')
        assert unguarded(module) == [("", 4)]

    def test_an_unknown_point_cannot_be_armed(self) -> None:
        with pytest.raises(ValueError, match="no fault point"):
            faults.arm("worker.nothing.before")

    @pytest.mark.parametrize("variable", ["edge.write.before", "call.after:2"])
    def test_the_environment_arms_a_process(self, variable: str) -> None:
        name = variable.partition(":")[0]
        code = f"from engine import faults\nfor _ in range(2): faults.point({name!r})\nprint('alive')"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"CARELANE_FAULT": variable}, capture_output=True, check=False)
        assert done.returncode == -9
        assert done.stdout == b""


def unguarded(module: ast.Module) -> list[tuple[str, int]]:
    """(function, line) of what commits outside `with faults.around(…)`."""
    function = {id(inner): outer.name for outer in ast.walk(module) if isinstance(outer, ast.FunctionDef) for inner in ast.walk(outer)}
    named = {
        id(inner)
        for block in ast.walk(module)
        if isinstance(block, ast.With) and any("faults.around" in ast.unparse(item.context_expr) for item in block.items)
        for inner in ast.walk(block)
    }
    return [
        (function.get(id(node), ""), node.lineno)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit" and id(node) not in named
    ]


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_a_kill_at_any_point_leaves_a_legal_day(tmp_path: Path) -> None:
    found = days(tmp_path, "", *faults.names())
    assert wrong(found) == {}
    assert set(faults.names()) - set(passed(tmp_path)) == set(), "the day must pass every point"
    assert len(found) == 1 + len(faults.names())


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize("points", [HARDEST, pytest.param(tuple(faults.names()), marks=pytest.mark.bench)], ids=["hardest", "all"])
def test_the_same_on_postgresql(tmp_path: Path, postgres_server: str, points: tuple[str, ...]) -> None:
    assert wrong(days(tmp_path, postgres_server, *points)) == {}


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_a_kill_at_any_pass_of_any_point(tmp_path: Path) -> None:
    """Not only the first time that a point is passed: each of the first twelve."""
    (tmp_path / "first").mkdir()
    days(tmp_path / "first", "")
    points = [f"{name}:{time}" for name, count in passed(tmp_path / "first").items() for time in range(2, min(count, 12) + 1)]
    (tmp_path / "all").mkdir()
    found = days(tmp_path / "all", "", *points)
    print(f"{len(found)} kills: {wrong(found)}")
    assert wrong(found) == {}


def test_the_day_can_fail(tmp_path: Path) -> None:
    """A worker that acknowledges before it works loses the charge when it is killed in between."""
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import sys\nfrom tests.chaos import nursery\nfrom engine.execution.worker import Worker\nfrom engine.execution import jobs\n"
        "from engine import faults\n"
        "def early(self, job):\n"
        "    with self.sessions() as session:\n        call = jobs.call_of(session, job)\n"
        "    output = {'patientId': 'p1'} if job.type != 'hold' else {}\n"
        "    self._settle(job, lambda session: jobs.finish(session, job, self.owner, output))\n"
        "    faults.point('call.before')\n    self._connector(call)\n"
        "Worker._call = early\nnursery.main(*sys.argv[1:])\n"
    )
    days_ = tmp_path / "days"
    days_.mkdir()
    done = subprocess.run(
        [sys.executable, str(broken), str(days_), "", "call.before:2"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )  # fmt: skip
    (day,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert any("charges" in line or "patients" in line for line in day["wrong"]), day
