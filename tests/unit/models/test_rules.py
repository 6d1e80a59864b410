"""Each rule finds what it is there for, and a sound model breaks none."""

from __future__ import annotations

import pytest

from engine.models.lint import RULES, check
from engine.models.read import read
from tests.unit.models.broken import BROKEN, SEVERAL_FILES
from tests.unit.models.drawing import MESSAGE, PLAIN, ZEEBE, draw, event, extensions, timer, when

SOUND = draw(
    "s:startEvent u:userTask x:exclusiveGateway c:serviceTask g:eventBasedGateway n:intermediateCatchEvent t:intermediateCatchEvent"
    " b:boundaryEvent y:exclusiveGateway e:endEvent f:endEvent",
    "s>u>x>c>g>n>y>e x>y g>t>y b>f",
    {
        "u": extensions('<zeebe:formDefinition formId="vitals"/><zeebe:assignmentDefinition candidateGroups="triage_nurse"/>'),
        "c": extensions('<zeebe:taskDefinition type="notify"/>'),
        "x_c": when("=acuity &lt; 3"),
        "n": event("message", messageRef="m"),
        "t": timer("=wait"),
        "b": timer("PT30M"),
    },
    {"x": 'default="x_y"', "b": 'attachedToRef="u"'},
    top=MESSAGE,
)


def feel(expression: str) -> list[str]:
    """A checker that objects to one word only."""
    return ["it is broken"] if "broken" in expression else []


def rules_broken(xml: bytes) -> set[str]:
    return {p.rule for p in check({"x.bpmn": xml}, feel=feel, connectors={"notify"})}


def test_a_sound_model_breaks_no_rule() -> None:
    form = b'{"id": "vitals", "components": []}'
    assert check({"x.bpmn": SOUND, "vitals.form": form}, feel=feel, connectors={"notify"}, known=lambda kind, key, tag: False) == []


def test_every_rule_has_a_file_that_breaks_it() -> None:
    assert sorted(RULES.keys() - SEVERAL_FILES - BROKEN.keys()) == []
    assert sorted(BROKEN.keys() - RULES.keys()) == []


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_finds_its_breach(rule: str) -> None:
    assert rule in rules_broken(BROKEN[rule])


@pytest.mark.parametrize("rule", BROKEN)
def test_what_breaks_a_rule_can_still_be_read(rule: str) -> None:
    read(BROKEN[rule])


def test_every_rule_says_what_it_holds_and_how_to_mend_it() -> None:
    for rule in RULES.values():
        assert rule.title.endswith("."), rule.id
        assert rule.fix.endswith("."), rule.id


def test_formal_rules_only_warn_in_a_dialect() -> None:
    nodes, flows = "s:startEvent a:task", "s>a"
    severities = {
        dialect: next(p.severity for p in check({"x.bpmn": draw(nodes, flows, dialect=dialect)}) if p.rule == "end-missing")
        for dialect in (PLAIN, ZEEBE)
    }
    assert severities == {PLAIN: "error", ZEEBE: "warning"}


def test_what_only_matters_to_running_warns_in_a_drawing() -> None:
    nodes, flows = "s:startEvent a:complexGateway b:task c:task e:endEvent", "s>a>b>e a>c>e"
    for executable, severity in (("true", "error"), ("false", "warning")):
        problems = check({"x.bpmn": draw(nodes, flows, process=f'isExecutable="{executable}"')})
        assert [p.severity for p in problems if p.rule == "not-supported"] == [severity]


def test_a_finding_names_file_element_type_reason_and_mend() -> None:
    [problem] = [p for p in check({"x.bpmn": BROKEN["end-kind"]}) if p.rule == "end-kind"]
    assert (problem.file, problem.element, problem.element_type) == ("x.bpmn", "e", "endEvent")
    assert "timer" in problem.message
    assert problem.fix


def test_errors_come_first_and_nothing_twice() -> None:
    problems = check({"x.bpmn": BROKEN["start-kind"]})
    assert [p.severity for p in problems] == sorted(p.severity for p in problems)
    assert len(problems) == len(set(problems))


def severity_of(rule: str, xml: bytes) -> str | None:
    return next((p.severity for p in check({"x.bpmn": xml}) if p.rule == rule), None)


def test_a_loop_may_be_left_by_what_ends_everything_around_it() -> None:
    nodes, flows = "s:startEvent x:parallelGateway a:task b:scriptTask c:scriptTask e:endEvent", "s>x>a>e x>b>c>b"
    assert severity_of("endless", draw(nodes, flows)) == "error"
    assert severity_of("endless", draw(nodes, flows, {"e": event("terminate")})) is None
    assert severity_of("endless", draw(nodes.replace("b:scriptTask", "b:userTask"), flows)) == "warning"


def test_message_flows_are_drawings_in_a_dialect() -> None:
    def pools(dialect: str) -> bytes:
        top = '<collaboration id="c"><participant id="P" processRef="p"/><participant id="Q"/><messageFlow id="f" sourceRef="Q" targetRef="s"/>'
        return draw("s:startEvent e:endEvent", "s>e", top=f"{top}</collaboration>", dialect=dialect)

    assert [severity_of("message-flow-trigger", pools(d)) for d in (PLAIN, ZEEBE)] == ["error", "warning"]


def test_languages_are_told_by_name_type_and_address() -> None:
    def severity(said: str) -> str | None:
        script = draw("s:startEvent a:scriptTask e:endEvent", "s>a>e", {"a": "<script>x</script>"}, {"a": f'scriptFormat="{said}"'})
        return severity_of("script-language", script)

    foreign = ("python", "Groovy", "text/javascript", "application/x-python", "http://www.java.com/java", "http://www.w3.org/1999/XPath")
    assert {said: severity(said) for said in foreign} == dict.fromkeys(foreign, "error")
    assert [severity(said) for said in ("feel", "text/feel", "https://www.omg.org/spec/DMN/20191111/FEEL/", "juel")] == [None] * 4
    assert severity("someLanguage") == "warning"


def test_scripts_of_an_engine_that_speaks_python_are_not_taken_for_feel() -> None:
    dialect = PLAIN + ' xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core"'
    script = draw("s:startEvent a:scriptTask e:endEvent", "s>a>e", {"a": "<script>x = 1</script>"}, dialect=dialect)
    assert severity_of("script-language", script) == "error"
