"""For each lint rule a file that breaks it: what the rule is there for, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.models.drawing import MESSAGE, PLAIN, draw, event, extensions, timer, when

LINE = "s:startEvent a:task e:endEvent"
FLOW = "s>a>e"
EBG = "s:startEvent g:eventBasedGateway c:intermediateCatchEvent d:intermediateCatchEvent e:endEvent"
CATCH = {"c": event("message", messageRef="m"), "d": timer("PT1H")}


def around(nodes: str, flows: str, inside: Mapping[str, str] | None = None, attributes: Mapping[str, str] | None = None, **more: str) -> bytes:
    """The usual line of start, task and end, with more around it."""
    return draw(f"{LINE} {nodes}", f"{FLOW} {flows}", inside, attributes, **more)


def sub(body: str, attributes: str = "", kind: str = "subProcess") -> bytes:
    """A process whose only activity is a subprocess `u` with that content."""
    return draw("s:startEvent e:endEvent", "s>u>e", extra=f'<{kind} id="u" {attributes}>{body}</{kind}>')


def plain(*arguments: object, **more: object) -> bytes:
    """The same in plain BPMN, which is held to the letter of the standard."""
    return draw(*arguments, dialect=PLAIN, **more)  # type: ignore[arg-type]


def pools(flow: str, *, start: str = "", end: str = "") -> bytes:
    """A pool with a process, a black box, and a message flow."""
    top = f'<collaboration id="c"><participant id="P" processRef="p"/><participant id="Q"/><messageFlow id="f" {flow}/></collaboration>'
    return draw(LINE, FLOW, {"s": start, "e": end}, top=top)


def data(spec: str, *, top: str = "", more: str = "") -> bytes:
    """A plain file whose task has that input and output specification."""
    return plain(LINE, FLOW, {"a": f"<ioSpecification>{spec}</ioSpecification>{more}"}, top=top)


IN = '<dataInput id="i" itemSubjectRef="I"/><inputSet><dataInputRefs>i</dataInputRefs></inputSet><outputSet/>'
ITEMS = '<itemDefinition id="I" structureRef="x"/><itemDefinition id="J" structureRef="y"/>'

BROKEN: dict[str, bytes] = {
    # references
    "id-duplicate": around("a:task", ""),
    "id-missing": plain("s:startEvent e:endEvent", "s>e", extra="<task/>"),
    "reference": draw(LINE, FLOW, {"s": event("signal", signalRef="nothing")}),
    "reference-inner": plain(LINE, FLOW, extra='<laneSet id="l"><lane id="x"><flowNodeRef>nobody</flowNodeRef></lane></laneSet>'),
    "operation-unknown": draw("s:startEvent a:serviceTask e:endEvent", FLOW, attributes={"a": 'operationRef="nothing"'}),
    "import-missing": draw(LINE, FLOW, top='<import location="nothing.bpmn" namespace="urn:x" importType="bpmn"/>'),
    "import-namespace": draw(LINE, FLOW, top='<import location="http://x/y.bpmn" namespace="urn:own" importType="bpmn"/>'),
    # schema
    "element-unknown": draw(LINE, FLOW, extra='<usertask id="u"/>'),
    "attribute-value": draw(LINE, FLOW, process='isExecutable="yes"'),
    "element-order": plain(LINE, FLOW, {"s": event("signal") + "<outgoing>s_a</outgoing>", "a": "<incoming>s_a</incoming>"}),
    # flows
    "flow-ends": around("", "a>nowhere"),
    "flow-crosses": sub('<startEvent id="t"/><task id="b"/><sequenceFlow id="t_b" sourceRef="t" targetRef="b"/>'
                        '<sequenceFlow id="x" sourceRef="b" targetRef="e"/>'),
    "flow-listed": plain(LINE, FLOW, {"s": "<outgoing>s_a</outgoing>"}),
    "condition-place": draw(LINE, FLOW, {"s_a": when("x")}),
    "condition-single": draw(LINE, FLOW, {"a_e": when("x")}),
    "flow-condition-missing": around("x:exclusiveGateway b:task c:task", "a>x>b>e x>c>e"),
    "default-missing": around("x:exclusiveGateway b:task c:task", "a>x>b>e x>c>e", {"x_b": when("1 > x"), "x_c": when("x > 2")}),
    "default-flow": draw(LINE, FLOW, attributes={"a": 'default="s_a"'}),
    "flow-immediate": plain(LINE, FLOW, attributes={"s_a": 'isImmediate="false"'}),
    "flow-doubled": draw(LINE, FLOW, extra='<sequenceFlow id="z" sourceRef="s" targetRef="a"/>'),
    "lane-shared": draw(LINE, FLOW, extra='<laneSet id="l"><lane id="x"><flowNodeRef>a</flowNodeRef></lane>'
                                          '<lane id="y"><flowNodeRef>a</flowNodeRef></lane></laneSet>'),
    # pools and choreographies
    "message-flow-ends": pools('sourceRef="Q" targetRef="s_a"'),
    "message-flow-pools": pools('sourceRef="P" targetRef="a"'),
    "message-flow-direction": pools('sourceRef="Q" targetRef="e"'),
    "message-flow-trigger": pools('sourceRef="Q" targetRef="s"'),
    "participant-multiplicity": draw(LINE, FLOW, top='<collaboration id="c"><participant id="P" processRef="p">'
                                                     '<participantMultiplicity minimum="3" maximum="2"/></participant></collaboration>'),
    "choreography-in-process": draw(LINE, FLOW, extra='<choreographyTask id="c"/>'),
    "choreography-reference": draw(LINE, FLOW, top='<globalConversation id="c"><choreographyRef>x</choreographyRef></globalConversation>'),
    "conversation-global": draw(LINE, FLOW, top='<globalConversation id="c"><textAnnotation id="t"/></globalConversation>'),
    "process-public": plain(LINE, FLOW, process='isExecutable="true" processType="Public"'),
    # events
    "start-missing": plain("a:task e:endEvent", "a>e"),
    "end-missing": plain("s:startEvent a:task", "s>a"),
    "start-several": around("t:startEvent", "t>a"),
    "start-incoming": around("", "a>s"),
    "start-outgoing": draw("s:startEvent"),
    "start-kind": draw(LINE, FLOW, {"s": event("error")}),
    "start-condition": draw(LINE, FLOW, {"s": event("conditional", when("x").replace("conditionExpression", "condition"))}),
    "start-in-subprocess": sub(f'<startEvent id="t">{timer("PT1H")}</startEvent><task id="b"/>'
                               '<sequenceFlow id="t_b" sourceRef="t" targetRef="b"/>'),
    "end-outgoing": around("b:task", "e>b"),
    "end-incoming": around("f:endEvent", ""),
    "end-kind": draw(LINE, FLOW, {"e": timer("PT1H")}),
    "cancel-end": draw(LINE, FLOW, {"e": event("cancel")}),
    "intermediate-connected": around("c:intermediateThrowEvent", "a>c"),
    "intermediate-kind": draw("s:startEvent a:intermediateCatchEvent e:endEvent", FLOW),
    "boundary-attached": around("b:boundaryEvent", "b>e", {"b": timer("PT1H")}, {"b": 'attachedToRef="e"'}),
    "boundary-kind": around("b:boundaryEvent", "b>e", attributes={"b": 'attachedToRef="a"'}),
    "boundary-interrupting": around("b:boundaryEvent", "b>e", {"b": event("error")}, {"b": 'attachedToRef="a" cancelActivity="false"'}),
    "boundary-connected": around("b:boundaryEvent", "", {"b": timer("PT1H")}, {"b": 'attachedToRef="a"'}),
    "event-subprocess-connected": sub("", 'triggeredByEvent="true"'),
    "event-subprocess-start": around("", "", extra='<subProcess id="u" triggeredByEvent="true"><task id="b"/></subProcess>'),
    "link-pair": around("t:intermediateThrowEvent", "a>t", {"t": event("link", name="on")}),
    "link-flow": around("t:intermediateThrowEvent c:intermediateCatchEvent", "a>t>e c>e", dict.fromkeys("tc", event("link", name="on"))),
    "link-mutual": plain("s:startEvent t:intermediateThrowEvent c:intermediateCatchEvent e:endEvent", "s>t c>e",
                         {"t": event("link", "<target>C</target>", id="T"), "c": event("link", id="C", name="C")}),
    "event-shared": plain(LINE, FLOW, {"s": "<eventDefinitionRef>x</eventDefinitionRef>", "e": event("signal", id="x")}),
    "escalation-code": plain(LINE, FLOW, {"e": event("escalation")}),
    "error-code": draw(LINE, FLOW, {"e": event("error")}),
    "error-uncaught": draw(LINE, FLOW, {"e": event("error")}),
    # gateways
    "gateway-direction": plain(f"{LINE} x:parallelGateway", "s>x>a>e x>e", attributes={"x": 'gatewayDirection="Converging"'}),
    "gateway-useless": plain("s:startEvent x:exclusiveGateway e:endEvent", "s>x>e"),
    "gateway-mixed": around("x:parallelGateway b:task", "s>x>e a>x>b>e"),
    "event-gateway-flows": draw(EBG, "s>g>c>e", CATCH, top=MESSAGE),
    "event-gateway-targets": draw(f"{EBG} b:task", "s>g>c>e g>d>e g>b>e", CATCH, top=MESSAGE),
    "gateway-guesses": draw("s:startEvent x:parallelGateway y:exclusiveGateway e:endEvent", "s>x>y>e",
                            extra='<sequenceFlow id="z" sourceRef="x" targetRef="y"/>'),
    # activities
    "subprocess-empty": sub(""),
    "ad-hoc-content": sub('<startEvent id="t"/>', kind="adHocSubProcess"),
    "ad-hoc-drawing": sub('<task id="t"/><conversation id="c"/>', kind="adHocSubProcess"),
    "call-target": draw("s:startEvent a:callActivity e:endEvent", FLOW),
    "call-start": draw("s:startEvent a:callActivity e:endEvent", FLOW, {"a": extensions('<zeebe:calledElement processId="q"/>')},
                       top=f'<process id="q"><startEvent id="qs">{timer("PT1H")}</startEvent><endEvent id="qe"/>'
                           '<sequenceFlow id="qf" sourceRef="qs" targetRef="qe"/></process>'),
    "called-process": draw("s:startEvent a:callActivity e:endEvent", FLOW, {"a": extensions('<zeebe:calledElement processId="q"/>')}),
    "loop-multi": draw(LINE, FLOW, {"a": "<multiInstanceLoopCharacteristics/>"}),
    "loop-standard": draw(LINE, FLOW, {"a": "<standardLoopCharacteristics/>"}),
    "loop-output": draw(LINE, FLOW, {"a": "<multiInstanceLoopCharacteristics>" + extensions(
        '<zeebe:loopCharacteristics inputCollection="=xs" outputCollection="ys"/>') + "</multiInstanceLoopCharacteristics>"}),
    "quantity": draw(LINE, FLOW, attributes={"a": 'startQuantity="0"'}),
    "receive-instantiate": draw("s:startEvent a:receiveTask e:endEvent", FLOW, attributes={"a": 'instantiate="true" messageRef="m"'}, top=MESSAGE),
    "compensation-handler": around("b:boundaryEvent", "", {"b": event("compensate")}, {"b": 'attachedToRef="a"'}),
    "compensation-flow": draw(LINE, FLOW, attributes={"a": 'isForCompensation="true"'}),
    "compensation-alone": around("h:task", "", attributes={"h": 'isForCompensation="true"'}),
    "compensation-wait": draw(LINE, FLOW, {"e": event("compensate", waitForCompletion="false")}),
    "event-subprocess-loop": around("", "", extra='<subProcess id="u" triggeredByEvent="true"><standardLoopCharacteristics loopMaximum="2"/>'
                                    '<startEvent id="t"><signalEventDefinition/></startEvent></subProcess>'),
    "catch-twice": around("b:boundaryEvent c:boundaryEvent", "b>e c>e", dict.fromkeys("bc", event("error")), dict.fromkeys("bc", 'attachedToRef="a"')),
    "catch-code": draw(f"{LINE} b:boundaryEvent", f"{FLOW} b>e", {"b": event("error", errorRef="x")}, {"b": 'attachedToRef="a"'},
                       top='<error id="x" errorCode="=code"/>'),
    "timer-several": around("b:boundaryEvent", "b>e", {"b": "<timerEventDefinition><timeDate>2026-01-01T00:00:00Z</timeDate>"
                            "<timeDuration>PT1H</timeDuration></timerEventDefinition>"}, {"b": 'attachedToRef="a"'}),
    "mapping": draw(LINE, FLOW, {"a": extensions('<zeebe:ioMapping><zeebe:input source="=1" target=""/></zeebe:ioMapping>')}),
    "binding": draw("s:startEvent a:userTask e:endEvent", FLOW,
                    {"a": extensions('<zeebe:formDefinition formId="f" bindingType="versionTag"/>')}),
    "compensation-target": draw(LINE, FLOW, {"e": event("compensate", activityRef="a")}),
    "script-present": draw("s:startEvent a:scriptTask e:endEvent", FLOW),
    "script-language": draw("s:startEvent a:scriptTask e:endEvent", FLOW, {"a": "<script>x = 1</script>"}, {"a": 'scriptFormat="python"'}),
    "script-around": draw(LINE, FLOW, {"a": extensions("<spiffworkflow:preScript>x = 1</spiffworkflow:preScript>")},
                          dialect=PLAIN + ' xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core"'),
    "expression-language": around("x:exclusiveGateway b:task", "a>x>b>e x>e", {"x_b": when("x").replace(">", ' language="python">', 1)}),
    "script-format": plain("s:startEvent a:scriptTask e:endEvent", FLOW, {"a": "<script>1 + 1</script>"}),
    # data
    "expression-empty": plain(LINE, FLOW, {"a": '<standardLoopCharacteristics><loopCondition xsi:type="tFormalExpression"/>'
                                                "</standardLoopCharacteristics>"}),
    "data-collection": plain(LINE, FLOW, top='<itemDefinition id="I" isCollection="true"/>', extra='<dataObject id="o" itemSubjectRef="I"/>'),
    "data-sets": data('<dataInput id="i"/><inputSet/><outputSet/>'),
    "data-sets-mutual": data('<inputSet id="x"><outputSetRefs>y</outputSetRefs></inputSet><outputSet id="y"/>'),
    "data-association": data(IN, top=ITEMS + '<dataStore id="o" itemSubjectRef="J"/>',
                             more="<dataInputAssociation id='n'><sourceRef>o</sourceRef><targetRef>i</targetRef></dataInputAssociation>"),
    "data-subprocess": plain(extra='<subProcess id="u"><ioSpecification><inputSet/><outputSet/></ioSpecification><task id="t"/></subProcess>'),
    "data-state": plain(LINE, FLOW, extra='<dataObject id="o" name="bill"/><dataObjectReference id="r" name="invoice" dataObjectRef="o">'
                                          '<dataState name="paid"/></dataObjectReference>'),
    "data-operation": plain("s:startEvent a:serviceTask e:endEvent", FLOW, attributes={"a": 'operationRef="op"'},
                            top='<interface id="f" name="f"><operation id="op" name="op"><inMessageRef>m</inMessageRef></operation></interface>'
                                '<message id="m"/>'),
    "data-message": plain("s:startEvent a:sendTask e:endEvent", FLOW, {"a": f"<ioSpecification>{IN}</ioSpecification>"},
                          {"a": 'messageRef="m"'}, top=ITEMS + '<message id="m" itemRef="J"/>'),
    "data-event": plain(LINE, FLOW, {"s": '<dataOutput id="o"/><outputSet><dataOutputRefs>o</dataOutputRefs></outputSet>'}),
    "data-call": plain("s:startEvent a:callActivity e:endEvent", FLOW, attributes={"a": 'calledElement="t"'}, top='<globalTask id="t">'
                       f"<ioSpecification>{IN}</ioSpecification></globalTask>" + ITEMS),
    "data-service": plain(LINE, FLOW, {}, top='<interface id="f" name="f"/><globalTask id="t"><supportedInterfaceRef>f</supportedInterfaceRef>'
                                              "</globalTask>"),
    "data-loop": plain(LINE, FLOW, {"a": "<multiInstanceLoopCharacteristics><loopDataInputRef>o</loopDataInputRef>"
                                         "</multiInstanceLoopCharacteristics>"}, extra='<dataObject id="o"/>'),
    # expressions
    "expression-informal": plain(LINE, FLOW, {"a": "<standardLoopCharacteristics><loopCondition>until done</loopCondition>"
                                                   "</standardLoopCharacteristics>"}),
    "condition-empty": draw(LINE, FLOW, {"s": event("conditional")}),
    "timer-value": draw(LINE, FLOW, {"s": timer("five minutes")}),
    "timer-cycle": draw("s:startEvent a:intermediateCatchEvent e:endEvent", FLOW, {"a": timer("R3/PT1H", "timeCycle")}),
    "feel": draw("s:startEvent a:scriptTask e:endEvent", FLOW, {"a": extensions('<zeebe:script expression="= broken" resultVariable="x"/>')}),
    # our engine
    "not-supported": draw("s:startEvent a:complexGateway b:task c:task e:endEvent", "s>a>b>e a>c>e"),
    "listener-unsupported": draw(LINE, FLOW, {"a": extensions("<zeebe:executionListeners/>")}),
    "job-type": draw("s:startEvent a:serviceTask e:endEvent", FLOW),
    "connector-unknown": draw("s:startEvent a:serviceTask e:endEvent", FLOW, {"a": extensions('<zeebe:taskDefinition type="fax"/>')}),
    "decision-missing": draw("s:startEvent a:businessRuleTask e:endEvent", FLOW),
    "role-missing": draw("s:startEvent a:userTask e:endEvent", FLOW),
    "form-missing": draw("s:startEvent a:userTask e:endEvent", FLOW),
    "start-form": draw(LINE, FLOW, {"s": extensions('<zeebe:formDefinition formId="vitals"/>')}),
    "form-unknown": draw("s:startEvent a:userTask e:endEvent", FLOW, {"a": extensions('<zeebe:formDefinition formId="vitals"/>')}),
    "decision-unknown": draw("s:startEvent a:businessRuleTask e:endEvent", FLOW, {"a": extensions('<zeebe:calledDecision decisionId="d"/>')}),
    "correlation-missing": draw("s:startEvent a:receiveTask e:endEvent", FLOW, attributes={"a": 'messageRef="m"'}, top='<message id="m" name="n"/>'),
    "not-executable": draw(LINE, FLOW, process='isExecutable="false"'),
    "process-missing": draw(),
    # the shape of the whole
    "no-incoming": around("b:task", "b>e"),
    "no-outgoing": plain(f"{LINE} b:task", f"{FLOW} a>b"),
    "unreachable": around("b:task c:task", "b>c>b"),
    "endless": around("b:task c:task", "a>b>c>b"),
    "deadlock": draw("s:startEvent x:exclusiveGateway a:task b:task y:parallelGateway e:endEvent", "s>x>a>y>e x>b>y",
                     {"x_a": when("1 > n")}, {"x": 'default="x_b"'}),
    "multiplied": draw("s:startEvent x:parallelGateway a:task b:task y:exclusiveGateway c:task e:endEvent", "s>x>a>y>c>e x>b>y"),
}  # fmt: skip
SEVERAL_FILES = {"import-broken", "process-twice", "defined-twice"}  # tested where several files meet
