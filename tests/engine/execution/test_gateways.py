"""Gateways, and activities that split like gateways."""

from __future__ import annotations

import pytest

from tests.engine.build import (
    both,
    catch,
    end,
    message,
    note,
    process,
    race,
    receive,
    script,
    some,
    start,
    timer,
    user,
    xor,
)
from tests.engine.world import World


class TestExclusive:
    MODEL = process(
        start(), xor("g", default="g_c"), note("a"), note("b"), note("c"), end(),
        flows=["start -> g", "g -> a : n > 10", "g -> b : n > 5", "g -> c", "a -> end", "b -> end", "c -> end"],
    )  # fmt: skip

    @pytest.mark.parametrize(("n", "taken"), [(20, "a"), (7, "b"), (1, "c")])
    def test_takes_the_first_flow_in_the_diagrams_order_whose_condition_holds(self, world: World, n: int, taken: str) -> None:
        world.deploy(self.MODEL)
        world.start({"n": n})
        assert world.variables["path"] == [taken]
        assert world.over

    def test_a_condition_that_gives_null_is_an_incident_although_there_is_a_default(self, world: World) -> None:
        world.deploy(self.MODEL)
        world.start()
        assert world.incidents == [("g", "expression")]
        [failed] = [t.notes["failed"]["message"] for t in world.run.root.tasks.values() if t.notes.get("failed")]
        assert "'n > 10' of the flow g_a gives null" in failed
        assert "Without a value: n." in failed
        world.change(n=7)
        world.retry("g")
        assert world.variables["path"] == ["b"]

    def test_conditions_after_the_first_that_holds_do_not_matter(self, world: World) -> None:
        world.deploy(
            process(
                start(), xor("g", default="g_c"), note("a"), note("b"), note("c"), end(),
                flows=["start -> g", "g -> a : true", "g -> b : n > 5", "g -> c", "a -> end", "b -> end", "c -> end"],
            )
        )  # fmt: skip
        assert world.start().variables["path"] == ["a"]

    @pytest.mark.parametrize("value", ["yes", 1])
    def test_a_condition_that_gives_something_else_is_an_incident(self, world: World, value: object) -> None:
        world.deploy(
            process(start(), xor("g", "g_b"), note("a"), note("b"), end(), flows=["start -> g", "g -> a : n", "g -> b", "a -> end", "b -> end"])
        )
        assert world.start({"n": value}).incidents == [("g", "expression")]

    def test_is_an_incident_when_nothing_holds_and_there_is_no_default(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                xor("g"),
                note("a"),
                note("b"),
                end(),
                flows=["start -> g", "g -> a : n > 10", "g -> b : n > 5", "a -> end", "b -> end"],
            )
        )
        world.start({"n": 1})
        assert world.incidents == [("g", "no_flow")]
        world.change(n=11)
        world.retry("g")
        assert world.over
        assert world.variables["path"] == ["a"]

    def test_a_condition_that_is_neither_true_nor_false_is_an_incident(self, world: World) -> None:
        world.deploy(self.MODEL)
        world.start({"n": 1}, process="p")
        world.deploy(
            process(
                start(),
                xor("g", default="g_b"),
                note("a"),
                note("b"),
                end(),
                flows=["start -> g", 'g -> a : "yes"', "g -> b", "a -> end", "b -> end"],
            )
        )
        world.start({})
        assert world.incidents == [("g", "expression")]

    def test_merges_by_letting_every_token_through(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), note("a"), note("b"), xor("m"), note("after"), end(),
                    flows=["start -> f", "f -> a -> m", "f -> b -> m", "m -> after -> end"]), lint=False
        )  # fmt: skip
        world.start()
        assert world.times("after") == 2


