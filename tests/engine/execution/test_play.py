"""Playing a scenario: each task takes the next entry of its list, `open` among them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.execution.play import play
from engine.execution.scenario import Scenario
from tests.engine.build import boundary, end, note, process, start, timer, user, xor

AGAIN = process(
    start(), xor("m"), user("u"), boundary("late", "u", timer("Duration", "PT1H")), note("n"), end(), flows=["start -> m -> u -> end", "late -> n -> m"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "status", "path"),
    [
        (["open", {"x": 1}], "completed", ["n"]),
        (["open", "open", {"x": 1}], "completed", ["n", "n"]),
        ([{"x": 1}], "completed", None),
        ({"x": 1}, "completed", None),
    ],
)
def test_a_task_that_is_left_open_once_is_done_the_next_time(said: Any, status: str, path: list[str] | None) -> None:
    played = play({"a.bpmn": AGAIN}, scenario_=Scenario(steps={"u": said}), auto=True)
    assert (played.status, played.variables["x"], played.variables.get("path")) == (status, 1, path)


def test_a_task_that_is_always_open_waits() -> None:
    played = play({"a.bpmn": AGAIN}, scenario_=Scenario(steps={"u": "open"}, timers={"late": "never"}), auto=True)
    assert (played.status, [row["element"] for row in played.waiting]) == ("waiting", ["u"])
