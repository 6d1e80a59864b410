"""Variables, mappings, types, calls and what other vendors' files say."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine.execution import check
from tests.engine.build import (
    both,
    call,
    catch,
    diagram,
    element,
    end,
    message,
    note,
    pool,
    process,
    script,
    send,
    service,
    start,
    sub,
    tag,
    throw,
    user,
    xor,
)  # fmt: skip
from tests.engine.execution.case import Case, play, table
from tests.engine.world import Stored, World


def line(*x: str) -> bytes:
    return process(start(), *x, end(), flows="start -> x -> end")


MAPPED = [
    Case("an input is local", line(user("x", inputs={"a": "=b + 1"})), "complete x r=1", {"b": 1}, has={"r": 1, "b": 1}, lacks=("a",), at=[]),
    Case("inputs see the ones before them", line(script("x", "=c", "r", inputs={"a": "=b + 1", "c": "=a + 1"})), "", {"b": 1}, has={"r": 3}, at=[]),
    Case("a literal input stays text", line(script("x", "=a", "r", inputs={"a": "1+1"})), has={"r": "1+1"}, at=[]),
    Case("an input into a path builds a context", line(script("x", "=p.name.first", "r", inputs={"p.name.first": '="Li"', "p.age": "=3"})), has={"r": "Li"},
         lacks=("p",), at=[]),
    Case("an output into a path leaves the rest of the context alone", line(user("x", outputs={"p.b": "=v"})), "complete x v=2", {"p": {"a": 1}},
         has={"p": {"a": 1, "b": 2}}, lacks=("v",), at=[]),
    Case("with output mappings only what they name leaves", line(user("x", outputs={"a": "=v", "b": "=a + 1"})), "complete x v=1 w=2", has={"a": 1, "b": 2},
         lacks=("v", "w"), at=[]),
    Case("a failing output mapping is an incident and keeps what was submitted", line(user("x", outputs={"a": "=number(v)"})), 'complete x v="x"',
         has={"a": None}, at=[]),
    Case("a context in a variable does not alias another", process(start(), both("g"), script("a", '=context put(p, "x", 1)', "q"), script("b", "=p", "r"),
         both("j"), end(),
         flows=["start -> g", "g -> a -> j", "g -> b -> j", "j -> end"]), "", {"p": {"x": 0}}, has={"p": {"x": 0}, "q": {"x": 1}, "r": {"x": 0}}, at=[]),
    Case("parallel branches never bring back stale values", process(start(), both("g"), user("a"), user("b"), both("j"), end(), flows=["start -> g",
         "g -> a -> j", "g -> b -> j", "j -> end"]),
         "complete a x=1; complete b y=2", {"x": 0, "y": 0}, has={"x": 1, "y": 2}, at=[]),
    Case("a subprocess's own variable hides the outer one", line(sub("x", start("s"), script("i", "=n + 1", "n"), end("e"), flows="s -> i -> e",
         inputs={"n": "=10"})),
         "", {"n": 1}, has={"n": 1}, at=[]),
    Case("a subprocess maps its result outwards", line(sub("x", start("s"), script("i", "=n + 1", "n"), end("e"), flows="s -> i -> e", inputs={"n": "=10"},
         outputs={"m": "=n"})),
         has={"m": 11}, lacks=("n",), at=[]),
    Case("a variable made in a nested subprocess belongs to the process", line(sub("x", start("s"), sub("y", start("t"), script("i", "=1", "n"), end("u"),
         flows="t -> i -> u"), end("e"), flows="s -> y -> e")),
         has={"n": 1}, at=[]),
    Case("an event's output mapping sees the payload and the variables", process(start(), catch("c", message("m", "=k"), outputs={"sum": "=a + v"}), end(),
         flows="start -> c -> end"),
         "publish m 1 v=2", {"k": 1, "a": 40}, has={"sum": 42}, lacks=("v",), at=[]),
    Case("a start event's output mapping", process(start(outputs={"b": "=a * 2"}), end(), flows="start -> end"), "", {"a": 2}, has={"b": 4}, at=[]),
    Case("an end event's mapping", process(start(), end("end", message("m", "=k"), inputs={"v": "=1"}), flows="start -> end"), "", {"k": 1}, lacks=("v",), at=[]),
    Case("null stays null", line(user("x")), "complete x a=null b=[1,null]", has={"a": None, "b": [1, None]}, at=[]),
    Case("names in Chinese and with odd letters", line(script("x", "=体温 + été", "结果")), "", {"体温": 37, "été": 1}, has={"结果": 38}, at=[]),
    Case("an unknown name in a condition is an incident until it has a value", process(start(), xor("g", "g_b"), note("a"), note("b"), end(), flows=["start -> g",
         "g -> a : nothing > 1", "g -> b", "a -> end", "b -> end"]), "change nothing=1; retry g",
         path=["b"], at=[]),
    Case("a service task gets its inputs only", line(service("x", inputs={"a": "=1"}, outputs={"r": "=status"})), 'answer x status="ok"', has={"r": "ok"},
         lacks=("a", "status"), at=[]),
    Case("a key that looks like our own marks survives", line(user("x")), 'complete x a={"$date":"no"} b={"$map":1}', has={"a": {"$date": "no"},
         "b": {"$map": 1}}, at=[]),
]  # fmt: skip


@table(*MAPPED)
def test_variables(world: World, case: Case) -> None:
    play(case, world)


KEPT: dict[str, Any] = {
    "money": Decimal("19.90"), "day": date(2026, 2, 28), "clock": time(8, 30), "moment": datetime.fromisoformat("2026-01-05T08:00:00+08:00"),
    "span": timedelta(days=1, hours=2, microseconds=5), "list": [1, [Decimal("0.1"), {"d": date(2026, 1, 1)}], None], "big": 2**70, "empty": {},
    "text": "\u0000\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")[1:],
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_a_type_survives_every_step(world: World, name: str) -> None:
    world.deploy(
        process(start(), user("a"), sub("x", start("s"), user("b"), end("e"), flows="s -> b -> e"), end(), flows="start -> a -> x -> end")
    )
    world.start({"v": KEPT[name]})
    world.complete("a", w=KEPT[name])
    world.complete("b")
    assert (world.variables["v"], world.variables["w"]) == (KEPT[name], KEPT[name])
    assert type(world.variables["v"]) is type(KEPT[name])


def test_a_megabyte_of_data(world: World) -> None:
    rows = [{"n": n, "text": "值" * 300} for n in range(1_100)]
    world.deploy(process(start(), user("a"), script("c", "=count(rows)", "n"), both("g"), user("b"), user("c2"), both("j"), end(),
                         flows=["start -> a -> c -> g", "g -> b -> j", "g -> c2 -> j", "j -> end"]))  # fmt: skip
    world.start()
    world.complete("a", rows=rows)
    world.complete("b")
    world.complete("c2")
    assert (world.over, world.variables["n"], world.variables["rows"] == rows) == (True, 1_100, True)


CALLED = process(start("qs"), script("qi", "=n + 1", "n"), end("qe"), id="q", flows="qs -> qi -> qe")
CALLS = [
    Case("a call passes all in and all out by default", (line(call("x", "q")), CALLED), "", {"n": 1}, has={"n": 2}, at=[]),
    Case("a call that passes nothing out", (line(call("x", "q", all_out=False)), CALLED), "", {"n": 1}, has={"n": 1}, at=[]),
    Case("a call that passes only what is mapped", (line(call("x", "q", all_in=False, all_out=False, inputs={"n": "=m"}, outputs={"r": "=n"})), CALLED), "",
         {"m": 5, "n": 0}, has={"r": 6, "n": 0}, at=[]),
    Case("a call whose process is an expression", (line(call("x", '="q"')), CALLED), "", {"n": 1}, has={"n": 2}, at=[]),
    Case("a call of a version tag", (line(call("x", "q", binding="versionTag", tagged="old")), CALLED.replace(b'isExecutable="true">',
         b'isExecutable="true"><extensionElements><zeebe:versionTag value="old"/></extensionElements>'),
         process(start("qs"), script("qi", "=100", "n"), end("qe"), id="q", version_tag="new", flows="qs -> qi -> qe")), "", {"n": 1}, has={"n": 2}, at=[]),
    Case("a process that calls itself", process(start(), script("i", "=n + 1", "n"), xor("g", "g_end"), call("x", "p"), end(), flows=["start -> i -> g",
         "g -> x : n < 5", "x -> end", "g -> end"]),
         "", {"n": 0}, has={"n": 5}, at=[]),
    Case("a call of nothing deployed waits as an incident, and goes on when it is there", (line(call("x", "=nowhere")),), at=["x"], incidents=(("x", "model"),)),
    Case("a call inside a call inside a subprocess", (line(sub("x", start("s"), call("c", "q"), end("e"), flows="s -> c -> e")), process(start("qs"), call("qc",
         "r"), end("qe"), id="q", flows="qs -> qc -> qe"),
         process(start("rs"), user("ru"), end("re"), id="r", flows="rs -> ru -> re")), "complete ru n=3", has={"n": 3}, at=[]),
    Case("a call of a process without a plain start is refused", (line(call("x", "q")), process(start("qs", message("m")), end("qe"), id="q",
         flows="qs -> qe")), refused="call-start"),
    Case("several pools that talk by messages", diagram(
        pool(start(), throw("t", message("order", "=k")), catch("c", message("answer", "=k")), end(), flows="start -> t -> c -> end"),
        pool(start("os", message("order")), note("work"), end("oe", message("answer", "=k"), inputs={"v": "=1"}), id="other", flows="os -> work -> oe")),
        "publish answer 7 v=1", {"k": 7}, at=[], has={"v": 1}),
    Case("data objects, stores, groups, annotations and associations are drawings", process(start(), user("x", tag("property", id="pr"), tag("ioSpecification",
         tag("inputSet", id="is"), tag("outputSet", id="os"))),
         end(), tag("dataObject", id="do"), tag("dataObjectReference", id="dor", dataObjectRef="do"), tag("dataStoreReference", id="dsr"), tag("textAnnotation",
         tag("text", "hi"), id="ta"), tag("group", id="gr"),
         tag("association", id="as", sourceRef="x", targetRef="ta"), flows="start -> x -> end"), "complete x", at=[]),
    Case("a send task by a connector and one by a message", process(start(), element("sendTask", "a", ext=tag("zeebe_taskDefinition", type="mail")), send("b",
         "m", "=k"), end(), flows="start -> a -> b -> end"),
         "answer a", {"k": 1}, did={"a": 1, "b": 1}, at=[]),
    Case("a receive task without a message is refused", process(start(), element("receiveTask", "x"), end(), flows="start -> x -> end"), refused="message-missing"),
]  # fmt: skip


@table(*CALLS)
def test_calls_and_drawings(world: World, case: Case) -> None:
    play(case, world)


def other(dialect: str, body: str, roots: str = "") -> bytes:
    """A file of another vendor or of none."""
    uri = {"camunda": "http://camunda.org/schema/1.0/bpmn", "flowable": "http://flowable.org/bpmn", "activiti": "http://activiti.org/bpmn"}.get(
        dialect, "http://none"
    )
    return (f'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:v="{uri}"'
            f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="defs" targetNamespace="t">{roots}'
            f'<process id="p" isExecutable="true">{body}</process></definitions>').encode()  # fmt: skip


def chain(*middle: str) -> str:
    """Start → x → end around an element x."""
    return ('<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="x"/>' + "".join(middle)
            + '<sequenceFlow id="f2" sourceRef="x" targetRef="e"/><endEvent id="e"/>')  # fmt: skip


GATE = (
    '<startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="g"/><exclusiveGateway id="g" default="no"/>'
    '<sequenceFlow id="yes" sourceRef="g" targetRef="a"><conditionExpression xsi:type="tFormalExpression">{}</conditionExpression></sequenceFlow>'
    '<sequenceFlow id="no" sourceRef="g" targetRef="b"/><task id="a"/><task id="b"/>'
    '<sequenceFlow id="f3" sourceRef="a" targetRef="e"/><sequenceFlow id="f4" sourceRef="b" targetRef="e"/><endEvent id="e"/>'
)
VENDORS = [
    *(Case(f"{vendor}: conditions in JUEL: {text}", other(vendor, GATE.format(text)), "", given, did={"a": a, "b": 1 - a}, at=[])
      for vendor, text, given, a in [
          ("camunda", "${amount &gt; 100}", {"amount": 200}, 1), ("camunda", "${amount &gt; 100 &amp;&amp; !blocked}", {"amount": 200, "blocked": True}, 0),
          ("flowable", "${name == 'Li'}", {"name": "Li"}, 1), ("activiti", "#{a eq 1 or b}", {"a": 2, "b": False}, 0), ("camunda", "${empty list}", {"list": []}, 1),
          ("flowable", "${order.total ge 10}", {"order": {"total": 10}}, 1), ("camunda", "${x != null}", {"x": None}, 0), ("plain", "${n % 2 == 0}", {"n": 4}, 1)]),
    *(Case(f"{vendor}: a multi-instance over a collection", other(vendor, chain(
        '<userTask id="x"><multiInstanceLoopCharacteristics isSequential="true" v:collection="${items}" v:elementVariable="i"/></userTask>')),
        "complete x; complete x", {"items": [1, 2]}, at=[])
      for vendor in ("camunda", "flowable", "activiti")),
    *(Case(f"{vendor}: the counts in a completion condition", other(vendor, chain(
        '<userTask id="x"><multiInstanceLoopCharacteristics v:collection="${items}" v:elementVariable="i"><completionCondition '
        'xsi:type="tFormalExpression">${nrOfCompletedInstances / nrOfInstances &gt;= 0.5}</completionCondition></multiInstanceLoopCharacteristics></userTask>')),
        "complete x; complete x", {"items": [1, 2, 3, 4]}, at=[])
      for vendor in ("camunda", "flowable", "activiti")),
    Case("camunda: an external task is a connector's work", other("camunda", chain('<serviceTask id="x" v:type="external" v:topic="work"/>')), "answer x r=1",
         has={"r": 1}, at=[]),
    Case("camunda: input and output parameters", other("camunda",
         chain('<userTask id="x"><extensionElements><v:inputOutput><v:inputParameter name="a">${b}</v:inputParameter>'
         '<v:outputParameter name="c">${a + 1}</v:outputParameter></v:inputOutput></extensionElements></userTask>')), "complete x", {"b": 1}, has={"c": 2},
         lacks=("a",), at=[]),
    Case("camunda: a call with in and out", (other("camunda",
         chain('<callActivity id="x" calledElement="q"><extensionElements>'
         '<v:in source="m" target="n"/><v:out source="n" target="r"/></extensionElements></callActivity>')), CALLED),
         "", {"m": 1}, has={"r": 2}, lacks=("n",), at=[]),
    Case("flowable: candidate groups", other("flowable", chain('<userTask id="x" v:candidateGroups="doctor"/>')), "complete x", at=[]),
    Case("camunda: a Java class is refused", other("camunda", chain('<serviceTask id="x" v:class="com.Foo"/>')), refused="java"),
    Case("flowable: an expression service task is refused", other("flowable", chain('<serviceTask id="x" v:expression="${bean.run()}"/>')), refused="java"),
    Case("camunda: a listener is refused", other("camunda",
         chain('<userTask id="x"><extensionElements><v:taskListener class="a" event="create"/></extensionElements></userTask>')), refused="listener"),
    Case("camunda: a Groovy script is refused", other("camunda", chain('<scriptTask id="x" scriptFormat="groovy"><script>x = 1</script></scriptTask>')),
         refused="script-language"),
    Case("camunda: a JavaScript script is refused", other("camunda", chain('<scriptTask id="x" scriptFormat="javascript"><script>1</script></scriptTask>')),
         refused="script-language"),
    Case("activiti: JUEL that calls methods is refused", other("activiti", GATE.format("${bean.isOk(x)}")), refused="foreign-expression"),
    Case("flowable: a mail task is refused", other("flowable", chain('<serviceTask id="x" v:type="mail"/>')), refused="vendor-connector"),
    Case("plain: a script in FEEL", other("plain", chain('<scriptTask id="x" scriptFormat="feel"><script>1</script></scriptTask>')), at=[]),
    Case("plain: a file without incoming and outgoing entries", other("plain", chain('<task id="x"/>')), did={"x": 1}, at=[]),
    Case("plain: an unknown element is refused", other("plain", chain('<userTusk id="x"/>')), refused="element-unknown"),
    Case("an error catch by the vendor's code", other("camunda",
         chain('<serviceTask id="x" v:type="external" v:topic="work"/><boundaryEvent id="b" attachedToRef="x"><errorEventDefinition errorRef="err"/></boundaryEvent>'
         '<sequenceFlow id="f9" sourceRef="b" targetRef="z"/><task id="z"/><sequenceFlow id="f8" sourceRef="z" targetRef="e2"/><endEvent id="e2"/>'),
         '<error id="err" name="any" errorCode="E1"/>'), "answer x !E1", did={"z": 1}, at=[]),
]  # fmt: skip


@table(*VENDORS)
def test_other_vendors(world: World, case: Case) -> None:
    play(case, world)


def dmn(namespace: str, body: str, imported: str = "") -> bytes:
    """A decision file."""
    uri = "https://www.omg.org/spec/DMN/20191111/MODEL/"
    found = f'<import name="lib" namespace="{imported}" importType="{uri}"/>' if imported else ""
    return f'<definitions xmlns="{uri}" id="{namespace}" name="{namespace}" namespace="{namespace}">{found}{body}</definitions>'.encode()


LIBRARY = (
    '<businessKnowledgeModel id="tax" name="tax"><variable name="tax"/><encapsulatedLogic><formalParameter name="net"/>'
    "<literalExpression><text>net * 1.5</text></literalExpression></encapsulatedLogic></businessKnowledgeModel>"
)
PRICE = (
    '<inputData id="i" name="net"/><decision id="price" name="price"><variable name="price"/><informationRequirement><requiredInput href="#i"/>'
    '</informationRequirement><knowledgeRequirement><requiredKnowledge href="lib#tax"/></knowledgeRequirement>'
    "<literalExpression><text>lib.tax(net)</text></literalExpression></decision>"
)


def test_a_decision_uses_the_library_that_it_imports(stored: Stored) -> None:
    called = tag("zeebe_calledDecision", decisionId="price", resultVariable="price")
    model = line(element("businessRuleTask", "x", ext=called))
    check.deploy(stored.session, {"p.bpmn": model, "price.dmn": dmn("main", PRICE, "lib"), "lib.dmn": dmn("lib", LIBRARY)}, by="test")
    stored.start({"net": 100})
    assert (stored.over, stored.variables["price"]) == (True, 150)


@pytest.mark.parametrize(("bound", "price"), [("deployment", 150), ("latest", 200)])
def test_a_library_is_taken_from_the_same_time_as_the_decision(stored: Stored, bound: str, price: int) -> None:
    called = tag("zeebe_calledDecision", decisionId="price", resultVariable="price", bindingType=bound)
    model = line(element("businessRuleTask", "x", ext=called))
    check.deploy(stored.session, {"p.bpmn": model, "price.dmn": dmn("main", PRICE, "lib"), "lib.dmn": dmn("lib", LIBRARY)}, by="test")
    check.deploy(stored.session, {"lib.dmn": dmn("lib", LIBRARY.replace("1.5", "2")), "price.dmn": dmn("main", PRICE, "lib")}, by="test")
    stored.start({"net": 100})
    assert stored.variables["price"] == price
