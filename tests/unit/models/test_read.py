"""A diagram becomes plain data in which every reference is resolved."""

from __future__ import annotations

from engine.models.elements import CalledElement, Element, ProcessModel, VariableMapping
from engine.models.read import document, read, role
from tests.unit.models.drawing import CAMUNDA, MESSAGE, PLAIN, draw, event, extensions, timer, when


def element(kind: str, body: str, attributes: str = "", **more: str) -> Element:
    """One element `x` of a process, read."""
    [model] = read(draw(f"x:{kind}", inside={"x": body}, attributes={"x": attributes}, **more))
    return model.elements["x"]


def only(xml: bytes) -> ProcessModel:
    [model] = read(xml)
    return model


def test_flows_keep_the_order_of_the_document() -> None:
    model = only(draw("x:exclusiveGateway a:task b:task", "x>b x>a", {"x_b": when("= n &gt; 1")}))
    assert model.elements["x"].outgoing == ("x_b", "x_a")
    assert model.elements["a"].incoming == ("x_a",)
    assert model.flows["x_b"].condition == "n > 1"


def test_a_user_task_says_who_when_and_with_which_form() -> None:
    task = element("userTask", extensions(
        '<zeebe:formDefinition formId="vitals"/><zeebe:assignmentDefinition candidateGroups="doctor,triage_nurse" assignee="=owner"/>'
        '<zeebe:taskSchedule dueDate="=due" followUpDate="2026-01-01T08:00:00Z"/><zeebe:priorityDefinition priority="=50"/>'
    ))  # fmt: skip
    assert (task.form_id, task.groups, task.assignee) == ("vitals", "doctor,triage_nurse", "=owner")
    assert (task.due, task.follow_up, task.priority) == ("=due", "2026-01-01T08:00:00Z", "=50")


def test_a_form_key_means_the_form() -> None:
    for key in ("camunda-forms:bpmn:vitals", "camunda-forms:deployment:forms/vitals.form", "vitals"):
        assert element("userTask", extensions(f'<zeebe:formDefinition formKey="{key}"/>')).form_id == "vitals"


def test_a_service_task_says_which_connector_with_what() -> None:
    task = element("serviceTask", extensions(
        '<zeebe:taskDefinition type="notify" retries="3"/><zeebe:ioMapping><zeebe:input source="=a" target="b"/>'
        '<zeebe:output source="=c" target="d"/></zeebe:ioMapping><zeebe:taskHeaders><zeebe:header key="k" value="v"/></zeebe:taskHeaders>'
    ), 'zeebe:modelerTemplate="T"')  # fmt: skip
    assert (task.job_type, task.retries, task.template) == ("notify", "3", "T")
    assert (task.inputs, task.outputs) == ((VariableMapping("=a", "b"),), (VariableMapping("=c", "d"),))
    assert task.headers == {"k": "v"}


def test_scripts_and_decisions_are_feel() -> None:
    script = element("scriptTask", extensions('<zeebe:script expression="= 1 + 1" resultVariable="two"/>'))
    assert (script.script, script.result_variable) == ("1 + 1", "two")
    decision = element("businessRuleTask", extensions('<zeebe:calledDecision decisionId="acuity" resultVariable="acuity"/>'))
    assert (decision.decision_id, decision.result_variable, decision.decision_binding) == ("acuity", "acuity", "latest")


def test_a_call_is_bound_to_a_version_tag() -> None:
    call = element("callActivity", extensions(
        '<zeebe:calledElement processId="exam" propagateAllChildVariables="false" bindingType="versionTag" versionTag="to-be"/>'
    ))  # fmt: skip
    assert call.called == CalledElement("exam", "versionTag", "to-be", all_in=True, all_out=False)


def test_a_multi_instance_runs_over_a_collection() -> None:
    loop = element("userTask", '<multiInstanceLoopCharacteristics isSequential="true">' + extensions(
        '<zeebe:loopCharacteristics inputCollection="=orders" inputElement="order" outputCollection="done" outputElement="=order.id"/>'
    ) + '<completionCondition xsi:type="tFormalExpression">=enough</completionCondition></multiInstanceLoopCharacteristics>').loop  # fmt: skip
    assert loop is not None
    assert (loop.kind, loop.parallel, loop.collection, loop.element) == ("multi", False, "orders", "order")
    assert (loop.output_collection, loop.output_element, loop.completion) == ("done", "order.id", "enough")


def test_a_standard_loop_has_a_condition_and_a_maximum() -> None:
    body = '<standardLoopCharacteristics testBefore="true" loopMaximum="3"><loopCondition>=go</loopCondition></standardLoopCharacteristics>'
    loop = element("task", body).loop
    assert loop is not None
    assert (loop.kind, loop.test_before, loop.maximum, loop.condition) == ("standard", True, 3, "go")


def test_a_message_is_resolved_with_its_correlation_key() -> None:
    [message] = element("intermediateCatchEvent", event("message", messageRef="m"), top=MESSAGE).events
    assert (message.kind, message.ref, message.name, message.correlation) == ("message", "m", "news", "orderId")
    assert element("receiveTask", "", 'messageRef="m"', top=MESSAGE).events[0].name == "news"


def test_errors_and_escalations_are_known_by_their_codes() -> None:
    [error] = element("endEvent", event("error", errorRef="x1"), top='<error id="x1" name="Refused" errorCode="E1"/>').events
    [nameless] = element("endEvent", event("escalation", escalationRef="x2"), top='<escalation id="x2" name="late"/>').events
    assert (error.name, nameless.name) == ("E1", "late")


