"""Tokens moved by hand: what is allowed, what is refused, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import CarelaneError, NotFound, Refused
from engine.execution import operations
from engine.execution.tables import Event
from tests.engine.build import both, boundary, catch, condition, end, note, process, script, service, start, sub, timer, user, xor
from tests.engine.world import Stored

LINE = process(start(), user("a"), service("b"), user("c"), end(), flows="start -> a -> b -> c -> end")
FORK = process(
    start(), user("before"), both("f"), user("a"), user("b"), both("j"), user("after"), end(),
    flows=["start -> before -> f", "f -> a -> j", "f -> b -> j", "j -> after -> end"],
)  # fmt: skip


def token(world: Stored, element: str) -> str:
    return next(t.id for s in world.run.scopes.values() for t in s.tasks.values() if t.element.id == element)


def do(world: Stored, what: Any, *arguments: Any, **more: Any) -> None:
    with clock.at(world.now):
        what(world.session, world.instance, *arguments, actor="ann", **{"reason": "the clinic asked", **more})
    world._settle()


def recorded(world: Stored, kind: str = "moved") -> list[tuple[str | None, Any]]:
    found = world.session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))
    return [(event.actor, event.detail) for event in found]


class TestMove:
    def test_takes_one_away_and_puts_one_down(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        do(stored, operations.move, token(stored, "a"), "c")
        assert stored.at == ["c"]
        assert recorded(stored) == [("ann", {"to": "c", "reason": "the clinic asked"})]
        stored.complete("c")
        assert stored.over

    def test_withdraws_the_call_that_was_waiting(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        stored.complete("a")
        do(stored, operations.move, token(stored, "b"), "a")
        assert stored.at == ["a"]

    @pytest.mark.parametrize(("source", "to"), [("a", "after"), ("before", "a")])
    def test_is_refused_where_a_join_would_wait_for_ever(self, stored: Stored, source: str, to: str) -> None:
        stored.deploy(FORK)
        stored.start()
        if source == "a":
            stored.complete("before")
        at = stored.at
        with pytest.raises(Refused, match="would wait for ever"):
            do(stored, operations.move, token(stored, source), to)
        stored.session.rollback()
        assert stored.at == at
        assert recorded(stored) == []

    def test_within_its_own_branch_is_fine(self, stored: Stored) -> None:
        stored.deploy(
            process(
                start(),
                both("f"),
                user("a"),
                user("a2"),
                user("b"),
                both("j"),
                end(),
                flows=["start -> f", "f -> a -> a2 -> j", "f -> b -> j", "j -> end"],
            )
        )
        stored.start()
        do(stored, operations.move, token(stored, "a"), "a2")
        assert stored.at == ["a2", "b"]

    @pytest.mark.parametrize("to", ["late", "start", "j", "inner", "nowhere"])
    def test_is_refused_onto_what_no_token_can_be_put_on(self, stored: Stored, to: str) -> None:
        box = sub("box", start("s"), user("inner"), end("e"), flows="s -> inner -> e")
        stored.deploy(
            process(start(), user("a"), boundary("late", "a", timer("Duration", "PT1H")), both("f"), note("x"), note("y"), both("j"), box, end(), end("e2"),
                    flows=["start -> a -> f", "f -> x -> j", "f -> y -> j", "j -> box -> end", "late -> e2"])
        )  # fmt: skip
        stored.start()
        with pytest.raises((Refused, NotFound)):
            do(stored, operations.move, token(stored, "a"), to)

    def test_is_refused_when_it_would_fail_at_once(self, stored: Stored) -> None:
        stored.deploy(
            process(
                start(),
                user("a"),
                xor("g", default="g_b"),
                user("b"),
                catch("wait", timer("Duration", "=span")),
                end(),
                flows=["start -> a -> g", "g -> b", "g -> wait : false", "wait -> end", "b -> end"],
            )
        )
        stored.start()
        with pytest.raises(Refused, match="fail at once"):
            do(stored, operations.move, token(stored, "a"), "wait")

    def test_what_belongs_to_another_token_is_not_moved(self, stored: Stored) -> None:
        stored.deploy(
            process(
                start(),
                user("a"),
                boundary("late", "a", timer("Duration", "PT1H")),
                user("b"),
                end(),
                end("e2"),
                flows=["start -> a -> b -> end", "late -> e2"],
            )
        )
        stored.start()
        with pytest.raises(Refused, match="part of another"):
            do(stored, operations.move, token(stored, "late"), "b")

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_needs_a_reason(self, stored: Stored, reason: str) -> None:
        stored.deploy(LINE)
        stored.start()
        with pytest.raises(Refused, match="why"):
            do(stored, operations.move, token(stored, "a"), "c", reason=reason)


class TestBack:
    def test_goes_to_a_step_that_was_done_before(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        stored.complete("a", x=1)
        stored.answer("b")
        assert operations.earlier(stored.session, stored.instance, token(stored, "c")) == ["b", "a"]
        do(stored, operations.go_back, token(stored, "c"), "a")
        assert stored.at == ["a"]
        assert stored.variables == {"x": 1}

    def test_is_refused_to_what_was_not(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        with pytest.raises(Refused, match="no earlier step"):
            do(stored, operations.go_back, token(stored, "a"), "c")


class TestAddAndCancel:
    def test_a_further_token(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        do(stored, operations.add, "c")
        assert stored.at == ["a", "c"]
        assert recorded(stored) == [("ann", {"added": "c", "reason": "the clinic asked"})]

    def test_is_refused_in_half_of_a_parallel_block(self, stored: Stored) -> None:
        stored.deploy(FORK)
        stored.start()
        stored.complete("before")
        stored.complete("a")
        stored.complete("b")
        with pytest.raises(Refused, match="would wait for ever"):
            do(stored, operations.add, "a")

    def test_in_a_subprocess_that_does_not_run_is_refused(self, stored: Stored) -> None:
        box = sub("box", start("s"), user("inner"), end("e"), flows="s -> inner -> e")
        stored.deploy(process(start(), user("a"), box, end(), flows="start -> a -> box -> end"))
        stored.start()
        with pytest.raises(Refused, match="no scope"):
            do(stored, operations.add, "inner")
        stored.complete("a")
        do(stored, operations.add, "inner")
        assert stored.at == ["inner", "inner"]

    def test_cancels_one_of_several(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        do(stored, operations.add, "c")
        do(stored, operations.cancel, token(stored, "a"))
        assert stored.at == ["c"]

    def test_the_last_one_is_not_cancelled(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        with pytest.raises(Refused, match="last one"):
            do(stored, operations.cancel, token(stored, "a"))

    def test_a_branch_that_is_waited_for_is_not_cancelled(self, stored: Stored) -> None:
        stored.deploy(FORK)
        stored.start()
        stored.complete("before")
        stored.complete("b")
        with pytest.raises(Refused, match="would wait for ever"):
            do(stored, operations.cancel, token(stored, "a"))


class TestVariables:
    def test_are_changed_with_who_why_and_what_was_before(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start({"x": 1})
        do(stored, operations.change_variables, {"x": 2, "y": 3})
        assert stored.variables == {"x": 2, "y": 3}
        detail = {"set": {"x": 2, "y": 3}, "before": {"x": 1, "y": None}, "reason": "the clinic asked"}
        assert recorded(stored, "variables") == [("ann", detail)]

    def test_of_an_inner_scope(self, stored: Stored) -> None:
        box = sub(
            "box",
            start("s"),
            user("inner"),
            script("b", "=local * 2", "result"),
            end("e"),
            flows="s -> inner -> b -> e",
            inputs={"local": "=1"},
        )
        stored.deploy(process(start(), box, end(), flows="start -> box -> end"))
        stored.start()
        inner = next(s.id for s in stored.run.scopes.values() if s.kind == "sub")
        do(stored, operations.change_variables, {"local": 21}, scope_id=inner)
        stored.complete("inner")
        assert stored.variables == {"result": 42}

    def test_fire_conditions(self, stored: Stored) -> None:
        stored.deploy(process(start(), catch("ready", condition("=n > 1")), end(), flows="start -> ready -> end"))
        stored.start({"n": 0})
        do(stored, operations.change_variables, {"n": 2})
        assert stored.over

    def test_of_a_kind_that_no_variable_can_hold_are_refused(self, stored: Stored) -> None:
        stored.deploy(LINE)
        stored.start()
        with pytest.raises(CarelaneError, match="cannot hold"):
            do(stored, operations.change_variables, {"x": object()})
