"""Variables: scopes, mappings, types, sizes."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.feel import YearMonthDuration
from engine.execution.values import decode, encode, is_plain
from tests.engine.build import end, process, script, service, start, sub, task, user
from tests.engine.world import World


class TestMappings:
    """Camunda 8's rules. A function cannot leave FEEL: that is how these expressions fail."""

    def test_inputs_are_local_to_the_activity(self, world: World) -> None:
        world.deploy(process(start(), script("a", "=x + y", "sum", inputs={"y": "=10"}), end(), flows="start -> a -> end"))
        assert world.start({"x": 1}).variables == {"x": 1, "sum": 11}

    def test_inputs_see_the_inputs_before_them(self, world: World) -> None:
        world.deploy(
            process(start(), service("a", inputs={"b": "=x + 1", "c": "=b + 1"}, outputs={"out": "=c"}), end(), flows="start -> a -> end")
        )
        world.start({"x": 1})
        world.answer("a")
        assert world.variables == {"x": 1, "out": 3}

    def test_an_input_hides_the_variable_of_its_name_only_inside(self, world: World) -> None:
        world.deploy(process(start(), user("a", inputs={"x": "=x * 100"}), end(), flows="start -> a -> end"))
        world.start({"x": 1})
        world.complete("a", y=2)
        assert world.variables == {"x": 1, "y": 2}

    def test_a_result_of_an_inputs_name_stays_local(self, world: World) -> None:
        world.deploy(process(start(), user("a", inputs={"x": "=0"}), end(), flows="start -> a -> end"))
        world.start({"x": 1})
        world.complete("a", x=5, y=2)
        assert world.variables == {"x": 1, "y": 2}

    def test_outputs_let_nothing_else_out(self, world: World) -> None:
        world.deploy(process(start(), service("a", outputs={"kept": "=found.name"}), end(), flows="start -> a -> end"))
        world.start()
        world.answer("a", found={"name": "Li"}, noise=1)
        assert world.variables == {"kept": "Li"}

    def test_an_output_overwrites_the_variable_around_even_when_an_input_has_its_name(self, world: World) -> None:
        world.deploy(process(start(), user("a", inputs={"x": "=x + 1"}, outputs={"x": "=x + answer"}), end(), flows="start -> a -> end"))
        world.start({"x": 1})
        world.complete("a", answer=10)
        assert world.variables == {"x": 12}

    def test_a_target_may_be_a_path(self, world: World) -> None:
        world.deploy(
            process(start(), task("a", outputs={"patient.name": '="Li"', "patient.address.city": '="Wuhan"'}), end(), flows="start -> a -> end")
        )
        assert world.start({"patient": {"id": 1}}).variables == {"patient": {"id": 1, "name": "Li", "address": {"city": "Wuhan"}}}

    def test_a_literal_is_text(self, world: World) -> None:
        world.deploy(process(start(), task("a", outputs={"x": "5"}), end(), flows="start -> a -> end"))
        assert world.start().variables == {"x": "5"}

    def test_a_failing_output_keeps_what_was_submitted(self, world: World) -> None:
        world.deploy(
            process(start(), user("a", outputs={"x": "=if divisor = null then sum else answer / divisor"}), end(), flows="start -> a -> end")
        )
        world.start()
        world.complete("a", answer=6)
        assert world.incidents == [("a", "expression")]
        world.change(divisor=2)
        world.retry("a")
        assert world.variables == {"divisor": 2, "x": 3}

    def test_a_failing_input_is_mapped_anew_when_it_is_tried_again(self, world: World) -> None:
        inputs = {"n": "=text", "bad": "=if text = null then sum else n"}
        world.deploy(process(start(), user("a", inputs=inputs, outputs={"seen": "=bad"}), end(), flows="start -> a -> end"))
        world.start()
        assert world.incidents == [("a", "expression")]
        world.change(text="hello")
        world.retry("a")
        world.complete("a")
        assert world.variables["seen"] == "hello"

    def test_writing_goes_to_where_the_name_is_known_else_to_the_process(self, world: World) -> None:
        box = sub(
            "box",
            start("s"),
            script("a", "=1", "inner"),
            script("b", "=2", "outer"),
            script("c", "=3", "new"),
            end("e"),
            flows="s -> a -> b -> c -> e",
            inputs={"inner": "=0"},
        )
        world.deploy(process(start(), box, end(), flows="start -> box -> end"))
        assert world.start({"outer": 0}).variables == {"outer": 2, "new": 3}


VALUES: list[Any] = [
    None, True, 0, -1, 2**70, 1.5, "", "汉字", [], [1, [2, {"a": None}]], {}, {"$date": "no date"}, {"$map": {"$int": 1}}, {"a": {"$decimal": 1, "b": 2}},
    Decimal("12.30"), date(2026, 2, 28), datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))), datetime(2026, 1, 1), time(8, 30),
    timedelta(days=-1, seconds=5), YearMonthDuration(14), {"when": [date(2026, 1, 1)]},
]  # fmt: skip


class TestTypes:
    @pytest.mark.parametrize("value", VALUES, ids=repr)
    def test_survive_the_database(self, world: World, value: Any) -> None:
        world.deploy(process(start(), user("a"), user("b"), end(), flows="start -> a -> b -> end"))
        world.start({"x": value})
        world.complete("a", y=[value])
        assert world.variables == {"x": value, "y": [value]}
        assert type(world.variables["x"]) is type(value)

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text()
            | st.decimals(allow_nan=False, allow_infinity=False)
            | st.dates()
            | st.times()
            | st.datetimes()
            | st.timedeltas(),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(["$date", "$map", "$int"]), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_any_value_comes_back_as_it_was(self, value: Any) -> None:
        assert decode(orjson.loads(orjson.dumps(encode(value)))) == value

    @given(
        st.recursive(
            st.none() | st.integers() | st.text() | st.dates(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("$int") | st.integers(), inner),
        )
    )
    def test_what_is_plain_is_written_as_it_is(self, value: Any) -> None:
        if is_plain(value):
            assert encode(value) == value
            assert decode(value) == value

    def test_what_no_variable_can_hold_is_named(self) -> None:
        with pytest.raises(TypeError, match="object"):
            encode({"a": [object()]})

    def test_a_megabyte_works(self, world: World) -> None:
        world.deploy(process(start(), user("a"), script("b", "=count(rows)", "n"), end(), flows="start -> a -> b -> end"))
        world.start({"rows": [{"text": "x" * 1000, "n": n} for n in range(1000)]})
        world.complete("a")
        assert world.variables["n"] == 1000
        assert world.over
