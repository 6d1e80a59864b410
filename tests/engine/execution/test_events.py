"""Events: catching, boundary, throwing, links, ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engine.build import (
    both,
    boundary,
    call,
    catch,
    condition,
    diagram,
    each,
    end,
    error,
    escalation,
    link,
    message,
    note,
    pool,
    process,
    receive,
    script,
    send,
    service,
    signal,
    start,
    sub,
    terminate,
    throw,
    timer,
    user,
)  # fmt: skip
from tests.engine.world import World


class TestTimers:
    @pytest.mark.parametrize(
        ("kind", "value", "after"),
        [
            ("Duration", "PT30M", timedelta(minutes=30)),
            ("Duration", '=duration("PT1H")', timedelta(hours=1)),
            ("Duration", "P1DT2H", timedelta(hours=26)),
            ("Date", "2026-01-05T09:00:00+08:00", timedelta(hours=1)),
            ("Date", "2026-01-05T09:00:00", timedelta(hours=1)),  # the clinic's own time
            ("Date", '=date and time("2026-01-05T01:30:00Z")', timedelta(minutes=90)),
            ("Cycle", "0 0 9 * * MON-FRI", timedelta(hours=1)),  # nine in the clinic
            ("Cycle", "R1/PT45M", timedelta(minutes=45)),
        ],
    )
    def test_a_catching_timer_waits_until_it_is_due(self, world: World, kind: str, value: str, after: timedelta) -> None:
        world.deploy(process(start(), catch("wait", timer(kind, value)), end(), flows="start -> wait -> end"), lint=False)
        world.start()
        world.later(seconds=after.total_seconds() - 1)
        assert world.at == ["wait"]
        world.later(seconds=1)
        assert world.over

    def test_a_counted_cycle_lets_a_token_through_each_time(self, world: World) -> None:
        world.deploy(
            process(start(), catch("wait", timer("Cycle", "R3/PT10M")), note("a"), end(), flows="start -> wait -> a -> end"), lint=False
        )
        world.start()
        world.later(minutes=25)
        assert world.times("a") == 2
        world.later(minutes=10)
        assert world.times("a") == 3
        assert world.over

    def test_an_expression_that_gives_no_duration_is_an_incident_and_can_be_mended(self, world: World) -> None:
        world.deploy(process(start(), catch("wait", timer("Duration", "=span")), end(), flows="start -> wait -> end"))
        world.start()
        assert world.incidents == [("wait", "expression")]
        world.change(span="PT5M")
        world.retry("wait")
        world.later(minutes=5)
        assert world.over


class TestBoundary:
    def test_an_interrupting_timer_ends_its_activity(self, world: World) -> None:
        world.deploy(self.around(timer("Duration", "PT1H")))
        world.start()
        world.later(minutes=61)
        assert world.at == ["after"]
        assert "work" not in world.trace

    def test_an_interrupting_event_listens_no_more_once_the_activity_is_done(self, world: World) -> None:
        world.deploy(self.around(timer("Duration", "PT1H")))
        world.start()
        world.complete("work")
        world.later(hours=2)
        assert world.over
        assert "after" not in world.trace

    def test_a_non_interrupting_timer_leaves_the_activity_alone_and_fires_once(self, world: World) -> None:
        world.deploy(self.around(timer("Duration", "PT1H"), interrupting=False))
        world.start()
        world.later(hours=5)
        assert world.at == ["after", "work"]

    @pytest.mark.parametrize(("cycle", "times"), [("R3/PT1H", 3), ("R/PT1H", 5), ("0 0 * * * *", 5)])
    def test_a_non_interrupting_cycle_fires_again_and_again(self, world: World, cycle: str, times: int) -> None:
        world.deploy(self.around(timer("Cycle", cycle), interrupting=False))
        world.start()
        world.later(hours=5)
        assert world.at == ["after"] * times + ["work"]
        world.complete("work")
        world.later(hours=5)
        assert world.at == ["after"] * times, "the cycle ends with its activity"

    @pytest.mark.parametrize("interrupting", [True, False])
    def test_a_message(self, world: World, interrupting: bool) -> None:
        world.deploy(self.around(message("stop", "=id"), interrupting=interrupting))
        world.start({"id": "7"})
        world.publish("stop", "8")
        assert world.at == ["work"]
        world.publish("stop", "7", why="ill")
        assert world.at == (["after"] if interrupting else ["after", "work"])
        assert world.variables["why"] == "ill"

    def test_a_non_interrupting_message_fires_again(self, world: World) -> None:
        """Stock SpiffWorkflow fires it once only."""
        world.deploy(self.around(message("more", "=id"), interrupting=False))
        world.start({"id": "7"})
        for _ in range(3):
            world.publish("more", "7")
        assert world.at == ["after", "after", "after", "work"]

    @pytest.mark.parametrize("interrupting", [True, False])
    def test_a_signal(self, world: World, interrupting: bool) -> None:
        world.deploy(self.around(signal("alarm"), interrupting=interrupting))
        world.start()
        world.signal("other")
        world.signal("alarm")
        assert world.at == (["after"] if interrupting else ["after", "work"])

    @pytest.mark.parametrize("interrupting", [True, False])
    def test_a_condition_that_becomes_true_through_another_branch(self, world: World, interrupting: bool) -> None:
        inner = boundary("event", "work", condition("=level > 3"), interrupting=interrupting)
        world.deploy(
            process(start(), both("f"), user("work"), inner, user("after"), user("other"), end(), end("e2"), end("e3"),
                    flows=["start -> f -> work -> end", "event -> after -> e2", "f -> other -> e3"])
        )  # fmt: skip
        world.start({"level": 1})
        world.complete("other", level=5)
        assert world.at == (["after"] if interrupting else ["after", "work"])

    def test_a_non_interrupting_condition_fires_each_time_it_becomes_true(self, world: World) -> None:
        world.deploy(self.around(condition("=level > 3"), interrupting=False))
        world.start({"level": 1})
        for level in (5, 6, 1, 7):
            world.change(level=level)
        assert world.at == ["after", "after", "work"]

    def test_a_condition_that_fails_is_an_incident_of_the_event_and_listens_on_after_retry(self, world: World) -> None:
        world.deploy(self.around(condition('=if level = 1 then assert(false, "no") else level > 3')), lint=False)
        world.start({"level": 0})
        assert world.at == ["work"]

    def test_an_error_by_its_code_before_catch_all(self, world: World) -> None:
        world.deploy(
            process(start(), service("work"), boundary("any", "work", error()), boundary("own", "work", error("E1")), note("a"), note("b"), end(), end("e2"), end("e3"),
                    flows=["start -> work -> end", "any -> a -> e2", "own -> b -> e3"])
        )  # fmt: skip
        for code, taken in (("E1", "b"), ("E2", "a")):
            world.start()
            world.answer("work", error=code, detail="x")
            assert world.variables == {"path": [taken], "detail": "x"}
            assert world.over

    def test_an_error_with_another_code_is_an_incident_and_the_call_can_be_tried_again(self, world: World) -> None:
        world.deploy(self.around(error("E1"), work=service("work")))
        world.start()
        world.answer("work", error="E2")
        assert world.incidents == [("work", "uncaught_error")]
        world.retry("work")
        assert world.incidents == []
        world.answer("work")
        assert world.over

    def test_an_interrupted_call_is_withdrawn(self, world: World) -> None:
        world.deploy(self.around(timer("Duration", "PT1H"), work=service("work")))
        world.start()
        world.later(hours=1)
        assert world.at == ["after"]

    def test_an_interrupted_subprocess_ends_with_all_that_is_inside(self, world: World) -> None:
        inner = sub(
            "work",
            start("s"),
            both("f"),
            user("a"),
            receive("b", "m", "=id"),
            both("j"),
            end("e"),
            flows=["s -> f", "f -> a -> j", "f -> b -> j", "j -> e"],
        )
        world.deploy(self.around(timer("Duration", "PT1H"), work=inner))
        world.start({"id": "1"})
        assert world.at == ["a", "b"]
        world.later(hours=1)
        assert world.at == ["after"]

    def test_a_boundary_event_of_a_loop_watches_all_its_iterations(self, world: World) -> None:
        world.deploy(self.around(timer("Duration", "PT1H"), work=user("work", each("=[1,2,3]"))))
        world.start()
        world.complete("work")
        world.later(hours=1)
        assert world.at == ["after"]

    @staticmethod
    def around(event: str, *, interrupting: bool = True, work: str = "") -> bytes:
        parts = (start(), work or user("work"), boundary("event", "work", event, interrupting=interrupting), user("after"), end(), end("e2"))
        return process(*parts, flows=["start -> work -> end", "event -> after -> e2"])


class TestMessages:
    def test_a_receive_task_waits_for_its_message_with_its_key(self, world: World) -> None:
        world.deploy(process(start(), receive("got", "lab", "=order"), end(), flows="start -> got -> end"))
        world.start({"order": 12})
        world.publish("lab", "13", value=1)
        world.publish("result", "12", value=2)
        assert world.at == ["got"]
        world.publish("lab", "12", value=3)
        assert world.over
        assert world.variables["value"] == 3

    def test_a_key_that_is_unknown_is_an_incident(self, world: World) -> None:
        world.deploy(process(start(), receive("got", "lab", "=order"), end(), flows="start -> got -> end"))
        world.start()
        assert world.incidents == [("got", "expression")]
        world.change(order="5")
        world.retry("got")
        world.publish("lab", "5")
        assert world.over

    def test_a_name_may_be_an_expression(self, world: World) -> None:
        world.deploy(process(start(), catch("got", message('="lab-" + kind', "=id")), end(), flows="start -> got -> end"))
        world.start({"kind": "blood", "id": "1"})
        world.publish("lab-blood", "1")
        assert world.over

    def test_output_mappings_choose_from_the_payload(self, world: World) -> None:
        world.deploy(process(start(), catch("got", message("m", "=id"), outputs={"level": "=value * 2"}), end(), flows="start -> got -> end"))
        world.start({"id": "1"})
        world.publish("m", "1", value=4, noise=1)
        assert world.variables == {"id": "1", "level": 8}

    def test_a_thrown_message_reaches_another_branch(self, world: World) -> None:
        world.deploy(
            process(start(), both("f"), receive("got", "m", "=id"), send("tell", "m", "=id", inputs={"text": '="hello"'}), end(), end("e2"),
                    flows=["start -> f", "f -> got -> end", "f -> tell -> e2"])
        )  # fmt: skip
        world.start({"id": "1"})
        assert world.over
        assert world.variables["text"] == "hello"

    def test_a_catch_for_several_events_takes_the_first_that_comes(self, world: World) -> None:
        world.deploy(
            process(start(), catch("got", message("m", "=id"), timer("Duration", "PT1H"), signal("s")), end(), flows="start -> got -> end"),
            lint=False,
        )
        for act in ("m", "s", "timer"):
            world.start({"id": "1"})
            world.publish("m", "1") if act == "m" else world.signal("s") if act == "s" else world.later(hours=1)
            assert world.over


class TestSignals:
    def test_a_thrown_signal_reaches_all_that_wait_in_the_instance(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                both("f"),
                catch("a", signal("go")),
                catch("b", signal("go")),
                user("first"),
                throw("tell", signal("go"), inputs={"n": "=1"}),
                end(),
                end("e2"),
                end("e3"),
                flows=["start -> f", "f -> a -> end", "f -> b -> e2", "f -> first -> tell -> e3"],
            )
        )
        world.start()
        world.complete("first")
        assert world.over
        assert world.variables["n"] == 1

    def test_a_signal_end_throws(self, world: World) -> None:
        """Stock SpiffWorkflow drops it silently."""
        world.deploy(
            process(
                start(),
                both("f"),
                catch("a", signal("go")),
                user("first"),
                end("e2", signal("go")),
                end(),
                flows=["start -> f", "f -> a -> end", "f -> first -> e2"],
            )
        )
        world.start()
        world.complete("first")
        assert world.over
        assert world.times("a") == 1

    def test_nobody_waiting_is_no_fault(self, world: World) -> None:
        world.deploy(process(start(), throw("tell", signal("go")), end(), flows="start -> tell -> end"))
        assert world.start().over


class TestLinks:
    def test_a_link_goes_on_at_the_catching_end_of_its_name(self, world: World) -> None:
        world.deploy(
            process(start(), note("a"), throw("off", link("L1")), catch("on", link("L1")), catch("on2", link("L2")), note("b"), end(), end("e2"),
                    flows=["start -> a -> off", "on -> b -> end", "on2 -> e2"]), lint=False
        )  # fmt: skip
        assert world.start().variables["path"] == ["a", "b"]
        assert world.over

    def test_links_inside_a_subprocess_stay_inside(self, world: World) -> None:
        inner = sub("box", start("s"), throw("off", link("L")), catch("on", link("L")), note("b"), end("e"), flows=["s -> off", "on -> b -> e"])
        world.deploy(process(start(), inner, end(), flows="start -> box -> end"))
        assert world.start().variables["path"] == ["b"]
        assert world.over


class TestErrorsAndEscalations:
    def test_an_error_end_leaves_a_subprocess_by_its_boundary_event(self, world: World) -> None:
        inner = sub(
            "box",
            start("s"),
            both("f"),
            user("a"),
            user("b"),
            end("bad", error("E1")),
            end("e"),
            flows=["s -> f", "f -> a -> bad", "f -> b -> e"],
        )
        world.deploy(
            process(
                start(),
                inner,
                boundary("caught", "box", error("E1")),
                note("after"),
                end(),
                end("e2"),
                flows=["start -> box -> end", "caught -> after -> e2"],
            )
        )
        world.start()
        world.complete("a")
        assert world.over
        assert world.variables["path"] == ["after"]
        assert "end" not in world.trace

    def test_an_uncaught_error_end_is_an_incident(self, world: World) -> None:
        """Stock SpiffWorkflow goes on as if nothing had happened."""
        world.deploy(process(start(), end("bad", error("E1")), flows="start -> bad"))
        world.start()
        assert world.incidents == [("bad", "uncaught_error")]
        assert not world.over

    def test_an_error_climbs_through_several_levels_and_a_call_activity(self, world: World) -> None:
        inner = pool(
            start("cs"), sub("deep", start("s2"), end("bad", error("E1")), flows="s2 -> bad"), end("ce"), flows="cs -> deep -> ce", id="inner"
        )
        outer = pool(
            start(),
            sub("box", start("s"), call("c", "inner"), end("e"), flows="s -> c -> e"),
            boundary("caught", "box", error("E1")),
            note("after"),
            end(),
            end("e2"),
            flows=["start -> box -> end", "caught -> after -> e2"],
        )
        world.deploy(diagram(outer, inner))
        assert world.start().variables["path"] == ["after"]
        assert world.over

    def test_the_innermost_that_catches_wins(self, world: World) -> None:
        deep = sub("deep", start("s2"), end("bad", error("E1")), flows="s2 -> bad")
        box = sub(
            "box",
            start("s"),
            deep,
            boundary("near", "deep", error("E1")),
            note("a"),
            end("e"),
            end("e3"),
            flows=["s -> deep -> e", "near -> a -> e3"],
        )
        world.deploy(
            process(
                start(), box, boundary("far", "box", error("E1")), note("b"), end(), end("e2"), flows=["start -> box -> end", "far -> b -> e2"]
            )
        )
        assert world.start().variables["path"] == ["a"]

    @pytest.mark.parametrize("interrupting", [True, False])
    def test_an_escalation_end(self, world: World, interrupting: bool) -> None:
        inner = sub(
            "box",
            start("s"),
            both("f"),
            user("a"),
            user("b"),
            end("up", escalation("X")),
            end("e"),
            flows=["s -> f", "f -> a -> up", "f -> b -> e"],
        )
        world.deploy(
            process(start(), inner, boundary("caught", "box", escalation("X"), interrupting=interrupting), user("after"), end(), end("e2"),
                    flows=["start -> box -> end", "caught -> after -> e2"])
        )  # fmt: skip
        world.start()
        world.complete("a")
        assert world.at == (["after"] if interrupting else ["after", "b"])

    def test_a_throwing_escalation_goes_on_when_what_catches_it_does_not_interrupt(self, world: World) -> None:
        inner = sub("box", start("s"), throw("up", escalation("X"), inputs={"level": "=2"}), user("a"), end("e"), flows="s -> up -> a -> e")
        world.deploy(
            process(start(), inner, boundary("caught", "box", escalation("X"), interrupting=False), note("after"), end(), end("e2"),
                    flows=["start -> box -> end", "caught -> after -> e2"])
        )  # fmt: skip
        world.start()
        assert world.at == ["a"]
        assert world.variables == {"path": ["after"], "level": 2}

    def test_an_escalation_that_nobody_catches_is_no_fault(self, world: World) -> None:
        world.deploy(process(start(), throw("up", escalation("X")), note("a"), end(), flows="start -> up -> a -> end"))
        assert world.start().over

    def test_an_escalation_leaves_a_called_process(self, world: World) -> None:
        inner = pool(start("cs"), throw("up", escalation("X")), end("ce"), flows="cs -> up -> ce", id="inner")
        outer = pool(
            start(),
            call("c", "inner"),
            boundary("caught", "c", escalation(), interrupting=False),
            note("after"),
            end(),
            end("e2"),
            flows=["start -> c -> end", "caught -> after -> e2"],
        )
        world.deploy(diagram(outer, inner))
        assert world.start().variables["path"] == ["after"]
        assert world.over


class TestTerminate:
    def test_ends_everything_in_the_process(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                both("f"),
                user("a"),
                user("b"),
                end(),
                end("stop", terminate()),
                flows=["start -> f", "f -> a -> end", "f -> b -> stop"],
            )
        )
        world.start()
        world.complete("b")
        assert world.over
        assert world.trace[-1] == "stop"

    def test_ends_only_its_own_subprocess(self, world: World) -> None:
        inner = sub("box", start("s"), both("f"), user("a"), end("stop", terminate()), end("e"), flows=["s -> f", "f -> a -> e", "f -> stop"])
        world.deploy(process(start(), inner, note("after"), end(), flows="start -> box -> after -> end"))
        assert world.start().variables["path"] == ["after"]
        assert world.over

    def test_ends_only_the_called_process(self, world: World) -> None:
        inner = pool(
            start("cs"), both("f"), user("a"), end("stop", terminate()), end("ce"), flows=["cs -> f", "f -> a -> ce", "f -> stop"], id="inner"
        )
        world.deploy(diagram(pool(start(), call("c", "inner"), note("after"), end(), flows="start -> c -> after -> end"), inner))
        assert world.start().variables["path"] == ["after"]


class TestConditions:
    def test_a_catching_condition_waits_for_data_of_another_branch(self, world: World) -> None:
        world.deploy(
            process(
                start(),
                both("f"),
                catch("ready", condition("=results >= 2")),
                user("lab"),
                script("count", "=results + 1", "results"),
                user("lab2"),
                end(),
                end("e2"),
                flows=["start -> f", "f -> ready -> end", "f -> lab -> count -> lab2 -> e2"],
            )
        )
        world.start({"results": 1})
        assert world.at == ["lab", "ready"]
        world.complete("lab")
        assert world.at == ["lab2"]

    def test_a_condition_that_holds_already_is_passed(self, world: World) -> None:
        world.deploy(process(start(), catch("ready", condition("=n > 1")), end(), flows="start -> ready -> end"))
        assert world.start({"n": 2}).over
