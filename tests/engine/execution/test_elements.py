"""The table in docs/engine/elements.md is complete and true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import InvalidModel
from engine.execution.play import play
from engine.execution.specs import _CLASSES
from engine.models.read import NODES
from engine.models.rules.engine import REFUSED
from tests.engine.build import catch, compensate, element, end, event_sub, note, process, race, signal, start, sub, tag, task, timer, user
from tests.engine.world import Stored, World

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs/engine/elements.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line][1:]


def test_every_element_type_has_a_row() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in ROWS)))
    assert sorted(NODES - named) == []
    for name in _CLASSES:
        assert any(f"`{name}`" in what and verdict == "runs" for what, verdict, _ in ROWS), name


@pytest.mark.parametrize("test", sorted({test for row in ROWS for test in re.findall(r"`(test_[^`]+)`", row[2])}))
def test_every_row_names_a_test_that_exists(test: str) -> None:
    file, *names = test.split("::")
    text = (HERE / file).read_text()
    for name in names:
        assert re.search(rf"^\s*(class|def) {name}\b", text, re.MULTILINE), f"{file} has no {name}"


def test_every_row_names_a_test() -> None:
    assert [row[0] for row in ROWS if not row[2]] == []


def line(*middle: str, name: str = "x") -> bytes:
    return process(start(), *middle, end(), flows=f"start -> {name} -> end")


MODELS = {
    "adHocSubProcess": line(sub("x", user("a"), type_="adHocSubProcess")),
    "complexGateway": line(element("complexGateway", "x")),
    "parallelMultiple": line(catch("x", signal("a"), signal("b"), parallelMultiple=True)),
    "parallelEventGateway": process(
        start(), race("x").replace('id="x"', 'id="x" eventGatewayType="Parallel"'), catch("a", signal("a")), catch("b", timer("Duration", "PT1H")), end(),
        flows=["start -> x", "x -> a -> end", "x -> b -> end"],
    ),
    "complexBehaviour": line(user("x", tag("multiInstanceLoopCharacteristics", tag("loopCardinality", "3"), behavior="Complex"))),
    "quantity": line(element("userTask", "x", startQuantity=2)),
    "compensationStart": process(
        start(), user("x"), event_sub("h", start("hs", compensate()), note("n"), end("he"), flows="hs -> n -> he"), end(), flows="start -> x -> end"
    ),
    "implicitThrowEvent": line(element("implicitThrowEvent", "x", signal("a"))),
}  # fmt: skip


@pytest.mark.parametrize("construct", sorted(REFUSED))
def test_what_is_refused(stored: Stored, construct: str) -> None:
    """With its reason, and before anything runs."""
    with pytest.raises(InvalidModel) as refused:
        stored.deploy(MODELS[construct])
    assert REFUSED[construct][0] in [problem.message for problem in refused.value.problems]


def test_manual_and_undefined_tasks_are_passed(world: World) -> None:
    world.deploy(process(start(), task("a", outputs={"x": "=1"}), element("manualTask", "b"), end(), flows="start -> a -> b -> end"))
    assert world.start().variables == {"x": 1}
    assert world.trace == ["start", "a", "b", "end"]


def test_data_objects_are_documentation(world: World) -> None:
    data = (
        tag("dataObject", id="data")
        + tag("dataObjectReference", id="ref", dataObjectRef="data", name="record")
        + tag("textAnnotation", tag("text", "hello"), id="note")
    )
    world.deploy(process(start(), user("a"), data, end(), flows="start -> a -> end"))
    world.start()
    world.complete("a")
    assert world.over


DECISION = b"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="t"><decision id="grade" name="grade">
<decisionTable hitPolicy="UNIQUE"><input id="i"><inputExpression><text>score</text></inputExpression></input><output id="o" name="grade"/>
<rule id="r1"><inputEntry><text>&lt; 5</text></inputEntry><outputEntry><text>"low"</text></outputEntry></rule>
<rule id="r2"><inputEntry><text>&gt;= 5</text></inputEntry><outputEntry><text>"high"</text></outputEntry></rule>
</decisionTable></decision></definitions>"""


@pytest.mark.parametrize(("score", "grade"), [(3, "low"), (7, "high")])
def test_a_business_rule_task_decides(score: int, grade: str) -> None:
    called = tag("zeebe_calledDecision", decisionId="grade", resultVariable="grade")
    model = process(start(), element("businessRuleTask", "b", ext=called), end(), flows="start -> b -> end")
    played = play({"p.bpmn": model, "d.dmn": DECISION}, variables={"score": score})
    assert (played.status, played.variables["grade"]) == ("completed", grade)