class TestParallel:
    def test_takes_all_flows_and_joins_once(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), user("a"), user("b"), both("j"), note("after"), end(),
                    flows=["start -> f", "f -> a -> j", "f -> b -> j", "j -> after -> end"])
        )  # fmt: skip
        world.start()
        assert world.at == ["a", "b"]
        world.complete("b")
        assert world.at == ["a", "j"]
        world.complete("a")
        assert world.over
        assert world.times("after") == 1

    def test_branches_never_overwrite_each_others_values(self, world: World) -> None:
        """A stale copy of a branch's data must not come back at the join."""
        world.deploy(
            process(start(), both("f"), user("a"), user("b"), user("b2"), both("j"), user("last"), end(),
                    flows=["start -> f", "f -> a -> j", "f -> b -> b2 -> j", "j -> last -> end"])
        )  # fmt: skip
        world.start({"x": 0, "items": [1]})
        world.complete("a", x=1, items=[1, 2])
        world.complete("b", y=2)
        world.complete("b2", z=3)
        assert world.variables == {"x": 1, "y": 2, "z": 3, "items": [1, 2]}

    def test_a_loop_through_a_join_fires_once_a_round(self, world: World) -> None:
        world.deploy(
            process(start(), xor("top"), both("f"), note("a"), note("b"), both("j"), script("count", "=n + 1", "n"), xor("again", default="again_end"), end(),
                    flows=["start -> top -> f", "f -> a -> j", "f -> b -> j", "j -> count -> again", "again -> top : n < 5", "again -> end"])
        )  # fmt: skip
        world.start({"n": 0})
        assert world.times("count") == 5
        assert world.over

    def test_waits_for_each_flow_and_not_for_two_tokens_on_one(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), user("a"), user("b"), user("c"), xor("m"), both("j"), note("after"), end(),
                    flows=["start -> f", "f -> a -> m", "f -> b -> m", "m -> j", "f -> c -> j", "j -> after -> end"]), lint=False
        )  # fmt: skip
        world.start()
        world.complete("a")
        world.complete("b")
        assert world.times("after") == 0
        world.complete("c")
        assert world.times("after") == 1
        assert world.incidents == [("j", "deadlock")], "the second token on one flow can never be joined"

    def test_a_join_that_can_never_fire_is_an_incident(self, world: World) -> None:
        world.deploy(
            process(start(), xor("g", default="g_b"), note("a"), note("b"), both("j"), end(),
                    flows=["start -> g", "g -> a : n > 1", "g -> b", "a -> j", "b -> j", "j -> end"]), lint=False
        )  # fmt: skip
        world.start({"n": 5})
        assert world.incidents == [("j", "deadlock")]


class TestInclusive:
    MODEL = process(
        start(), some("s", default="s_c"), user("a"), user("b"), user("c"), some("m"), note("after"), end(),
        flows=["start -> s", "s -> a : n > 1", "s -> b : n > 2", "s -> c", "a -> m", "b -> m", "c -> m", "m -> after -> end"],
    )  # fmt: skip

    def test_takes_every_flow_that_holds_and_merges_them(self, world: World) -> None:
        world.deploy(self.MODEL)
        world.start({"n": 3})
        assert world.at == ["a", "b"]
        world.complete("a")
        assert world.times("after") == 0
        world.complete("b")
        assert world.times("after") == 1
        assert world.over

    def test_takes_the_default_only_when_nothing_else_holds(self, world: World) -> None:
        world.deploy(self.MODEL)
        world.start({"n": 0})
        assert world.at == ["c"]
        world.complete("c")
        assert world.over

    def test_a_single_token_does_not_wait(self, world: World) -> None:
        world.deploy(self.MODEL)
        world.start({"n": 2})
        world.complete("a")
        assert world.over

    def test_waits_for_a_token_far_upstream(self, world: World) -> None:
        """BPMN 2.0.2, 13.4.3: a token waits while another one can still come by an empty flow."""
        world.deploy(
            process(start(), both("f"), user("near"), user("far1"), user("far2"), some("m"), note("after"), end(),
                    flows=["start -> f", "f -> near -> m", "f -> far1 -> far2 -> m", "m -> after -> end"])
        )  # fmt: skip
        world.start()
        world.complete("near")
        world.complete("far1")
        assert world.times("after") == 0
        world.complete("far2")
        assert world.times("after") == 1

    def test_does_not_wait_for_a_token_that_has_left_by_another_way(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), user("near"), user("choose"), xor("x", default="x_out"), some("m"), note("after"), end(), note("out"), end("end2"),
                    flows=["start -> f", "f -> near -> m", "f -> choose -> x", "x -> m : back", "x -> out -> end2", "m -> after -> end"])
        )  # fmt: skip
        world.start()
        world.complete("near")
        assert world.times("after") == 0
        world.complete("choose", back=False)
        assert world.times("after") == 1
        assert world.over

    def test_merges_inside_a_loop(self, world: World) -> None:
        world.deploy(
            process(start(), xor("top"), some("s"), note("a"), note("b"), some("m"), script("count", "=n + 1", "n"), xor("again", default="again_end"), end(),
                    flows=["start -> top -> s", "s -> a : true", "s -> b : n > 1", "a -> m", "b -> m", "m -> count -> again", "again -> top : n < 4", "again -> end"])
        )  # fmt: skip
        world.start({"n": 0})
        assert (world.times("count"), world.times("b")) == (4, 2)


