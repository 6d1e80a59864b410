"""What changed between two versions, in the words of the model."""

from __future__ import annotations

from engine.models.diff import Change, diff
from tests.unit.models.drawing import MESSAGE, draw, event, extensions, timer, when

LINE = ("s:startEvent a:userTask e:endEvent", "s>a>e")


def places(**at: str) -> str:
    """A drawing with shapes at those places."""
    shapes = "".join(
        f'<di:BPMNShape bpmnElement="{key}"><dc:Bounds xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" x="{x}" y="{y}" width="1" height="1"/>'
        "</di:BPMNShape>"
        for key, (x, y) in ((key, place.split(",")) for key, place in at.items())
    )
    return f'<di:BPMNDiagram xmlns:di="http://www.omg.org/spec/BPMN/20100524/DI"><di:BPMNPlane>{shapes}</di:BPMNPlane></di:BPMNDiagram>'


def test_the_same_file_has_no_changes() -> None:
    assert diff(draw(*LINE), draw(*LINE)) == []


def test_elements_and_flows_are_added_and_removed() -> None:
    assert diff(draw(*LINE), draw("s:startEvent b:task e:endEvent", "s>b>e")) == [
        Change("removed", "a", "userTask", None),
        Change("added", "b", "task", None),
        Change("removed", "s_a", "sequenceFlow", None, "flow", "s → a", None),
        Change("removed", "a_e", "sequenceFlow", None, "flow", "a → e", None),
        Change("added", "s_b", "sequenceFlow", None, "flow", None, "s → b"),
        Change("added", "b_e", "sequenceFlow", None, "flow", None, "b → e"),
    ]


def test_each_changed_property_is_told_with_old_and_new() -> None:
    def task(form: str, role: str, zh: str, due: str) -> bytes:
        body = extensions(
            f'<zeebe:formDefinition formId="{form}"/><zeebe:assignmentDefinition candidateGroups="{role}"/><zeebe:taskSchedule dueDate="{due}"/>'
            f'<zeebe:properties><zeebe:property name="carelane:name:zh" value="{zh}"/></zeebe:properties>'
            f'<zeebe:ioMapping><zeebe:input source="={form}" target="x"/></zeebe:ioMapping>'
        )
        return draw(*LINE, {"a": body}, {"a": f'name="{form}"'})

    changes = diff(task("vitals", "doctor", "体征", "=a"), task("triage", "triage_nurse", "分诊", "=b"))
    assert [(c.kind, c.element, c.property, c.old, c.new) for c in changes] == [
        ("changed", "a", "name", "vitals", "triage"),
        ("changed", "a", "form", "vitals", "triage"),
        ("changed", "a", "role", "doctor", "triage_nurse"),
        ("changed", "a", "due", "=a", "=b"),
        ("changed", "a", "input x", "=vitals", "=triage"),
        ("changed", "a", "property carelane:name:zh", "体征", "分诊"),
    ]


def test_conditions_timers_decisions_calls_and_loops() -> None:
    nodes, flows = "x:exclusiveGateway b:businessRuleTask c:callActivity t:intermediateCatchEvent", "x>b x>c>t"

    def version(n: int) -> bytes:
        loop = extensions(f'<zeebe:loopCharacteristics inputCollection="=xs{n}"/>')
        return draw(nodes, flows, {
            "x_b": when(f"= n &gt; {n}"),
            "b": extensions(f'<zeebe:calledDecision decisionId="d{n}" resultVariable="r"/>'),
            "c": extensions(f'<zeebe:calledElement processId="p{n}"/>') + f"<multiInstanceLoopCharacteristics>{loop}"
                 "</multiInstanceLoopCharacteristics>",
            "t": timer(f"PT{n}M"),
        })  # fmt: skip

    changed = {(c.element, c.property, c.old, c.new) for c in diff(version(1), version(2))}
    assert changed == {
        ("x_b", "condition", "n > 1", "n > 2"),
        ("b", "decision", "d1", "d2"),
        ("c", "calls processId", "p1", "p2"),
        ("c", "loop collection", "xs1", "xs2"),
        ("t", "timer", "PT1M", "PT2M"),
    }


def test_another_trigger_is_told_once_for_each_word() -> None:
    catch = ("c:intermediateCatchEvent", "")
    changes = diff(draw(*catch, {"c": timer("PT1M")}), draw(*catch, {"c": event("message", messageRef="m")}, top=MESSAGE))
    assert {(c.property, c.old, c.new) for c in changes} == {
        ("trigger", "timer", "message"),
        ("eventName", None, "news"),
        ("correlationKey", None, "orderId"),
        ("timerKind", "duration", None),
        ("timer", "PT1M", None),
    }


def test_a_flow_that_leads_elsewhere_keeps_its_identity() -> None:
    nodes = "a:task b:task c:task"
    old = draw(nodes, extra='<sequenceFlow id="f" sourceRef="a" targetRef="b"/>')
    new = draw(nodes, extra='<sequenceFlow id="f" sourceRef="a" targetRef="c"/>')
    assert diff(old, new) == [Change("changed", "f", "sequenceFlow", None, "target", "b", "c")]


def test_moving_into_a_subprocess_and_moving_in_the_drawing() -> None:
    inside = draw("", extra='<task id="a"/><subProcess id="u"/>')
    outside = draw("", extra='<subProcess id="u"><task id="a"/></subProcess>')
    assert diff(inside, outside) == [Change("moved", "a", "task", None, "parent", None, "u")]
    here, there = (draw("a:task").replace(b"</definitions>", places(a=at).encode() + b"</definitions>") for at in ("1,2", "3,2"))
    assert diff(here, there) == [Change("moved", "a", "task", None, "place", "1,2", "3,2")]


def test_the_process_itself_changes() -> None:
    changes = diff(draw("a:task", process='name="Visit"'), draw("a:task", process='name="Outpatient visit" isExecutable="false"'))
    assert {(c.element_type, c.property, c.old, c.new) for c in changes} == {
        ("process", "name", "Visit", "Outpatient visit"),
        ("process", "executable", "true", "false"),
    }


def test_a_new_process_in_the_file_is_added_with_what_it_holds() -> None:
    two = draw("a:task", top='<process id="q"><task id="b"/></process>')
    assert [(c.kind, c.element) for c in diff(draw("a:task"), two)] == [("added", "q"), ("added", "b")]
    assert [(c.kind, c.element) for c in diff(two, draw("a:task"))] == [("removed", "q"), ("removed", "b")]
