"""Multi-instance and standard loops."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.build import (
    boundary,
    call,
    diagram,
    each,
    end,
    error,
    message,
    note,
    pool,
    process,
    receive,
    repeat,
    script,
    service,
    start,
    sub,
    user,
    xor,
)  # fmt: skip
from tests.engine.world import Memory, World


def around(activity: str, *more: str, flows: list[str] | None = None) -> bytes:
    return process(start(), activity, *more, end(), flows=flows or "start -> work -> end")


class TestParallel:
    def test_one_iteration_for_each_item(self, world: World) -> None:
        world.deploy(around(user("work", each("=items", out="answers", of="=item + answer"), inputs={"text": "=item"})))
        world.start({"items": [1, 2, 3]})
        assert world.at == ["work"] * 3
        for answer in (10, 20, 30):
            world.complete("work", answer=answer)
        assert sorted(world.variables["answers"]) == [11, 22, 33]
        assert world.times("work") == 4, "three iterations and their body"
        assert world.over

    def test_outputs_stay_in_the_order_of_the_inputs(self, world: World) -> None:
        world.deploy(around(service("work", each("=items", out="results", of="=r"), inputs={"n": "=item"}, outputs={"r": "=n * 10"})))
        world.start({"items": [3, 1, 2]})
        for _ in range(3):
            world.answer("work")
        assert world.variables == {"items": [3, 1, 2], "results": [30, 10, 20]}, "item, n and r belonged to the iterations"

    def test_an_empty_list_is_passed_at_once(self, world: World) -> None:
        world.deploy(around(user("work", each("=[]", out="answers", of="=answer"))))
        world.start()
        assert world.over
        assert world.variables == {"answers": []}

    def test_what_is_no_list_is_an_incident_and_can_be_mended(self, world: World) -> None:
        world.deploy(around(user("work", each("=items"))))
        world.start({"items": "a, b"})
        assert world.incidents == [("work", "expression")]
        world.change(items=["a", "b"])
        world.retry("work")
        assert world.at == ["work", "work"]

    def test_stops_early_and_withdraws_the_rest(self, world: World) -> None:
        world.deploy(around(user("work", each("=[1,2,3,4]", until="=numberOfCompletedInstances >= 2"))))
        world.start()
        world.complete("work")
        assert len(world.at) == 3
        world.complete("work")
        assert world.over

    def test_the_completion_condition_sees_the_iterations_own_values(self, world: World) -> None:
        world.deploy(around(user("work", each("=[1,2,3]", out="all", of="=found", until="=found = true"))))
        world.start()
        world.complete("work", found=False)
        assert not world.over
        world.complete("work", found=True)
        assert world.over
        assert world.variables["all"] == [False, True, None]

    def test_a_completion_condition_that_gives_null_is_an_incident(self, world: World) -> None:
        world.deploy(around(user("work", each("=[1,2]", until="=enough > 1"))))
        world.start()
        world.complete("work")
        assert [kind for _, kind in world.incidents] == ["expression"]
        world.change(enough=2)
        world.retry("work")
        assert world.over

    def test_an_error_of_one_iteration_ends_the_activity(self, world: World) -> None:
        model = around(
            service("work", each("=[1,2,3]")),
            boundary("bad", "work", error("E")),
            note("after"),
            end("e2"),
            flows=["start -> work -> end", "bad -> after -> e2"],
        )
        world.deploy(model)
        world.start()
        world.answer("work", error="E")
        assert world.over
        assert world.variables["path"] == ["after"]

    def test_each_iteration_waits_for_its_own_message(self, world: World) -> None:
        world.deploy(
            around(receive("work", "result", "=order", each("=orders", "order", out="values", of="=value"), outputs={"value": "=value"}))
        )
        world.start({"orders": ["a", "b"]})
        world.publish("result", "b", value=2)
        world.publish("result", "a", value=1)
        assert world.over
        assert world.variables["values"] == [1, 2]


class TestSequential:
    def test_one_after_the_other(self, world: World) -> None:
        world.deploy(around(user("work", each("=items", sequential=True, out="answers", of="=item * answer"))))
        world.start({"items": [1, 2, 3]})
        for answer in (10, 20, 30):
            assert world.at == ["work"]
            world.complete("work", answer=answer)
        assert world.variables["answers"] == [10, 40, 90]
        assert world.over

    def test_stops_early(self, world: World) -> None:
        world.deploy(around(user("work", each("=[1,2,3]", sequential=True, until="=stop"))))
        world.start()
        world.complete("work", stop=False)
        world.complete("work", stop=True)
        assert world.over

    def test_counts_from_one(self, world: World) -> None:
        world.deploy(
            around(script("work", "=append(if seen = null then [] else seen, loopCounter)", "seen", each('=["a","b"]', sequential=True)))
        )
        assert world.start().variables["seen"] == [1, 2]


class TestNested:
    @pytest.mark.parametrize("sequential", [True, False])
    def test_of_a_subprocess_with_its_own_variables(self, world: World, sequential: bool) -> None:
        inner = sub(
            "work", start("s"), script("a", "=item * 2", "double"), user("b"), end("e"), flows="s -> a -> b -> e",
            loop=each("=[1,2,3]", sequential=sequential, out="doubles", of="=double"),
        )  # fmt: skip
        world.deploy(around(inner))
        world.start()
        for _ in range(3):
            world.complete("b")
        assert world.over
        assert sorted(world.variables["doubles"]) == [2, 4, 6]

    def test_a_loop_in_a_loop(self, world: World) -> None:
        inner = sub(
            "work", start("s"), script("cell", "=row * 10 + column", "value", each("=[1,2]", "column", out="cells", of="=value"), outputs={"value": "=value"}), end("e"),
            flows="s -> cell -> e", loop=each("=[1,2,3]", "row", out="table", of="=cells"), inputs={"cells": "=[]"},
        )  # fmt: skip
        world.deploy(around(inner))
        assert world.start().variables["table"] == [[11, 12], [21, 22], [31, 32]]

    def test_of_a_call_activity(self, world: World) -> None:
        child = pool(start("cs"), script("x", "=item * item", "square"), end("ce"), flows="cs -> x -> ce", id="child")
        world.deploy(
            diagram(
                pool(start(), call("work", "child", each("=[1,2,3]", out="squares", of="=square")), end(), flows="start -> work -> end"), child
            )
        )
        assert world.start().variables == {"squares": [1, 4, 9]}

    def test_a_boundary_message_ends_all_iterations_of_a_subprocess(self, world: World) -> None:
        inner = sub("work", start("s"), user("a"), end("e"), flows="s -> a -> e", loop=each("=[1,2,3]"))
        model = around(
            inner,
            boundary("stop", "work", message("stop", "=id")),
            note("after"),
            end("e2"),
            flows=["start -> work -> end", "stop -> after -> e2"],
        )
        world.deploy(model)
        world.start({"id": "1"})
        world.complete("a")
        world.publish("stop", "1")
        assert world.over
        assert world.variables["path"] == ["after"]


class TestStandard:
    def test_goes_on_while_the_condition_holds(self, world: World) -> None:
        world.deploy(around(script("work", "=n + 1", "n", repeat("=n < 4"))))
        assert world.start({"n": 0}).variables["n"] == 4

    def test_runs_at_least_once_unless_tested_before(self, world: World) -> None:
        world.deploy(around(script("work", "=n + 1", "n", repeat("=n < 4"))))
        assert world.start({"n": 9}).variables["n"] == 10
        world.deploy(around(script("work", "=n + 1", "n", repeat("=n < 4", before=True))))
        assert world.start({"n": 9}).variables["n"] == 9

    def test_stops_at_its_maximum(self, world: World) -> None:
        world.deploy(around(script("work", "=n + 1", "n", repeat("=true", maximum=3))))
        assert world.start({"n": 0}).variables["n"] == 3

    def test_repeats_a_user_task(self, world: World) -> None:
        world.deploy(around(user("work", repeat("=not(ok)"))))
        world.start()
        world.complete("work", ok=False)
        assert world.at == ["work"]
        world.complete("work", ok=True)
        assert world.over


@pytest.mark.slow
class TestLong:
    """Stock SpiffWorkflow loses the token beyond a depth of 1,000."""

    LOOP = process(
        start(), xor("top"), user("work"), script("count", "=n + 1", "n"), xor("again", default="again_end"), end(),
        flows=["start -> top -> work -> count -> again", "again -> top : n < limit", "again -> end"],
    )  # fmt: skip

    @pytest.mark.parametrize("reload", [False, True])
    def test_ten_thousand_rounds_with_a_task_in_each_stay_small_and_fast(self, reload: bool) -> None:
        world: Any = Memory(reload=reload)
        world.deploy(self.LOOP)
        rounds = 10_000 if not reload else 2_000
        world.start({"n": 0, "limit": rounds})
        spans = []
        for part in range(4):
            begin = time.process_time()
            for _ in range(rounds // 4):
                world.complete("work")
            spans.append(time.process_time() - begin)
            assert sum(len(s.tasks) for s in world.run.scopes.values()) <= 1, f"part {part} leaves tokens behind"
        assert world.over
        assert world.variables["n"] == rounds
        assert spans[-1] < 2 * spans[0] + 0.5

    def test_ten_thousand_rounds_without_a_wait_in_one_step(self) -> None:
        world = Memory(reload=False)
        world.deploy(process(start(), xor("top"), script("count", "=n + 1", "n"), xor("again", default="again_end"), end(),
                             flows=["start -> top -> count -> again", "again -> top : n < 10000", "again -> end"]))  # fmt: skip
        world.start({"n": 0})
        assert world.over
        assert world.variables["n"] == 10_000

    def test_ten_thousand_sequential_iterations(self) -> None:
        world = Memory(reload=False)
        world.deploy(around(script("work", "=total + item", "total", each("=for i in 1..10000 return i", sequential=True))))
        assert world.start({"total": 0}).variables["total"] == 50_005_000

    def test_a_thousand_parallel_iterations(self) -> None:
        world = Memory(reload=True)
        world.deploy(around(user("work", each("=for i in 1..1000 return i", out="seen", of="=item"))))
        world.start()
        for _ in range(20):
            world.complete("work")
        assert len(world.at) == 980

    def test_a_circle_without_a_wait_is_an_incident_and_not_a_hang(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engine.execution.run.MOST_ROUNDS", 500)
        world = Memory(reload=False)
        world.deploy(process(start(), xor("a"), xor("b", default="b_a"), end(), flows=["start -> a -> b", "b -> a", "b -> end : false"]))
        world.start()
        assert [kind for _, kind in world.incidents] == ["endless"]
