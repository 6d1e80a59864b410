"""FEEL as models use it: one line a rule of the language."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine import clock
from engine.errors import ExpressionFailed
from engine.execution import feel
from engine.execution.feel import YearMonthDuration

VISIT: dict[str, Any] = {
    "acuity": 2,
    "fee": 1250,
    "patient": {"name": "王芳", "birth date": date(1990, 5, 1), "allergies": ["青霉素"]},
    "orders": [{"code": "GLU", "price": 300, "paid": True}, {"code": "CBC", "price": 2500, "paid": False}],
    "Full Name": "Wang Fang",
    "科室": "internal_medicine",
    "readings": [36.6, 38.4, 37.0],
}

CASES = [
    ("1 + 2 * 3", 7),
    ("=fee / 100", 12.5),
    ("0.1 + 0.2 = 0.3", True),
    ("1.1 * 3", 3.3),
    ("2 ** 10", 1024),
    ("-(3 - 5)", 2),
    ("1 / 0", None),
    ("3 - - 1", 4),
    ('range("[1..5)")', feel.Range(1, 5, True, False)),
    ("sublist([1, 2, 3], 2, 5)", None),
    ('string(duration("P99999999Y14M"))', "P100000000Y2M"),
    ("before(point: 1, range: [2..3])", True),
    ('"a" + "b"', "ab"),
    ('"a" + 1', None),
    ('科室 = "internal_medicine"', True),
    ("Full Name", "Wang Fang"),
    ("Full  Name", "Wang Fang"),
    ("patient.name", "王芳"),
    ("patient.birth date.year", 1990),
    ("acuity <= 2 and fee > 1000", True),
    ("acuity = 1 or null", None),
    ("false and null", False),
    ("not(acuity = 1)", True),
    ("acuity in [1..2]", True),
    ("acuity in (>2, 1)", False),
    ("acuity between 2 and 4", True),
    ("get or else(unknown, 4) <= 2", False),
    ("get or else(acuity, 4) <= 2 or false", True),
    ("is defined(acuity) and not(is defined(unknown))", True),
    ('is empty([]) and is blank(" ")', True),
    ("duplicate values([1, 2, 1])", [1]),
    ('last day of month(date("2026-02-03"))', date(2026, 2, 28)),
    ('if acuity < 3 then "now" else "later"', "now"),
    ('if null then "yes" else "no"', "no"),
    ("for o in orders return o.price", [300, 2500]),
    ("for i in 3..1 return i * i", [9, 4, 1]),
    ("for a in [1, 2], b in [a, 10] return a + b", [2, 11, 4, 12]),
    ('for d in @"2026-01-30"..@"2026-02-01" return d.day', [30, 31, 1]),
    ("for i in 1..4 return if i = 1 then 1 else sum(partial)", [1, 1, 2, 4]),
    ("some r in readings satisfies r > 38", True),
    ("every o in orders satisfies o.paid", False),
    ("orders[paid].code", ["GLU"]),
    ("orders[price > 1000][1].code", "CBC"),
    ('orders[contains(code, "B")].price', [2500]),
    ("orders[-1].code", "CBC"),
    ("orders[9]", None),
    ("readings[item > 36.8]", [38.4, 37]),
    ("[false, null, true][item = false]", [False]),
    ("{a: 1, b: a + 1}.b", 2),
    ("{f: function(x, y) x * y, r: f(3, 4)}.r", 12),
    ("{f: function(n) if n < 2 then 1 else n * f(n - 1), r: f(5)}.r", 120),
    ('{f: function(x: number) x, r: f("a")}.r', None),
    ('substring(string: "杏林诊所", start position: 2, length: 2)', "林诊"),
    ("sum([1, 2, 3])", 6),
    ('max("a", "c", "b")', "c"),
    ('max(@"2026-01-01", @"2026-02-01").month', 2),
    ("median([10, 9, 100])", 10),
    ("mode([6, 3, 9, 6, 6, 3, 3])", [3, 6]),
    ("decimal(1.005, 2)", 1),
    ("round half up(1.005, 2)", 1.01),
    ("round half up(-2.5, 0)", -3),
    ("floor(-1.56, 1)", -1.6),
    ("modulo(-12, 5)", 3),
    ("modulo(10.1, 4.5)", 1.1),
    ("list contains([1, null], null)", True),
    ('index of([@"2026-01-01", @"2026-01-02"], @"2026-01-02")', [2]),
    ("distinct values([1, 2, 1, {a: 1}, {a: 1}])", [1, 2, {"a": 1}]),
    ("sort([3, 1, 2], function(a, b) a > b)", [3, 2, 1]),
    ("list replace([1, 2, 3], 2, 9)", [1, 9, 3]),
    ('number("1 000,5", " ", ",")', 1000.5),
    ("string(1.0)", "1"),
    ('string([1, "a", {b: null}])', '[1, "a", {b: null}]'),
    ('matches("38.5 C", "^\\d+\\.\\d C$")', True),
    ('matches("x", "[A-Z-[OI]]", "i")', True),
    ('replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")', "[1=ab][2=]cd"),
    ('split("a;b;;c", ";")', ["a", "b", "", "c"]),
    ('date("2026-02-30")', None),
    ('date("2024-02-29") + duration("P1Y")', date(2025, 2, 28)),
    ('date and time("2026-01-01T00:00:00Z") - date and time("2026-01-01T01:00:00+01:00")', timedelta(0)),
    ('@"2026-03-01" - @"2026-02-01"', timedelta(days=28)),
    ('duration("PT90M") * 2', timedelta(hours=3)),
    ('duration("P1D") / duration("PT6H")', 4),
    ('duration("P200D") = duration("P201D")', False),
    ('duration("P1Y2M")', YearMonthDuration(14)),
    ('years and months duration(@"2020-01-31", @"2026-03-30").years', 6),
    ('time("10:30:00+08:00").hour', 10),
    ('day of week(@"2026-11-22")', "Sunday"),
    ("before([1..5), [5..8])", True),
    ("overlaps before([1..5], [3..8])", True),
    ("during(5, [1..5])", True),
    ("starts([1..3], [1..8])", True),
    ("finished by([3..8], (5..8])", True),
    ("coincides([1..5], [1..5])", True),
    ("5 instance of number", True),
    ("[1, 2] instance of list<string>", False),
    ("{a: 1} instance of context<a: number>", True),
    ('get value(patient, "name")', "王芳"),
    ('context put({a: 1}, "b", 2)', {"a": 1, "b": 2}),
    ("get entries({a: 1})", [{"key": "a", "value": 1}]),
    ('"\\U01F40E" = "🐎"', True),
    ("// a remark\n1 + /* another */ 1", 2),
]


@pytest.mark.parametrize(("expression", "value"), CASES, ids=[expression for expression, _ in CASES])
def test_expression(expression: str, value: object) -> None:
    assert feel.evaluate(expression, VISIT) == value


@pytest.mark.parametrize(
    ("test", "value", "passes"),
    [
        ("> 5", 6, True),
        ("> 5", 5, False),
        ("[1..3], 7", 7, True),
        ("not(1, 2)", 3, True),
        ('"a", "b"', "b", True),
        ("-", None, True),
        ("null", None, True),
        ("not(null)", 1, True),
        ("> limit", 6, True),
        ('contains(?, "痛")', "头痛", True),
        ("true", True, True),
        ("true", 5, False),
        ("false", False, True),
        ("< 5", None, False),
        ('>= date("2026-01-01")', date(2026, 5, 1), True),
    ],
)
def test_a_cell_passes_or_not(test: str, value: object, passes: bool) -> None:
    assert feel.unary_test(test, value, {"limit": 5}) is passes


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -7, 2**53, 1.5, "text \u2028 \" \\ 中文", [1, [2, {}]], {"a": {"b": [None]}}, {"@date": 1}, {"__proto__": 1},
        date(2026, 1, 2), time(3, 4, 5), time(3, 4, tzinfo=UTC), datetime(2026, 1, 2, 3, 4), datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        timedelta(days=-1, microseconds=1), YearMonthDuration(-14), feel.Range(1, 3, True, False), feel.Range(None, date(2026, 1, 1), False),
    ],
    ids=repr,
)  # fmt: skip
def test_a_value_comes_back_as_it_went_in(value: object) -> None:
    returned = feel.evaluate("x", {"x": value})
    assert returned == value
    assert type(returned) is type(value)


def test_money_stays_whole_and_decimals_become_numbers() -> None:
    assert feel.evaluate("a + b", {"a": Decimal("10.50"), "b": Decimal("0.5")}) == 11
    assert isinstance(feel.evaluate("fee * 3", VISIT), int)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**60), float("nan"), b"bytes", object()])
def test_a_value_that_feel_would_change_is_refused_by_name(value: object) -> None:
    with pytest.raises(ExpressionFailed, match=r"visit\.x"):
        feel.evaluate("visit", {"visit": {"x": value}})


def test_an_unknown_variable_is_null_and_warned_of() -> None:
    value, warnings = feel.evaluate_with_warnings("missing + 1", {})
    assert value is None
    assert next((w.kind, w.start, w.end) for w in warnings) == ("NO_VARIABLE_FOUND", 0, 7)


@pytest.mark.parametrize(
    ("expression", "cause"),
    [("a +", "character 4"), ("f(", "character 3"), ('"open', "character 1"), ("function(x) x", "function"), ("{a: sum}", "function")],
)
def test_a_failure_names_the_expression_and_the_cause(expression: str, cause: str) -> None:
    with pytest.raises(ExpressionFailed) as failure:
        feel.evaluate(expression, {"a": 1})
    assert expression in failure.value.message
    assert cause in failure.value.message


def test_several_expressions_cost_one_trip_and_see_the_same_variables() -> None:
    assert feel.evaluate_many(["=acuity = 1", "acuity = 2", "unknown"], VISIT) == [False, True, None]
    assert feel.evaluate_many([], VISIT) == []


def test_now_and_today_read_the_engines_clock_in_the_clinics_zone() -> None:
    with clock.at(datetime(2026, 11, 21, 18, 30, tzinfo=UTC)):
        assert feel.evaluate("today()", {}) == date(2026, 11, 22)
        assert feel.evaluate("now()", {}) == datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
        assert feel.evaluate("now().hour", {}) == 2


def test_syntax_is_checked_without_evaluating() -> None:
    assert feel.check_syntax("=a + b * (c") != []
    assert feel.check_syntax("Full Name = 1", known=["Full Name"]) == []
    assert feel.check_syntax("> 5, not(", unary=True) != []
    assert feel.check_syntax("[1..5], > 7", unary=True) == []


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("a + b.c + sum(d)", {"a", "b", "d"}),
        ("for x in xs return x + y", {"xs", "y"}),
        ("{k: v, r: k}.r", {"v"}),
        ("function(p) p + q", {"q"}),
        ("items[price > limit]", {"items", "price", "limit"}),
        ('"a" + string(1)', set()),
        ("x instance of number", {"x"}),
    ],
)
def test_the_variables_that_an_expression_reads(expression: str, read: set[str]) -> None:
    assert feel.names(expression) == read
