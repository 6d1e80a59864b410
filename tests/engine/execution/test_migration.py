"""Running instances moved to a new version: every token finds its place, or nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import Refused
from engine.execution import migration
from engine.execution.tables import Event, Job, Subscription, Task
from engine.models import deploy
from engine.models.tables import Definition
from tests.engine.build import (
    both,
    boundary,
    call,
    catch,
    diagram,
    each,
    end,
    event_sub,
    message,
    note,
    pool,
    process,
    race,
    receive,
    service,
    start,
    sub,
    timer,
    user,
)  # fmt: skip
from tests.engine.world import Stored

OLD = process(start(), user("a", groups="nurse"), user("b"), end(), flows="start -> a -> b -> end")


def newest(world: Stored) -> Definition:
    return deploy.definition(world.session, "process", "p")


def migrate(world: Stored, mapping: dict[str, str] | None = None, reason: str = "new rules") -> migration.Verdict:
    with clock.at(world.now):
        verdict = migration.migrate(world.session, world.instance, newest(world), mapping, actor="ann", reason=reason)
    world._settle()
    return verdict


def parked(world: Stored, old: bytes, new: bytes, variables: dict[str, Any] | None = None) -> None:
    """An instance of the old version, with the new one deployed since."""
    world.deploy(old, lint=False)
    world.start(variables)
    world.deploy(new, lint=False)


class TestPossible:
    def test_goes_on_in_the_new_version(self, stored: Stored) -> None:
        parked(
            stored, OLD, process(start(), user("a", groups="doctor"), note("extra"), user("b"), end(), flows="start -> a -> extra -> b -> end")
        )
        (verdict,) = migration.dry_run(stored.session, [stored.instance], newest(stored))
        assert verdict.possible
        assert stored.row.version == 1, "a dry run writes nothing"
        migrate(stored)
        assert (stored.row.version, stored.at) == (2, ["a"])
        task = stored.session.scalars(select(Task)).one()
        stored.session.refresh(task)
        assert (task.role, task.definition_id) == ("doctor", newest(stored).id), "the inbox follows"
        stored.complete("a")
        assert stored.variables["path"] == ["extra"]
        stored.complete("b")
        assert stored.over

    def test_keeps_who_has_claimed_a_task_and_the_variables(self, stored: Stored) -> None:
        parked(stored, OLD, OLD.replace(b'id="b"', b'id="b" name="B"'), {"x": 1})
        stored.session.scalars(select(Task)).one().assignee = "ann"
        migrate(stored)
        assert stored.session.scalars(select(Task)).one().assignee == "ann"
        assert stored.variables == {"x": 1}

    def test_by_an_explicit_mapping(self, stored: Stored) -> None:
        parked(stored, OLD, process(start(), user("look"), user("b"), end(), flows="start -> look -> b -> end"))
        assert not migration.dry_run(stored.session, [stored.instance], newest(stored))[0].possible
        assert migrate(stored, {"a": "look"}).changes == ["a (a) goes on at look."]
        assert stored.at == ["look"]
        stored.complete("look")
        assert stored.at == ["b"]

    def test_is_recorded_with_who_and_why(self, stored: Stored) -> None:
        parked(stored, OLD, OLD.replace(b'id="b"', b'id="b" name="B"'))
        migrate(stored)
        event = stored.session.scalars(select(Event).where(Event.kind == "migrated")).one()
        assert (event.actor, event.detail["from"], event.detail["to"], event.detail["reason"]) == ("ann", 1, 2, "new rules")

    def test_a_timer_that_is_unchanged_goes_on(self, stored: Stored) -> None:
        old = process(start(), catch("wait", timer("Duration", "PT2H")), end(), flows="start -> wait -> end")
        stored.deploy(old)
        stored.start()
        stored.later(hours=1)
        stored.deploy(process(start(), catch("wait", timer("Duration", "PT2H")), user("b"), end(), flows="start -> wait -> b -> end"))
        migrate(stored)
        stored.later(hours=1)
        assert stored.at == ["b"]

    def test_a_timer_that_is_changed_starts_again(self, stored: Stored) -> None:
        parked(stored, process(start(), catch("wait", timer("Duration", "PT2H")), end(), flows="start -> wait -> end"),
               process(start(), catch("wait", timer("Duration", "PT5H")), end(), flows="start -> wait -> end"))  # fmt: skip
        migrate(stored)
        stored.later(hours=3)
        assert stored.at == ["wait"]
        stored.later(hours=2)
        assert stored.over

    def test_a_new_boundary_event_on_the_present_task_listens(self, stored: Stored) -> None:
        """SpiffWorkflow's own migration leaves it deaf."""
        parked(
            stored,
            OLD,
            process(
                start(),
                user("a"),
                boundary("late", "a", timer("Duration", "PT1H")),
                user("b"),
                user("c"),
                end(),
                end("e2"),
                flows=["start -> a -> b -> end", "late -> c -> e2"],
            ),
        )
        migrate(stored)
        stored.later(hours=1)
        assert stored.at == ["c"]

    def test_a_boundary_event_that_is_gone_listens_no_more(self, stored: Stored) -> None:
        parked(
            stored,
            process(
                start(),
                user("a"),
                boundary("late", "a", timer("Duration", "PT1H")),
                user("b"),
                end(),
                end("e2"),
                flows=["start -> a -> b -> end", "late -> e2"],
            ),
            OLD,
        )
        migrate(stored)
        assert [job.state for job in stored.session.scalars(select(Job))] == ["cancelled"]
        stored.later(hours=1)
        assert stored.at == ["a"]

    def test_a_new_event_subprocess_can_begin(self, stored: Stored) -> None:
        handler = event_sub("h", start("hs", message("stop", "=id")), user("handle"), end("he"), flows="hs -> handle -> he")
        parked(stored, OLD, process(start(), user("a"), user("b"), handler, end(), flows="start -> a -> b -> end"), {"id": "1"})
        migrate(stored)
        stored.publish("stop", "1")
        assert stored.at == ["handle"]

    def test_what_waits_at_a_join_is_joined(self, stored: Stored) -> None:
        def version(*more: str, last: str = "j -> end") -> bytes:
            return process(
                start(), both("f"), user("a"), user("b"), both("j"), *more, end(), flows=["start -> f", "f -> a -> j", "f -> b -> j", last]
            )

        stored.deploy(version())
        stored.start()
        stored.complete("a")
        stored.deploy(version(note("after"), last="j -> after -> end"))
        migrate(stored)
        stored.complete("b")
        assert stored.over
        assert stored.times("after") == 1

    def test_inside_subprocesses_loops_and_races(self, stored: Stored) -> None:
        def version(after: str) -> bytes:
            box = sub("box", start("s"), race("r"), receive("got", "m", "=id"), catch("late", timer("Duration", "PT9H")), user(after), end("e"), end("e9"),
                      flows=["s -> r", f"r -> got -> {after} -> e", "r -> late -> e9"], loop=each("=[1,2]"))  # fmt: skip
            return process(start(), box, end(), flows="start -> box -> end")

        parked(stored, version("old"), version("new"), {"id": "1"})
        migrate(stored)
        stored.publish("m", "1", n=1)
        assert stored.at == ["new", "r"]
        assert {s.definition_id for s in stored.session.scalars(select(Subscription))} == {newest(stored).id}

    def test_around_a_called_process_that_stays_as_it_is(self, stored: Stored) -> None:
        child = pool(start("cs"), user("inside"), end("ce"), flows="cs -> inside -> ce", id="child")

        def version(*more: str, last: str) -> bytes:
            return diagram(pool(start(), call("c", "child"), *more, end(), flows=f"start -> c -> {last}"), child)

        parked(stored, version(last="end"), version(note("after"), last="after -> end"))
        migrate(stored)
        assert stored.at == ["inside"]
        stored.complete("inside")
        assert stored.variables["path"] == ["after"]


