"""Expressions reach nothing but their variables, and leave nothing behind for the next evaluation."""

from __future__ import annotations

import pytest

from engine.errors import ExpressionFailed
from engine.execution import feel
from engine.execution.feel.isolate import ask, present

PROBES = [
    "globalThis", "this", "window", "self", "global", "process", "require", "module", "console", "eval", "Function", "Object", "Reflect",
    "Proxy", "Array", "JSON", "Math", "Date", "Symbol", "WebAssembly", "Atomics", "SharedArrayBuffer", "carelane", "feelin", "setTimeout",
    "__timer_manager", "constructor", "prototype", "__proto__", "toString", "valueOf", "hasOwnProperty", "arguments", "undefined",
]  # fmt: skip

ESCAPES = [
    'constructor.constructor("return globalThis")()',
    '"".constructor.constructor("return this")()',
    "(1).constructor",
    "[].constructor.constructor",
    "{}.constructor",
    "{}.__proto__",
    "{}.__proto__.constructor",
    '{a: 1}.__lookupGetter__("a")',
    "{}.toString",
    "{}.hasOwnProperty",
    "[].map",
    "[1, 2].length",
    '"abc".length',
    "null.constructor",
    "true.constructor",
    'date("2026-01-01").constructor',
    'date("2026-01-01").value',
    'date("2026-01-01").iso',
    'date("2026-01-01").toJSON',
    'duration("P1D").unwrap',
    'time("10:00:00").value.constructor',
    "now().constructor",
    "[1..2].constructor",
    "[1..2].valueType",
    "[1..2].map",
    "sum.constructor",
    "sum.fn",
    "sum.parameterNames",
    "sum.prototype",
    "sum.caller",
    "sum.arguments",
    "(function(x) x).constructor",
    "(function(x) x).fn",
    "(function(x) x).invoke",
    'get value({}, "constructor")',
    'get value({}, "__proto__")',
    'get value({}, "toString")',
    'get value("text", "constructor")',
    'get value(sum, "constructor")',
    'get entries("text")',
    'context([{key: "__proto__", value: {polluted: true}}]).polluted',
    'context put({}, "__proto__", {polluted: true}).polluted',
    'context put({}, ["__proto__", "polluted"], true).polluted',
    'context put({}, ["constructor", "prototype", "polluted"], true).constructor.prototype.constructor',
    "context merge([{__proto__: {polluted: true}}, {}]).polluted",
    "{__proto__: {polluted: true}}.polluted",
    '{"__proto__": {polluted: true}}.polluted',
    "x instance of Object",
    "x instance of Function",
    "x instance of constructor",
    'import("fs")',
    'require("child_process")',
    "new Date()",
    "`${1}`",
    'function(x) external {java: {class: "java.lang.Runtime", method signature: "getRuntime()"}}',
    '(function() external {java: {class: "java.lang.System", method signature: "exit(int)"}})()',
    "a => a",
    "this.constructor",
    "globalThis.polluted = 1",
    "x.y = 1",
    "delete x",
    "while (true) {}",
    "1; 2",
    "{}; globalThis",
    "\\u0065val(1)",
    '@"constructor"',
    'matches("a", "(?=a)")',
    'replace("a", "a", "$&$`")',
    "for __proto__ in [1] return constructor",
    "{f: function(__proto__) __proto__.constructor, r: f({})}.r",
    "some constructor in [1] satisfies constructor.constructor",
    "string(constructor)",
    "`x`",
    "${x}",
    'eval("1")',
    'Function("return 1")()',
    'carelane("{}")',
]


def value_or_refusal(expression: str) -> object:
    try:
        return feel.evaluate(expression, {"x": 1})
    except ExpressionFailed:
        return None


def test_there_are_enough_attempts() -> None:
    assert len(ESCAPES) + len(PROBES) >= 60


@pytest.mark.parametrize("name", PROBES)
def test_javascripts_own_names_are_unknown(name: str) -> None:
    assert value_or_refusal(name) is None


@pytest.mark.parametrize("expression", ESCAPES)
def test_an_escape_finds_nothing_and_leaves_nothing(expression: str) -> None:
    harmless = [None, False, [], [None], [None, None], {}, [{}]]
    assert value_or_refusal(expression) in harmless
    assert feel.evaluate('[polluted, {}.polluted, "".polluted, {a: 1}, 1 + 1]', {}) == [None, None, None, {"a": 1}, 2]


def test_names_of_javascript_are_ordinary_names_in_data() -> None:
    data = {"constructor": 1, "toString": 2, "__proto__": {"a": 3}, "hasOwnProperty": 4}
    assert feel.evaluate("d.constructor + d.toString + d.__proto__.a + d.hasOwnProperty", {"d": data}) == 10
    assert feel.evaluate("constructor + toString + __proto__.a + hasOwnProperty", data) == 10
    assert feel.evaluate("d", {"d": data}) == data


def test_a_text_cannot_break_out_of_the_request() -> None:
    for text in ['"); globalThis.x = 1; ("', "\u2028", "\u2029", "`", "${1}", "\\", "\0", "</script>", "\ud83d"]:
        try:
            feel.evaluate("x", {"x": text})
            value_or_refusal(text)
        except (ExpressionFailed, ValueError):
            pass
    assert feel.evaluate("1 + 1", {}) == 2


def test_variables_of_one_evaluation_are_unknown_to_the_next() -> None:
    assert feel.evaluate("secret", {"secret": 42}) == 42
    assert feel.evaluate("secret", {}) is None
    assert feel.evaluate("[a, b]", {"a": 1, "b": 2}) == [1, 2]
    assert feel.evaluate("[a, b]", {"a": 1}) == [1, None]


@pytest.mark.parametrize(
    "code",
    [
        "globalThis.polluted = 1",
        "Object.prototype.polluted = 1",
        "Array.prototype.map = () => 1",
        "eval('1')",
        "(function(){}).constructor('return 1')()",
        "(async function(){}).constructor('return 1')()",
        "new Function('return 1')()",
        "setTimeout(() => 1, 0)",
        "carelane = 1",
    ],
)
def test_even_javascript_inside_finds_no_tools_and_leaves_no_trace(code: str) -> None:
    """The second wall: run JavaScript in the isolate as if an escape had succeeded."""
    racer = present().racer
    outcome = racer.eval(f"(() => {{ 'use strict'; try {{ ({code}); return 'ran' }} catch (error) {{ return 'stopped' }} }})()")
    assert outcome == "stopped"
    assert racer.eval("typeof polluted") == "undefined"
    assert ask({"action": "evaluate", "expressions": ["[1, 2][item > 1]"], "context": {}})[0]["value"] == [2]
