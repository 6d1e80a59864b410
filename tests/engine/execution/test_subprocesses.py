"""Embedded subprocesses, event subprocesses of every kind, transactions, compensation, call activities."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.build import (
    both,
    boundary,
    call,
    cancel,
    compensate,
    compensation_boundary,
    condition,
    diagram,
    each,
    end,
    error,
    escalation,
    event_sub,
    message,
    note,
    pool,
    process,
    script,
    service,
    signal,
    start,
    sub,
    throw,
    timer,
    user,
    xor,
)  # fmt: skip
from tests.engine.world import Stored, World


class TestEmbedded:
    def test_goes_on_when_all_tokens_inside_have_ended(self, world: World) -> None:
        inner = sub("box", start("s"), both("f"), user("a"), user("b"), end("e1"), end("e2"), flows=["s -> f", "f -> a -> e1", "f -> b -> e2"])
        world.deploy(process(start(), inner, note("after"), end(), flows="start -> box -> after -> end"))
        world.start()
        world.complete("a")
        assert world.at == ["b"]
        world.complete("b")
        assert world.variables["path"] == ["after"]

    def test_what_is_set_inside_is_known_outside_but_mapped_inputs_stay_inside(self, world: World) -> None:
        inner = sub(
            "box",
            start("s"),
            script("a", "=local + 1", "local"),
            script("b", "=local * 10", "result"),
            end("e"),
            flows="s -> a -> b -> e",
            inputs={"local": "=x"},
        )
        world.deploy(process(start(), inner, end(), flows="start -> box -> end"))
        assert world.start({"x": 1}).variables == {"x": 1, "result": 20}

    def test_outputs_choose_what_leaves_of_the_locals(self, world: World) -> None:
        inner = sub(
            "box",
            start("s"),
            script("a", "=local + 1", "local"),
            end("e"),
            flows="s -> a -> e",
            inputs={"local": "=x"},
            outputs={"y": "=local"},
        )
        world.deploy(process(start(), inner, end(), flows="start -> box -> end"))
        assert world.start({"x": 1}).variables == {"x": 1, "y": 2}

    def test_nests_deeply(self, world: World) -> None:
        inner = note("deep")
        for level in range(12):
            inner = sub(
                f"box{level}",
                start(f"s{level}"),
                inner,
                end(f"e{level}"),
                flows=f"s{level} -> {'deep' if level == 0 else f'box{level - 1}'} -> e{level}",
            )
        world.deploy(process(start(), inner, end(), flows="start -> box11 -> end"))
        assert world.start().variables["path"] == ["deep"]
        assert world.over


def handler(event: str, *, interrupting: bool = True) -> str:
    return event_sub("handler", start("hs", event, interrupting=interrupting), user("handle"), end("he"), flows="hs -> handle -> he")


TRIGGERS: dict[str, tuple[str, Any]] = {
    "message": (message("stop", "=id"), lambda world: world.publish("stop", "1")),
    "timer": (timer("Duration", "PT1H"), lambda world: world.later(hours=1)),
    "signal": (signal("stop"), lambda world: world.signal("stop")),
    "conditional": (condition("=level > 3"), lambda world: world.change(level=4)),
    "error": (error("E1"), lambda world: world.answer("work", error="E1")),
    "escalation": (escalation("X"), lambda world: world.complete("ask")),
}


@pytest.mark.parametrize("where", ["process", "subprocess"])
@pytest.mark.parametrize("kind", TRIGGERS)
class TestEventSubprocess:
    def model(self, kind: str, where: str, *, interrupting: bool) -> bytes:
        """`work` (a call) and `ask` (then an escalation) run side by side."""
        parts = (
            both("f"), service("work"), user("ask"), throw("up", escalation("X")), user("last"), end("e1"), end("e2"),
            handler(TRIGGERS[kind][0], interrupting=interrupting),
        )  # fmt: skip
        flows = ["s -> f", "f -> work -> e1", "f -> ask -> up -> last -> e2"]
        if where == "process":
            return process(start("s"), *parts, flows=flows)
        return process(start(), sub("box", start("s"), *parts, flows=flows), note("after"), end(), flows="start -> box -> after -> end")

    def test_an_interrupting_one_ends_all_else_in_its_scope(self, world: World, kind: str, where: str) -> None:
        world.deploy(self.model(kind, where, interrupting=True))
        world.start({"id": "1", "level": 1})
        assert world.at == ["ask", "work"]
        TRIGGERS[kind][1](world)
        assert world.at == ["handle"]
        world.complete("handle")
        assert world.over
        assert world.variables.get("path") == (["after"] if where == "subprocess" else None)

    def test_a_non_interrupting_one_runs_beside(self, world: World, kind: str, where: str) -> None:
        if kind == "error":
            pytest.skip("an error always interrupts")
        world.deploy(self.model(kind, where, interrupting=False))
        world.start({"id": "1", "level": 1})
        TRIGGERS[kind][1](world)
        assert world.at == (["handle", "last", "work"] if kind == "escalation" else ["ask", "handle", "work"])
        world.answer("work")
        if kind != "escalation":
            world.complete("ask")
        if kind != "escalation":
            assert world.at.count("handle") == 1
        world.complete("last")
        assert world.at == ["handle"], "the scope waits for the event subprocess"
        world.complete("handle")
        assert world.over

    def test_it_never_runs_by_itself(self, world: World, kind: str, where: str) -> None:
        """Stock SpiffWorkflow runs an error-start event subprocess without an error."""
        world.deploy(self.model(kind, where, interrupting=True))
        world.start({"id": "1", "level": 1})
        world.answer("work")
        if kind == "escalation":
            return
        world.complete("ask")
        world.complete("last")
        assert world.over
        assert world.times("handle") == 0


class TestEventSubprocessAgain:
    def test_a_non_interrupting_message_starts_it_each_time(self, world: World) -> None:
        world.deploy(process(start(), user("work"), handler(message("more", "=id"), interrupting=False), end(), flows="start -> work -> end"))
        world.start({"id": "1"})
        for _ in range(3):
            world.publish("more", "1")
        assert world.at == ["handle", "handle", "handle", "work"]

    def test_a_non_interrupting_cycle_starts_it_each_time(self, world: World) -> None:
        world.deploy(
            process(start(), user("work"), handler(timer("Cycle", "R2/PT1H"), interrupting=False), end(), flows="start -> work -> end")
        )
        world.start()
        world.later(hours=5)
        assert world.at == ["handle", "handle", "work"]

    def test_a_waiting_timer_does_not_keep_the_process_alive(self, world: World) -> None:
        world.deploy(process(start(), user("work"), handler(timer("Duration", "PT1H")), end(), flows="start -> work -> end"))
        world.start()
        world.complete("work")
        assert world.over

    def test_an_error_inside_it_leaves_its_scope(self, world: World) -> None:
        """It is not caught by the event subprocess that threw it: that would never end."""
        rethrow = event_sub("handler", start("hs", error("E1")), note("handle"), end("again", error("E1")), flows="hs -> handle -> again")
        box = sub("box", start("s"), end("bad", error("E1")), rethrow, flows="s -> bad")
        world.deploy(
            process(
                start(),
                box,
                boundary("caught", "box", error("E1")),
                note("after"),
                end(),
                end("e2"),
                flows=["start -> box -> end", "caught -> after -> e2"],
            )
        )
        assert world.start().variables["path"] == ["handle", "after"]
        assert world.over


class TestCompensation:
    def undo(self, name: str) -> str:
        return note(f"un{name}", isForCompensation=True)

    def test_undoes_what_was_done_in_reverse_order(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                note("a"),
                note("b"),
                note("c"),
                compensation_boundary("a", "una"),
                compensation_boundary("b", "unb"),
                compensation_boundary("c", "unc"),
                self.undo("a"),
                self.undo("b"),
                self.undo("c"),
                throw("back", compensate()),
                note("after"),
                end(),
                flows="start -> a -> b -> c -> back -> after -> end",
            )
        )
        assert world.start().variables["path"] == ["a", "b", "c", "unc", "unb", "una", "after"]
        assert world.over

    def test_undoes_one_activity_only_when_it_is_named(self, world: World) -> None:
        world.deploy(
            process(start(), note("a"), note("b"), compensation_boundary("a", "una"), compensation_boundary("b", "unb"), self.undo("a"), self.undo("b"),
                    throw("back", compensate("a")), end("rest", compensate()), flows="start -> a -> b -> back -> rest")
        )  # fmt: skip
        assert world.start().variables["path"] == ["a", "b", "una", "unb"], "what was undone is not undone again"

    def test_what_was_not_done_is_not_undone(self, world: World) -> None:
        world.deploy(
            process(start(), xor("g", default="g_b"), note("a"), note("b"), xor("m"), compensation_boundary("a", "una"), compensation_boundary("b", "unb"),
                    self.undo("a"), self.undo("b"), end("back", compensate()), flows=["start -> g", "g -> a : false", "g -> b", "a -> m", "b -> m", "m -> back"])
        )  # fmt: skip
        assert world.start().variables["path"] == ["b", "unb"]

    def test_waits_for_handlers_that_take_time(self, world: World) -> None:
        world.deploy(
            process(start(), note("a"), compensation_boundary("a", "una"), user("una", isForCompensation=True), throw("back", compensate()), note("after"), end(),
                    flows="start -> a -> back -> after -> end")
        )  # fmt: skip
        world.start()
        assert world.at == ["back", "una"]
        assert world.times("after") == 0
        world.complete("una")
        assert world.over

    def test_a_finished_subprocess_is_undone_inside_out_with_its_own_variables(self, world: World) -> None:
        box = sub(
            "box", start("s"), script("charge", "=amount", "charged"), compensation_boundary("charge", "refund"),
            script("refund", "=append(if refunds = null then [] else refunds, amount)", "refunds", isForCompensation=True), end("e"),
            flows="s -> charge -> e", inputs={"amount": "=price"},
        )  # fmt: skip
        world.deploy(
            process(
                start(),
                box,
                note("b"),
                compensation_boundary("b", "unb"),
                self.undo("b"),
                end("back", compensate()),
                flows="start -> box -> b -> back",
            )
        )
        world.start({"price": 7})
        assert world.variables["refunds"] == [7]
        assert world.variables["path"] == ["b", "unb"]

    def test_every_iteration_of_a_loop_of_subprocesses_is_undone(self, world: World) -> None:
        box = sub(
            "box", start("s"), note("a"), compensation_boundary("a", "una"),
            script("una", "=append(if undone = null then [] else undone, item)", "undone", isForCompensation=True), end("e"),
            flows="s -> a -> e", loop=each("=[1,2,3]", sequential=True),
        )  # fmt: skip
        world.deploy(process(start(), box, end("back", compensate()), flows="start -> box -> back"))
        assert world.start().variables["undone"] == [3, 2, 1]

    def test_a_subprocess_with_a_handler_of_its_own_is_undone_by_that_alone(self, world: World) -> None:
        box = sub("box", start("s"), note("a"), compensation_boundary("a", "una"), self.undo("a"), end("e"), flows="s -> a -> e")
        world.deploy(
            process(
                start(), box, compensation_boundary("box", "unbox"), self.undo("box"), end("back", compensate()), flows="start -> box -> back"
            )
        )
        assert world.start().variables["path"] == ["a", "unbox"]

    def test_a_cancelled_transaction_is_undone_and_left_by_its_cancel_event(self, world: World) -> None:
        box = sub(
            "box",
            start("s"),
            note("a"),
            note("b"),
            compensation_boundary("a", "una"),
            compensation_boundary("b", "unb"),
            self.undo("a"),
            self.undo("b"),
            both("f"),
            user("other"),
            end("e"),
            user("ask"),
            end("stop", cancel()),
            flows=["s -> a -> b -> f", "f -> other -> e", "f -> ask -> stop"],
            type_="transaction",
        )
        world.deploy(
            process(
                start(),
                box,
                boundary("cancelled", "box", cancel()),
                note("after"),
                end(),
                end("e2"),
                flows=["start -> box -> end", "cancelled -> after -> e2"],
            )
        )
        world.start()
        world.complete("ask")
        assert world.variables["path"] == ["a", "b", "unb", "una", "after"]
        assert world.over


class TestCall:
    CHILD = pool(start("cs"), user("inside"), script("sum", "=x + 1", "y"), end("ce"), flows="cs -> inside -> sum -> ce", id="child")

    def parent(self, *, process_id: str = "child", **kw: Any) -> str:
        return pool(start(), call("c", process_id, **kw), end(), flows="start -> c -> end")

    def test_runs_another_process_and_shares_variables_both_ways(self, world: World) -> None:
        world.deploy(diagram(self.parent(), self.CHILD))
        world.start({"x": 1})
        assert world.at == ["inside"]
        world.complete("inside", note="n")
        assert world.variables == {"x": 1, "y": 2, "note": "n"}
        assert world.over

    def test_the_called_process_has_variables_of_its_own_until_it_ends(self, world: World) -> None:
        child = pool(start("cs"), script("set", "=99", "x"), user("inside"), end("ce"), flows="cs -> set -> inside -> ce", id="child")
        world.deploy(diagram(self.parent(all_out=False), child))
        world.start({"x": 1})
        assert world.variables == {"x": 1}
        world.complete("inside")
        assert world.variables == {"x": 1}

    def test_mappings_choose_what_goes_in_and_out(self, world: World) -> None:
        world.deploy(diagram(self.parent(all_in=False, all_out=False, inputs={"x": "=a * 2"}, outputs={"result": "=y"}), self.CHILD))
        world.start({"a": 5, "secret": 1})
        world.complete("inside")
        assert world.variables == {"a": 5, "secret": 1, "result": 11}

    def test_the_process_id_may_be_an_expression(self, world: World) -> None:
        world.deploy(diagram(self.parent(process_id='="chi" + "ld"'), self.CHILD))
        world.start({"x": 1})
        assert world.at == ["inside"]

    def test_a_process_that_does_not_exist_is_an_incident(self, world: World) -> None:
        world.deploy(diagram(self.parent(process_id="=which"), self.CHILD))
        world.start({"which": "nobody", "x": 1})
        assert world.incidents == [("c", "model")]
        world.change(which="child")
        world.retry("c")
        assert world.at == ["inside"]

    def test_calls_itself_without_end_only_so_deep(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                xor("g", default="g_end"),
                call("c", "p", inputs={"n": "=n - 1"}),
                end(),
                flows=["start -> g", "g -> c : n > 0", "c -> end", "g -> end"],
            )
        )
        world.start({"n": 40})
        assert world.over
        assert world.times("c") == 40

    def test_a_binding_to_a_version_tag(self, stored: Stored) -> None:
        def child(tag: str) -> bytes:
            return process(start("cs"), script("mark", f'="{tag}"', "ran"), end("ce"), flows="cs -> mark -> ce", id="child", version_tag=tag)

        stored.deploy(child("as-is"))
        stored.deploy(child("to-be"))
        stored.deploy(diagram(self.parent(binding="versionTag", tagged="as-is")))
        assert stored.start().variables["ran"] == "as-is"

    def test_bindings_to_the_latest_and_to_the_same_deployment(self, stored: Stored) -> None:
        def files(mark: int, binding: str) -> bytes:
            return diagram(
                self.parent(binding=binding),
                pool(start("cs"), script("mark", f"={mark}", "ran"), end("ce"), flows="cs -> mark -> ce", id="child"),
            )

        def child(mark: int) -> bytes:
            return process(start("cs"), script("mark", f"={mark}", "ran"), end("ce"), flows="cs -> mark -> ce", id="child")

        stored.deploy(files(1, "deployment"))
        stored.later(minutes=1)
        stored.deploy(child(2))
        stored.later(minutes=1)
        assert stored.start().variables["ran"] == 1
        stored.deploy(files(3, "latest"))
        stored.later(minutes=1)
        stored.deploy(child(4))
        assert stored.start().variables["ran"] == 4
