"""Gaps are filled where only one reading makes sense, and always said aloud."""

from __future__ import annotations

from engine.models.read import Document, document
from tests.unit.models.drawing import MESSAGE, PLAIN, ZEEBE, draw, event, when

XOR = ("x:exclusiveGateway a:task b:task c:task", "x>a x>b x>c")


def said(found: Document) -> list[tuple[str, str]]:
    return [(p.rule, p.severity) for p in found.problems]


def test_the_one_flow_without_a_condition_is_the_default() -> None:
    found = document(draw(*XOR, {"x_a": when("n = 1"), "x_c": when("n = 2")}))
    assert found.models[0].elements["x"].default == "x_b"
    assert said(found) == [("assumed-default", "warning")]


def test_of_several_flows_without_a_condition_plain_bpmn_takes_the_first_and_a_dialect_must_say() -> None:
    plain, dialect = (document(draw(*XOR, dialect=d)).models[0] for d in (PLAIN, ZEEBE))
    assert plain.elements["x"].default == "x_a"
    assert [plain.flows[f].condition for f in ("x_a", "x_b", "x_c")] == [None, "false", "false"]
    assert dialect.elements["x"].default is None


def test_a_marked_default_is_left_alone() -> None:
    found = document(draw(*XOR, {"x_a": when("n = 1"), "x_c": when("n = 2")}, {"x": 'default="x_b"'}))
    assert (found.models[0].elements["x"].default, said(found)) == ("x_b", [])


def test_a_timer_without_a_value_is_an_error_where_it_would_run_and_a_warning_in_a_drawing() -> None:
    for executable, severity in (("true", "error"), ("false", "warning")):
        found = document(draw("s:startEvent", "", {"s": event("timer")}, process=f'isExecutable="{executable}"'))
        assert said(found) == [("timer-empty", severity)]
        assert found.models[0].elements["s"].events[0].value == "PT1H"


def test_a_receive_task_without_a_message_never_passes_at_once() -> None:
    for dialect, rule in ((ZEEBE, ("message-missing", "error")), (PLAIN, ("assumed-message", "warning"))):
        found = document(draw("r:receiveTask", attributes={"r": 'name="The answer"'}, dialect=dialect))
        assert [(e.kind, e.name) for e in found.models[0].elements["r"].events] == [("message", "The answer")]
        assert said(found) == [rule]


def test_events_that_share_a_definition_without_a_message_mean_the_same_one() -> None:
    ref = {"a": "<eventDefinitionRef>shared</eventDefinitionRef>", "b": "<eventDefinitionRef>shared</eventDefinitionRef>"}
    found = document(draw("a:startEvent b:intermediateCatchEvent", "", ref, top='<messageEventDefinition id="shared"/>', dialect=PLAIN))
    assert {e.events[0].name for e in found.models[0].elements.values()} == {"shared"}


def test_several_things_are_thrown_one_after_the_other_and_what_ends_all_comes_last() -> None:
    inside = {"e": event("terminate") + event("signal", signalRef="g") + event("message", messageRef="m")}
    found = document(draw("s:startEvent e:endEvent", "s>e", inside, top=MESSAGE + '<signal id="g" name="closing"/>'))
    model, path, key = found.models[0], [], "s"
    while model.elements[key].outgoing:
        [flow] = model.elements[key].outgoing
        key = model.flows[flow].target
        assert flow in model.elements[key].incoming
        path.append((key, model.elements[key].type, [e.kind for e in model.elements[key].events]))
    assert path == [
        ("e:1", "intermediateThrowEvent", ["signal"]),
        ("e:2", "intermediateThrowEvent", ["message"]),
        ("e", "endEvent", ["terminate"]),
    ]
    assert said(found) == [("assumed-order", "warning")]


def test_reading_the_same_file_twice_gives_the_same() -> None:
    xml = draw(*XOR, dialect=PLAIN)
    assert document(xml).models == document(xml).models
