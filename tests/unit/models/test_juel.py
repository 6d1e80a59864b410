"""Simple expressions of older dialects mean the same in FEEL; all else is refused."""

from __future__ import annotations

import pytest

from engine.execution.feel import evaluate
from engine.models.juel import NotSimple, is_foreign, to_feel

SAME = [
    ("${amount >= 100 && approved}", "amount >= 100 and approved", {"amount": 100, "approved": True}, True),
    ("${!approved || a ne b}", "not(approved) or a != b", {"approved": True, "a": 1, "b": 1}, False),
    ("#{kind == 'x\"y'}", 'kind = "x\\"y"', {"kind": 'x"y'}, True),
    ('test.contains("a")', 'contains(test, "a")', {"test": "abc"}, True),
    ("${name.equals(other.name)}", "(name = other.name)", {"name": "x", "other": {"name": "x"}}, True),
    ("${empty list}", '(list = null or list = [] or list = "")', {"list": []}, True),
    ("${n % 2 eq 1 ? 'odd' : 'even'}", 'if modulo(n, 2) = 1 then "odd" else "even"', {"n": 3}, "odd"),
    ("${items[0].price * (1 + tax)}", "items[1].price * (1 + tax)", {"items": [{"price": 10}], "tax": 1}, 20),
    ("${map['key']}", "map.key", {"map": {"key": 7}}, 7),
    ("Hello ${name}!", '"Hello " + string(name) + "!"', {"name": "Li"}, "Hello Li!"),
    ("${items.size() > 0}", "count(items) > 0", {"items": [1]}, True),
    ("${a - -1 > 2}", "a - -1 > 2", {"a": 2}, True),
]


@pytest.mark.parametrize(("juel", "feel", "context", "value"), SAME)
def test_what_is_simple_means_the_same_in_feel(juel: str, feel: str, context: dict[str, object], value: object) -> None:
    assert is_foreign(juel) or "${" not in juel
    assert to_feel(juel) == feel
    assert evaluate(feel, context) == value


@pytest.mark.parametrize(
    "text",
    [
        "${bean.method(x)}",
        "${execution.getVariable('x')}",
        "${now()}",
        "${a ? b}",
        "${a +}",
        "${x = 1}",
        "${list[i]}",
        "${new X()}",
        "${}",
        "${" + "(" * 5000 + "}",
    ],
)
def test_what_is_not_simple_is_refused(text: str) -> None:
    with pytest.raises(NotSimple):
        to_feel(text)


@pytest.mark.parametrize("text", ["amount > 10", 'contains(x, "${a}")', 'status = "a || b"', "a and b", "list contains(xs, 1)"])
def test_feel_is_not_taken_for_something_else(text: str) -> None:
    assert not is_foreign(text)