class TestImplicit:
    def test_an_activity_with_several_flows_splits_in_parallel(self, world: World) -> None:
        world.deploy(
            process(start(), user("t"), note("a"), note("b"), end(), end("end2"), flows=["start -> t", "t -> a -> end", "t -> b -> end2"])
        )
        world.start()
        world.complete("t")
        assert sorted(world.variables["path"]) == ["a", "b"]
        assert world.over

    def test_conditional_flows_of_an_activity_are_taken_when_they_hold(self, world: World) -> None:
        parts = (start(), user("t", default="t_c"), note("a"), note("b"), note("c"), end("e1"), end("e2"), end("e3"))
        flows = ["start -> t", "t -> a : n > 1", "t -> b : n > 2", "t -> c", "a -> e1", "b -> e2", "c -> e3"]
        world.deploy(process(*parts, flows=flows))
        for n, log in ((3, ["a", "b"]), (2, ["a"]), (0, ["c"])):
            world.start()
            world.complete("t", n=n)
            assert sorted(world.variables["path"]) == log

    def test_the_condition_on_an_only_flow_is_obeyed(self, world: World) -> None:
        """Stock SpiffWorkflow ignores it."""
        world.deploy(process(start(), user("t"), note("a"), end(), flows=["start -> t", "t -> a : ok", "a -> end"]), lint=False)
        world.start()
        world.complete("t", ok=False)
        assert world.incidents == [("t", "no_flow")]
        assert world.variables["ok"] is False, "what was submitted is kept"
        world.change(ok=True)
        world.retry("t")
        assert world.over

    def test_several_flows_into_an_activity_let_each_token_through(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), note("a"), note("b"), note("t"), end(), flows=["start -> f", "f -> a -> t", "f -> b -> t", "t -> end"]),
            lint=False,
        )
        assert world.start().times("t") == 2


class TestEventBased:
    def test_the_first_message_wins_and_the_others_listen_no_more(self, world: World) -> None:
        world.deploy(
            process(start(), race("r"), catch("paid", message("paid", "=id")), catch("failed", message("failed", "=id")), note("a"), note("b"), end(), end("e2"),
                    flows=["start -> r", "r -> paid -> a -> end", "r -> failed -> b -> e2"])
        )  # fmt: skip
        world.start({"id": "7"})
        world.publish("failed", "8")
        assert world.at == ["r"]
        world.publish("failed", "7", why="card")
        assert world.variables == {"id": "7", "why": "card", "path": ["b"]}
        world.publish("paid", "7")
        assert world.variables["path"] == ["b"]
        assert world.over

    def test_two_timers_have_their_own_deadlines(self, world: World) -> None:
        world.deploy(
            process(start(), race("r"), catch("long", timer("Duration", "PT2H")), catch("short", timer("Duration", "PT1H")), note("a"), note("b"), end(), end("e2"),
                    flows=["start -> r", "r -> long -> a -> end", "r -> short -> b -> e2"])
        )  # fmt: skip
        world.start()
        world.later(minutes=59)
        assert world.at == ["r"]
        world.later(minutes=2)
        assert world.variables["path"] == ["b"]
        world.later(hours=2)
        assert world.variables["path"] == ["b"]

    def test_a_receive_task_takes_part(self, world: World) -> None:
        world.deploy(
            process(start(), race("r"), receive("got", "result", "=id"), catch("late", timer("Duration", "PT1H")), note("a"), note("b"), end(), end("e2"),
                    flows=["start -> r", "r -> got -> a -> end", "r -> late -> b -> e2"])
        )  # fmt: skip
        world.start({"id": "7"})
        world.publish("result", "7", value=1)
        assert world.variables == {"id": "7", "value": 1, "path": ["a"]}
        assert world.over
