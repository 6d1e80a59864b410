"""Decision tables: every hit policy, defaults, and what is loud."""

from __future__ import annotations

import pytest

from engine.errors import ExpressionFailed, NotFound
from engine.execution import dmn
from tests.unit.dmn.models import decision, input_data, model, table

SCORES = ["score >= 7 | 1", "score >= 4 | 2", "score >= 0 | 3"]


def triage(policy: str, rules: list[str], outputs: list[str] | None = None, **more: str) -> dmn.DecisionModel:
    """A table over `age` and `risk`."""
    logic = table(["age:number", "risk:string"], outputs or ["level"], rules, policy, **more)
    return model(input_data("age", "number"), input_data("risk", "string"), decision("Level", logic, "age", "risk"))


OVERLAPPING = ['>= 65 | - | "urgent"', '- | "high" | "urgent"', '>= 18 | "high", "low" | "normal"']


def decide(made: dmn.DecisionModel, age: object, risk: object) -> dmn.Decided:
    return dmn.decide(made, "Level", {"age": age, "risk": risk})


def test_unique_gives_the_one_rule_and_its_id() -> None:
    decided = decide(triage("UNIQUE", ['< 18 | - | "child"', '>= 18 | - | "adult"']), 18, None)
    assert decided.result == "adult"
    assert decided.hits == ("r2",)
    assert decided.trail[0].decision == "Level"
    assert decided.trail[0].number == 2


def test_unique_with_overlapping_rules_is_an_error_that_names_them() -> None:
    with pytest.raises(ExpressionFailed, match=r"UNIQUE.*1 \(r1\), 2 \(r2\), 3 \(r3\)"):
        decide(triage("UNIQUE", OVERLAPPING), 70, "high")


def test_first_gives_the_first_rule_that_applies() -> None:
    assert decide(triage("FIRST", OVERLAPPING), 70, "high").hits == ("r1",)


def test_any_accepts_rules_that_agree_and_refuses_others() -> None:
    assert decide(triage("ANY", OVERLAPPING), 12, "high").result == "urgent"
    with pytest.raises(ExpressionFailed, match="ANY"):
        decide(triage("ANY", OVERLAPPING), 70, "high")


def test_priority_follows_the_order_of_the_output_values() -> None:
    outputs = ['level:string:"normal","urgent"']
    assert decide(triage("PRIORITY", OVERLAPPING, outputs), 70, "high").result == "normal"
    assert decide(triage("OUTPUT ORDER", OVERLAPPING, outputs), 70, "high").result == ["normal", "urgent", "urgent"]


def test_rule_order_and_collect_give_lists_in_rule_order() -> None:
    for policy in ("RULE ORDER", "COLLECT"):
        decided = decide(triage(policy, OVERLAPPING), 70, "high")
        assert decided.result == ["urgent", "urgent", "normal"]
        assert decided.hits == ("r1", "r2", "r3")


@pytest.mark.parametrize(("aggregation", "result"), [("SUM", 350), ("MIN", 50), ("MAX", 200), ("COUNT", 3)])
def test_collect_aggregates(aggregation: str, result: int) -> None:
    rules = ["- | - | 100", ">= 18 | - | 200", "- | - | 50", "< 18 | - | 999"]
    assert decide(triage("COLLECT", rules, aggregation=aggregation), 20, None).result == result


def test_several_outputs_make_a_context() -> None:
    made = triage("FIRST", ['- | - | "a" | 1 + 1'], ["level", "weight:number"])
    assert decide(made, 1, "x").result == {"level": "a", "weight": 2}


def test_no_rule_gives_the_default_or_null() -> None:
    assert decide(triage("UNIQUE", ['> 90 | - | "a"']), 1, None).result is None
    assert decide(triage("UNIQUE", ['> 90 | - | "a"'], ['level:string::"none"']), 1, None).result == "none"


def test_cells_may_name_variables_and_ask_with_a_question_mark() -> None:
    made = triage("FIRST", ['> 10, 5 | starts with(?, "hi") | "a"', '= age | not("low") | "b"', '- | - | "c"'])
    assert decide(made, 5, "high").result == "a"
    assert decide(made, 7, "high").result == "b"
    assert decide(made, 7, "low").result == "c"


def test_a_value_that_the_table_does_not_allow_gives_null_with_a_warning() -> None:
    logic = table(['risk:string:"high","low"'], ["level"], ['- | "any"'], "FIRST")
    made = model(input_data("risk", "string"), decision("Level", logic, "risk"))
    decided = dmn.decide(made, "Level", {"risk": "medium"})
    assert decided.result is None
    assert "not among the values" in decided.warnings[0]


def test_a_broken_cell_names_decision_rule_and_text() -> None:
    with pytest.raises(ExpressionFailed, match=r"Level at r1.*`> \(`.*character"):
        decide(triage("FIRST", ['> ( | - | "a"']), 5, "x")


def test_a_decision_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound, match="Level"):
        dmn.decide(triage("FIRST", OVERLAPPING), "Nope", {})


def test_a_table_without_input_data_sees_all_variables_as_camunda_does() -> None:
    made = model(
        decision("first", table(["acuity"], ["fast"], ["<= 2 | true", "> 2 | false"])),
        decision("second", table(["first"], ["lane"], ['true | "red"', 'false | "green"']), "!first"),
    )
    assert dmn.decide(made, "second", {"acuity": 1}).result == "red"


def test_dates_given_as_text_are_read_by_the_inputs_type() -> None:
    logic = table(["born:date"], ["group"], ['>= date("2012-01-01") | "child"', '< date("2012-01-01") | "adult"'])
    made = model(input_data("born", "date"), decision("Group", logic, "born"))
    assert dmn.decide(made, "Group", {"born": "2020-05-01"}).result == "child"