def test_timers_have_a_kind_and_a_value() -> None:
    kinds = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}
    for tag, kind in kinds.items():
        [found] = element("intermediateCatchEvent", timer("=x", tag)).events
        assert (found.timer, found.value) == (kind, "=x")


def test_a_shared_event_definition_is_followed() -> None:
    top = '<signal id="g" name="closing"/><signalEventDefinition id="shared" signalRef="g"/>'
    [signal] = element("intermediateCatchEvent", "<eventDefinitionRef>shared</eventDefinitionRef>", top=top).events
    assert (signal.kind, signal.name) == ("signal", "closing")


def test_links_that_refer_to_each_other_get_one_name() -> None:
    model = only(draw("t:intermediateThrowEvent c:intermediateCatchEvent", "", {
        "t": event("link", "<target>C</target>", id="T", name="out"), "c": event("link", "<source>T</source>", id="C", name="in"),
    }))  # fmt: skip
    assert {e.events[0].name for e in model.elements.values()} == {"C"}


def test_lanes_name_the_role_of_what_lies_in_them() -> None:
    lanes = ('<laneSet id="l"><lane id="x" name="Staff"><flowNodeRef>u</flowNodeRef><childLaneSet><lane id="y" name="Triage nurse">'
             "<flowNodeRef>u</flowNodeRef></lane></childLaneSet></lane></laneSet>")  # fmt: skip
    model = only(draw("", extra=lanes + '<subProcess id="u"><userTask id="a"/></subProcess>'))
    assert (model.elements["u"].lane, model.elements["a"].lane_role) == ("Triage nurse", "triage_nurse")
    assert model.elements["a"].groups == "triage_nurse"
    assert role(" 分诊 护士 ") == "分诊_护士"


def test_subprocess_content_knows_its_parent() -> None:
    model = only(draw("", extra='<subProcess id="u" triggeredByEvent="true"><startEvent id="t" isInterrupting="false"/></subProcess>'))
    assert model.elements["u"].triggered
    assert (model.elements["t"].parent, model.elements["t"].interrupting) == ("u", False)
    assert [e.id for e in model.inside("u")] == ["t"]


def test_a_boundary_event_knows_its_activity_and_its_compensation_handler() -> None:
    model = only(draw("a:task b:boundaryEvent h:task", "", {"b": event("compensate")}, {"b": 'attachedToRef="a" cancelActivity="false"'},
                      extra='<association id="n" sourceRef="b" targetRef="h"/>'))  # fmt: skip
    boundary = model.elements["b"]
    assert (boundary.attached_to, boundary.interrupting, boundary.compensation_handler) == ("a", False, "h")


def test_names_are_bilingual_and_tags_are_kept() -> None:
    body = extensions('<zeebe:properties><zeebe:property name="carelane:name:zh" value="分诊"/>'
                      '<zeebe:property name="carelane:tag" value="triage"/></zeebe:properties>')  # fmt: skip
    task = element("task", body, 'name="Triage"')
    assert (task.label("zh"), task.label("en"), task.tag) == ("分诊", "Triage", "triage")


def test_the_process_has_a_version_tag() -> None:
    model = only(draw("a:task", extra=extensions('<zeebe:versionTag value="to-be"/>')))
    assert (model.id, model.version_tag, model.executable) == ("p", "to-be", True)


def test_a_global_task_is_a_process_of_one_task() -> None:
    [model] = read(draw("", top='<globalScriptTask id="g"><script>1 + 1</script></globalScriptTask>'))
    assert (model.id, [e.type for e in model.elements.values()]) == ("g", ["startEvent", "scriptTask", "endEvent"])
    assert model.elements["g_task"].script == "1 + 1"


def test_older_dialects_are_taken_over_with_a_warning() -> None:
    read_ = document(draw("x:userTask y:serviceTask", "x>y", {"x_y": when("${amount &gt; 10}")}, {
        "x": 'camunda:candidateGroups="doctor" camunda:assignee="${owner}" camunda:formKey="embedded:app:forms/vitals.form"',
        "y": 'camunda:type="external" camunda:topic="notify"',
    }, dialect=CAMUNDA), "x.bpmn")  # fmt: skip
    [model] = read_.models
    task, service = model.elements["x"], model.elements["y"]
    assert (task.candidate_groups, task.assignee, task.form_id, service.job_type) == ("doctor", "=owner", "vitals", "notify")
    assert model.flows["x_y"].condition == "amount > 10"
    assert {p.rule for p in read_.problems} == {"external-task", "translated-expression"}


def test_what_older_dialects_run_in_java_is_refused() -> None:
    for attribute in ('camunda:class="x.Y"', 'camunda:delegateExpression="${bean}"', 'camunda:expression="${bean.go()}"'):
        problems = document(draw("x:serviceTask", attributes={"x": attribute}, dialect=CAMUNDA)).problems
        assert [(p.rule, p.severity, p.element) for p in problems if p.rule == "java"] == [("java", "error", "x")]


def test_mappings_of_an_older_call_replace_the_passing_of_everything() -> None:
    body = extensions('<camunda:in source="a" target="b"/><camunda:out sourceExpression="${c + 1}" target="d"/>')
    call = element("callActivity", body, 'calledElement="exam"', dialect=CAMUNDA)
    assert call.called == CalledElement("exam", all_in=False, all_out=False)
    assert (call.inputs, call.outputs) == ((VariableMapping("=a", "b"),), (VariableMapping("=c + 1", "d"),))
    plain = element("callActivity", "", 'calledElement="tns:exam"', dialect=PLAIN)
    assert plain.called == CalledElement("exam")
