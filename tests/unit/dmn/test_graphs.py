"""Requirement graphs, boxed expressions, types and imports."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ExpressionFailed
from engine.execution import dmn
from tests.unit.dmn.models import decision, input_data, literal, model

CONTEXT = (
    "<context>"
    '<contextEntry><variable name="gross pay"/><literalExpression><text>hours * 10</text></literalExpression></contextEntry>'
    '<contextEntry><variable name="tax"/><literalExpression><text>gross pay / 5</text></literalExpression></contextEntry>'
    "{}</context>"
)
RESULT = "<contextEntry><literalExpression><text>gross pay - tax</text></literalExpression></contextEntry>"


def value(logic: str, inputs: dict[str, Any] | None = None, type_: str = "", *more: str) -> Any:
    """What a decision of that logic comes to, given inputs."""
    names = list(inputs or {})
    made = model(*map(input_data, names), *more, decision("D", logic, *names, type_=type_))
    return dmn.decide(made, "D", inputs or {}).result


def box(text: str) -> str:
    return literal(text)


def test_decisions_build_on_decisions_and_inputs() -> None:
    made = model(
        input_data("Weight kg", "number"),
        input_data("Height m", "number"),
        decision("Body Mass Index", literal("Weight kg / Height m ** 2"), "Weight kg", "Height m"),
        decision("Obese", literal("Body Mass Index > 30"), "!Body Mass Index"),
    )
    assert dmn.decide(made, "Obese", {"Weight kg": 100, "Height m": 1.7}).result is True
    assert dmn.decide(made, "Body_Mass_Index", {"Weight kg": 80, "Height m": 2}).result == 20


def test_a_decision_sees_only_what_it_requires() -> None:
    made = model(input_data("a"), input_data("b"), decision("D", literal("[a, b]"), "a"))
    decided = dmn.decide(made, "D", {"a": 1, "b": 2})
    assert decided.result == [1, None]
    assert "Variable 'b' not found" in decided.warnings[0]


def test_a_knowledge_model_is_called_by_name_and_may_recurse() -> None:
    knowledge = (
        '<businessKnowledgeModel id="factorial" name="factorial"><variable name="factorial"/><encapsulatedLogic>'
        '<formalParameter name="n" typeRef="number"/>'
        "<literalExpression><text>if n &lt; 2 then 1 else n * factorial(n - 1)</text></literalExpression></encapsulatedLogic>"
        '<knowledgeRequirement><requiredKnowledge href="#factorial"/></knowledgeRequirement></businessKnowledgeModel>'
    )
    made = model(knowledge, decision("D", literal('[factorial(5), factorial("a"), factorial(n: 3)]'), "@factorial"))
    assert dmn.decide(made, "D", {}).result == [120, None, 6]
    assert dmn.decide(made, "factorial", {"n": 4}).result == 24


def test_a_decision_service_replaces_what_its_inputs_would_be() -> None:
    service = (
        '<decisionService id="S" name="S"><variable name="S"/><outputDecision href="#Fee"/>'
        '<encapsulatedDecision href="#Rate"/><inputData href="#base"/></decisionService>'
    )
    made = model(
        input_data("base", "number"),
        decision("Rate", literal("base / 10"), "base"),
        decision("Fee", literal("base + Rate"), "base", "!Rate"),
        decision("D", literal("S(100)"), "@S"),
        service,
    )
    assert dmn.decide(made, "D", {"base": 1}).result == 110
    assert dmn.decide(made, "S", {"base": 50}).result == 55


def test_boxed_context_with_and_without_a_result() -> None:
    assert value(CONTEXT.format(""), {"hours": 10}) == {"gross pay": 100, "tax": 20}
    assert value(CONTEXT.format(RESULT), {"hours": 10}) == 80


def test_boxed_list_relation_and_invocation() -> None:
    rows = "".join(f"<row>{box(code)}{box(price)}</row>" for code, price in (('"GLU"', "3"), ('"CBC"', "25")))
    relation = f'<relation><column name="code"/><column name="price"/>{rows}</relation>'
    assert value(relation) == [{"code": "GLU", "price": 3}, {"code": "CBC", "price": 25}]
    assert value(f"<list>{box('1')}{box('x')}</list>", {"x": 2}) == [1, 2]
    bindings = "".join(f'<binding><parameter name="{name}"/>{box(text)}</binding>' for name, text in (("b", "1"), ("a", "9")))
    assert value(f"<invocation>{box('function(a, b) a - b')}{bindings}</invocation>") == 8


def test_boxed_conditional_filter_for_some_and_every() -> None:
    yes, no = box('"y"'), box('"n"')
    assert value(f"<conditional><if>{box('x > 1')}</if><then>{yes}</then><else>{no}</else></conditional>", {"x": 2}) == "y"
    assert value(f"<filter><in>{box('x')}</in><match>{box('item > 1')}</match></filter>", {"x": [1, 2, 3]}) == [2, 3]
    assert value(f'<for iteratorVariable="i"><in>{box("[1..3]")}</in><return>{box("i * i")}</return></for>') == [1, 4, 9]
    within = f"<in>{box('x')}</in><satisfies>{box('i = 2')}</satisfies>"
    assert value(f'<some iteratorVariable="i">{within}</some>', {"x": [1, 2]}) is True
    assert value(f'<every iteratorVariable="i">{within}</every>', {"x": [1, 2]}) is False


PERSON = (
    '<itemDefinition name="tPerson"><itemComponent name="full name"><typeRef>string</typeRef></itemComponent>'
    '<itemComponent name="age"><typeRef>number</typeRef></itemComponent></itemDefinition>'
)
LEVEL = '<itemDefinition name="tLevel"><typeRef>string</typeRef><allowedValues><text>"red", "green"</text></allowedValues></itemDefinition>'
NUMBERS = '<itemDefinition name="tNumbers" isCollection="true"><typeRef>number</typeRef></itemDefinition>'


@pytest.mark.parametrize(
    ("text", "type_", "result"),
    [
        ('{full name: "W", age: 3}', "tPerson", {"full name": "W", "age": 3}),
        ('{full name: "W", age: 3, more: 1}', "tPerson", {"full name": "W", "age": 3, "more": 1}),
        ('{full name: "W"}', "tPerson", None),
        ('{full name: "W", age: "3"}', "tPerson", None),
        ('"red"', "tLevel", "red"),
        ('"blue"', "tLevel", None),
        ("[1, 2]", "tNumbers", [1, 2]),
        ('[1, "a"]', "tNumbers", None),
        ("5", "tNumbers", [5]),
        ('["a"]', "string", "a"),
        ('@"2026-01-01"', "dateTime", "datetime"),
        ("1", "string", None),
    ],
)
def test_results_are_held_to_their_type(text: str, type_: str, result: object) -> None:
    made = model(PERSON, LEVEL, NUMBERS, decision("D", literal(text), type_=type_))
    decided = dmn.decide(made, "D", {})
    assert (decided.result.isoformat()[:10] == "2026-01-01") if result == "datetime" else decided.result == result
    assert bool(decided.warnings) is (result is None)


def test_names_inside_a_declared_type_are_known_even_when_the_value_is_missing() -> None:
    made = model(PERSON, input_data("who", "tPerson"), decision("D", literal("who.full name"), "who"))
    assert dmn.decide(made, "D", {}).result is None
    assert dmn.decide(made, "D", {"who": {"full name": "Wang", "age": 1}}).result == "Wang"


def test_instance_of_knows_the_models_types() -> None:
    made = model(PERSON, LEVEL, decision("D", literal('[{full name: "W", age: 3} instance of tPerson, "blue" instance of tLevel]')))
    assert dmn.decide(made, "D", {}).result == [True, False]


def test_an_imported_models_elements_are_seen_under_their_alias() -> None:
    base = model(input_data("age", "number"), decision("Adult", literal("age >= 18"), "age"), PERSON, namespace="base")
    importing = model(
        '<import name="b" namespace="base" importType="https://www.omg.org/spec/DMN/20191111/MODEL/"/>',
        decision("D", literal("b.Adult and true"), "!base#Adult"),
    )
    assert dmn.decide([importing, base], "D", {"age": 20}).result is True


def test_a_graph_that_requires_itself_fails_loudly() -> None:
    made = model(decision("A", literal("B"), "!B"), decision("B", literal("A"), "!A"))
    with pytest.raises(ExpressionFailed, match="requires itself"):
        dmn.decide(made, "A", {})


def test_every_version_of_the_standard_is_read() -> None:
    for xmlns in (
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
        "http://www.omg.org/spec/DMN/20180521/MODEL/",
        "https://www.omg.org/spec/DMN/20191111/MODEL/",
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
    ):
        assert dmn.decide(model(decision("D", literal("1 + 1")), xmlns=xmlns), "D", {}).result == 2
