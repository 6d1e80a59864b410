"""Whatever is wrong with a diagram, a decision or a form is said in Chinese as well, and every sentence of a rule has its translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import forms
from engine.errors import Problem
from engine.execution import check, dmn, feel
from engine.models.lint import RULES
from tests.unit.models.broken import BROKEN
from web.problems import PLACE, SOURCE, catalogue, said, told

ROOT = Path(__file__).parents[2]
PLACES = [  # where problems are worded
    *sorted((ROOT / "engine/models/rules").glob("*.py")),
    *(ROOT / "engine/models" / f"{name}.py" for name in ("deploy", "events", "files", "lint", "normalise", "read", "vendors", "xml")),
    *(ROOT / "engine/execution" / f"{name}.py" for name in ("compile", "play", "scenario", "starts")),
    *(ROOT / "engine/execution/dmn" / f"{name}.py" for name in ("lint", "reading", "tables", "texts")),
    *(ROOT / "forms" / f"{name}.py" for name in ("document", "inspection")),
    *sorted((ROOT / "forms/widgets").glob("*.py")),
]
RAISED = {"NotFound", "ExpressionFailed", "ValueError"}  # these are not problems of a file
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def sentences(file: Path) -> Iterator[str]:
    """The texts of a file that are said as problems: sentences with {0}, {1} … for their parts, without `name: ` before them."""
    waiting: list[ast.AST] = [ast.parse(file.read_text())]
    while waiting:
        node = waiting.pop()
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            inner = [part for part in inner if part is not node.body[0]]
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and getattr(node.exc.func, "id", "") in RAISED:
            continue
        if isinstance(node, ast.JoinedStr):
            inner = [part for part in node.values if not isinstance(part, ast.Constant)]
        waiting += inner
        text = template(node)
        if " " in text and (text.endswith(".") or re.search(r"[a-z]: \{\d\}$", text)):
            yield text


def template(node: ast.AST) -> str:
    """A string with {0}, {1} … where it has values; '' for what is no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    places = iter(range(10))
    texts = [str(part.value) if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values]
    if len(texts) > 2 and texts[0] == "{0}" and texts[1].startswith(": ") and len(texts[1]) > 2:
        after = re.sub(r"\{(\d)\}", lambda place: f"{{{int(place[1]) - 1}}}", "".join(texts[1:]))
        return after.removeprefix(": ")
    if len(texts) == 2 and texts[0] == "{0}":
        return texts[1].removeprefix(": ") if texts[1].startswith(": ") else "".join(texts)
    return "".join(texts)


def known() -> set[str]:
    """Every sentence and half-sentence of the catalogue."""
    return set(re.findall(r'^msgid "(.+)"$', SOURCE.read_text(), re.MULTILINE))


def test_every_sentence_has_its_chinese() -> None:
    there = {text.replace('\\"', '"').replace("\\\\", "\\") for text in known()}
    missing = {f"{file.name}: {text}" for file in PLACES for text in sentences(file) if text not in there}
    assert sorted(missing) == []


def test_the_extraction_sees_the_rules() -> None:
    found = {text for file in PLACES for text in sentences(file)}
    assert {"The flow's {0} {1} does not exist.", "Draw where it starts.", "no rule covers {0}.", "{0} is not an option."} <= found
    assert {rule.fix for rule in RULES.values()} <= found


def test_parts_survive_translation() -> None:
    for sentences_ in catalogue():
        for pattern, chinese in sentences_.patterns:
            assert {int(place[1]) for place in PLACE.finditer(chinese)} == set(range(pattern.groups)), chinese
        assert all(CHINESE.search(text) for text in sentences_.fixed.values())


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rules_breach_is_told_in_chinese(rule: str) -> None:
    found = check.check({"x.bpmn": BROKEN[rule]}, known=lambda *_: False)
    for problem in told(found, "zh"):
        assert CHINESE.search(problem.message), problem
        assert CHINESE.search(problem.fix), problem
    assert told(found, "en") == found


def test_parts_that_are_words_are_translated_and_names_are_not() -> None:
    assert said("The flow's target target does not exist.", "zh") == "顺序流的目标 target 不存在。"
    assert said("A process cannot be started by error or escalation.", "zh") == "流程不能由错误或升级启动。"
    assert (
        said("The decision fee tagged winter is neither among the files nor deployed.", "zh")
        == "决策 fee（版本标签 winter） 既不在所给文件中，也没有部署。"
    )


def test_syntax_errors_say_where_they_are() -> None:
    [fault] = feel.check_syntax("[1,")
    assert said(f"The condition '[1,' cannot be read: {fault}", "zh") == "无法读懂条件 '[1,'：第 4 个字符处，列表没有写完"


def test_what_stands_before_the_sentence_stays() -> None:
    made = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n">
    <decision id="fee" name="Fee"><decisionTable hitPolicy="UNIQUE"><input id="i" label="Age"><inputExpression typeRef="number"><text>age</text>
    </inputExpression></input><output id="o" name="fee"/>
    <rule id="r1"><inputEntry><text>&lt; 5</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>
    <rule id="r2"><inputEntry><text>[3..9]</text></inputEntry><outputEntry><text>2</text></outputEntry></rule></decisionTable></decision></definitions>"""
    messages = {p.rule: p.message for p in told(dmn.problems(dmn.read(made), [], "x.dmn"), "zh")}
    assert messages["dmn-overlap"] == "Fee：命中策略是 UNIQUE，但当 Age 为 3时，规则 1 和 2 会同时命中。"
    assert messages["dmn-gap"] == "Fee：没有规则覆盖 Age：> 9。"


def test_forms_are_judged_in_chinese_too() -> None:
    [problem] = told(forms.problems(b'{"components": [{"type": "filepicker", "id": "f"}]}'), "zh")
    assert CHINESE.search(problem.message)
    assert CHINESE.search(problem.fix)


def test_what_has_no_translation_stays_as_it_is() -> None:
    problem = Problem("x", "Something: entirely new.", "Do: something.")
    assert told([problem], "zh") == [problem]