class TestRefused:
    @pytest.mark.parametrize(
        ("new", "why"),
        [
            (process(start(), user("b"), end(), flows="start -> b -> end"), "does not have it"),
            (process(start(), service("a"), user("b"), end(), flows="start -> a -> b -> end"), "was a userTask and is a serviceTask"),
            (process(start(), user("a", each("=[1]")), user("b"), end(), flows="start -> a -> b -> end"), "repeated in another way"),
            (
                process(
                    start(),
                    sub("box", start("s"), user("a"), end("e"), flows="s -> a -> e"),
                    user("b"),
                    end(),
                    flows="start -> box -> b -> end",
                ),
                "another level",
            ),
        ],
    )
    def test_instead_of_damage(self, stored: Stored, new: bytes, why: str) -> None:
        parked(stored, OLD, new)
        body = stored.row.body
        with pytest.raises(Refused, match=why):
            migrate(stored)
        stored.session.rollback()
        assert (stored.row.version, stored.row.body) == (1, body)

    def test_when_a_join_has_lost_the_flow_that_a_token_came_by(self, stored: Stored) -> None:
        old = process(
            start(), both("f"), user("a"), user("b"), both("j"), end(), flows=["start -> f", "f -> a -> j", "f -> b -> j", "j -> end"]
        )
        new = process(
            start(),
            both("f"),
            user("a"),
            user("a2"),
            user("b"),
            both("j"),
            end(),
            flows=["start -> f", "f -> a -> a2 -> j", "f -> b -> j", "j -> end"],
        )
        stored.deploy(old)
        stored.start()
        stored.complete("a")
        stored.deploy(new)
        with pytest.raises(Refused, match="came by a_j"):
            migrate(stored)
        assert migrate(stored, {"a_j": "a2_j"}).possible

    def test_without_a_reason(self, stored: Stored) -> None:
        parked(stored, OLD, OLD.replace(b'id="b"', b'id="b" name="B"'))
        with pytest.raises(Refused, match="why"):
            migrate(stored, reason=" ")

    def test_twice(self, stored: Stored) -> None:
        parked(stored, OLD, OLD.replace(b'id="b"', b'id="b" name="B"'))
        migrate(stored)
        with pytest.raises(Refused, match="already"):
            migrate(stored)


def test_a_batch_moves_those_that_can_be_moved(stored: Stored) -> None:
    stored.deploy(OLD)
    ids = []
    for n in range(3):
        stored.start()
        ids.append(stored.instance)
        if n:
            stored.complete("a")
    stored.deploy(process(start(), user("b"), note("more"), end(), flows="start -> b -> more -> end"))
    target = newest(stored)
    assert migration.candidates(stored.session, target) == ids
    verdicts = migration.migrate_all(stored.session, ids, target, actor="ann", reason="new rules")
    stored.session.commit()
    assert [v.possible for v in verdicts] == [False, True, True]
    assert "does not have it" in verdicts[0].problems[0]
    versions = []
    for stored.instance in ids:
        stored.session.refresh(stored.row)
        versions.append(stored.row.version)
    assert versions == [1, 2, 2]
