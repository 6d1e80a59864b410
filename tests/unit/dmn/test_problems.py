"""What is found wrong with a decision model before it is deployed."""

from __future__ import annotations

import pytest

from engine.errors import InvalidModel
from engine.execution import dmn
from tests.unit.dmn.models import decision, input_data, literal, model, table, xml


def rules_of(*elements: str) -> list[str]:
    return [problem.rule for problem in dmn.problems(model(*elements))]


def of_table(logic: str) -> list[str]:
    return rules_of(input_data("age", "number"), input_data("risk", "string"), decision("Level", logic, "age", "risk"))


def test_a_sound_table_has_no_problems() -> None:
    rules = ['< 18 | - | "child"', '[18..65) | "high" | "a"', '[18..65) | not("high") | "b"', '>= 65 | - | "c"']
    assert of_table(table(["age:number", "risk:string"], ["level:string"], rules)) == []


def test_overlap_is_found_and_told_with_an_example() -> None:
    logic = table(["age:number", "risk:string"], ["level"], ['<= 18 | - | "a"', '>= 18 | "high" | "b"', '> 18 | not("high") | "c"'])
    found = dmn.problems(model(input_data("age"), input_data("risk"), decision("Level", logic, "age", "risk")))
    assert [(one.rule, one.element) for one in found if one.severity == "error"] == [("dmn-overlap", "r2")]
    assert 'age is 18 and risk is "high"' in found[0].message


def test_gaps_are_warned_of_with_an_example() -> None:
    logic = table(["age:number"], ["level"], ['< 18 | "a"', '> 18 | "b"'])
    found = dmn.problems(model(input_data("age"), decision("Level", logic, "age")))
    assert [(one.rule, one.severity) for one in found] == [("dmn-gap", "warning")]
    assert "age: 18" in found[0].message


@pytest.mark.parametrize(
    ("logic", "rule"),
    [
        (table(["age:number"], ["x"], ["< 18 | 1"]), "dmn-gap"),
        (table(["age:number:[0..120]"], ["x"], ["[0..60] | 1", "(60..120] | 2"]), ""),
        (table(["age:number"], ["x"], ["<= 17 | 1", ">= 18 | 2"]), ""),
        (table(["age:number"], ["x"], ["< 17.5 | 1", "> 18 | 2"]), "dmn-gap"),
        (table(["risk:string"], ["x"], ['"a" | 1', 'not("a") | 2']), ""),
        (table(["risk:string"], ["x"], ['"a" | 1', '"b" | 2']), "dmn-gap"),
        (table(['risk:string:"a","b"'], ["x"], ['"a" | 1', '"b" | 2']), ""),
        (table(['risk:string:"a","b"'], ["x"], ['"a" | 1', '"b" | 2', '"c" | 3']), "dmn-never-matches"),
        (table(["age:number"], ["x"], ['"18" | 1', "- | 2"], "FIRST"), "dmn-never-matches"),
        (table(["age > 3:boolean"], ["x"], ["true | 1", "false | 2"]), ""),
        (table(["age:number"], ["x"], ["< 1 | 1"], "FIRST"), "dmn-gap"),
        (table(["age:number"], ["x:::0"], ["< 1 | 1"], "FIRST"), ""),
        (table(["age:number"], ["x"], ["< 1 | 1"], "COLLECT"), ""),
        (table(["age:number"], ["x"], ["age + ( | 1"], "FIRST"), "dmn-syntax"),
        (table(["age:number"], ["x"], ["- | 1 +"], "FIRST"), "dmn-syntax"),
        (table(["age:number"], ["x"], ["- | high"], "FIRST"), "dmn-unknown-name"),
        (table(["height:number"], ["x"], ["- | 1"], "FIRST"), "dmn-unknown-name"),
        (table(["age:tNope"], ["x"], ["- | 1"], "BEST"), "dmn-hit-policy"),
        (table(["age:number"], ["x"], ["- | 1"], "FIRST", aggregation="SUM"), "dmn-aggregation"),
        (table(["age:number"], ["x"], ["- | 1"], "PRIORITY"), "dmn-priority"),
        (table(["age:number"], [], ["- "], "FIRST"), "dmn-outputs"),
        (table(["age:number"], ["x", ""], ["- | 1 | 2"], "FIRST"), "dmn-outputs"),
        (table(["age:number"], ["x"], ["- | 1 | 2"], "FIRST"), "dmn-cells"),
        (table(["age:number"], ["x"], []), "dmn-no-rules"),
        (literal("age + ("), "dmn-syntax"),
        (literal("[1, 2][item > age]"), ""),
        (literal("for i in 1..3 return i * age"), ""),
        (literal("somebody.name"), "dmn-unknown-name"),
        (literal(" "), "dmn-empty"),
        ('<literalExpression expressionLanguage="juel"><text>${age}</text></literalExpression>', "dmn-language"),
        ("", "dmn-no-logic"),
        ('<functionDefinition kind="Java"/>', "dmn-external"),
    ],
)
def test_each_rule(logic: str, rule: str) -> None:
    assert set(of_table(logic)) == ({rule} if rule else set())


def test_problems_of_the_graph() -> None:
    assert rules_of(decision("A", literal("1"), "nowhere")) == ["dmn-requirement"]
    assert rules_of(decision("A", literal("B"), "!B"), decision("B", literal("A"), "!A")) == ["dmn-cycle"]
    assert rules_of(decision("A", literal("1")), decision("A", literal("2"))) == ["dmn-name", "dmn-id"]
    assert rules_of(decision("A", literal("1"), type_="tNope")) == ["dmn-type"]
    assert rules_of('<import name="x" namespace="gone" importType="https://www.omg.org/spec/DMN/20191111/MODEL/"/>') == ["dmn-import"]


def test_a_lone_word_is_pointed_out_where_any_variable_may_come_from_outside() -> None:
    logic = table(["risk"], ["level"], ["high | 1", "- | 2"], "FIRST")
    assert rules_of(decision("Level", logic)) == ["dmn-bare-word"]


def test_a_model_made_for_camunda_sees_all_variables_and_is_only_warned() -> None:
    content = xml(input_data("Age"), decision("D", literal("age + 1"), "Age")).replace(
        b"<definitions", b'<definitions exporter="Camunda Modeler"'
    )
    made = dmn.read(content)
    assert dmn.decide(made, "D", {"age": 1}).result == 2
    assert [(one.rule, one.severity) for one in dmn.problems(made)] == [("dmn-unknown-name", "warning")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<definitions",
        b"<html/>",
        b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "b">]><definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/">&a;</definitions>',
        xml("<decision>" * 200 + "</decision>" * 200),
        xml("<!-- " + "x" * 2_100_000 + " -->"),
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"'.encode("utf-16"),
    ],
    ids=["empty", "cut", "html", "doctype", "deep", "big", "utf-16"],
)
def test_what_is_no_harmless_dmn_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidModel):
        dmn.read(content)
