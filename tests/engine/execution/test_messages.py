"""Messages between instances and from outside: correlated, kept, recognised when they come twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import clock
from engine.execution import instances, messages
from engine.execution.tables import Instance, Message
from tests.engine.build import boundary, catch, end, event_sub, message, process, receive, send, signal, start, throw, timer, user
from tests.engine.world import Stored

WAITS = process(start(), receive("got", "lab", "=order"), user("read"), end(), flows="start -> got -> read -> end")


def publish(world: Stored, key: str, id: str, ttl: timedelta | None = None, name: str = "lab", **payload: object) -> messages.Published:
    with clock.at(world.now):
        published = messages.publish(world.session, name, key, payload, message_id=id, ttl=ttl)
    world._settle()
    return published


def running(world: Stored) -> list[Instance]:
    return list(world.session.scalars(select(Instance).where(Instance.state == "running").order_by(Instance.id)))


class TestCorrelation:
    def test_reaches_the_instance_with_its_key_only(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        ids = {order: stored.start({"order": order}) and stored.instance for order in ("a", "b")}
        assert publish(stored, "b", "1").instance_ids == (ids["b"],)
        stored.instance = ids["a"]
        assert stored.at == ["got"]
        stored.instance = ids["b"]
        assert stored.at == ["read"]

    def test_goes_to_one_instance_of_a_process_when_several_wait_with_the_same_key(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        first = stored.start({"order": "a"}) and stored.instance
        stored.later(seconds=1)
        stored.start({"order": "a"})
        assert publish(stored, "a", "1").instance_ids == (first,)
        assert len(publish(stored, "a", "2").instance_ids) == 1

    def test_the_same_message_twice_is_recognised(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        stored.start({"order": "a"})
        assert not publish(stored, "a", "1").duplicate
        again = publish(stored, "a", "1")
        assert again.duplicate
        assert again.instance_ids == (stored.instance,)
        assert stored.times("got") == 1

    def test_a_suspended_instance_gets_it_later(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        stored.start({"order": "a"})
        instances.suspend(stored.session, stored.instance, "holiday", actor="ann")
        assert publish(stored, "a", "1").buffered


class TestEarly:
    def test_waits_for_its_receiver(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        assert publish(stored, "a", "1", value=7).buffered
        stored.later(hours=1)
        stored.start({"order": "a"})
        assert stored.at == ["read"]
        assert stored.variables["value"] == 7

    def test_several_are_taken_in_their_order(self, stored: Stored) -> None:
        stored.deploy(
            process(start(), receive("one", "lab", "=order"), receive("two", "lab", "=order"), end(), flows="start -> one -> two -> end")
        )
        publish(stored, "a", "1", first=1)
        stored.later(seconds=1)
        publish(stored, "a", "2", second=2)
        stored.start({"order": "a"})
        assert stored.over
        assert stored.variables == {"order": "a", "first": 1, "second": 2}

    def test_expires(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        publish(stored, "a", "1", ttl=timedelta(minutes=5))
        stored.later(minutes=6)
        stored.start({"order": "a"})
        assert stored.at == ["got"]
        with clock.at(stored.now):
            assert messages.expire(stored.session) == 1

    def test_is_given_to_one_receiver_only(self, stored: Stored) -> None:
        stored.deploy(WAITS)
        publish(stored, "a", "1")
        stored.start({"order": "a"})
        stored.start({"order": "a"})
        assert stored.at == ["got"]
        assert [m.state for m in stored.session.scalars(select(Message))] == ["correlated"]


class TestStarting:
    MODEL = process(start("start", message("arrived")), user("look"), end(), flows="start -> look -> end")

    def test_starts_an_instance_with_the_payload(self, stored: Stored) -> None:
        stored.deploy(self.MODEL)
        (stored.instance,) = publish(stored, "p1", "1", name="arrived", patientId="p1").instance_ids
        assert stored.at == ["look"]
        assert stored.row.subject == "p1"
        assert stored.row.business_key == "p1"

    def test_one_instance_for_each_key_at_a_time(self, stored: Stored) -> None:
        stored.deploy(self.MODEL)
        publish(stored, "p1", "1", name="arrived")
        assert publish(stored, "p1", "2", name="arrived", ttl=timedelta(0)).instance_ids == ()
        publish(stored, "p2", "3", name="arrived")
        assert len(running(stored)) == 2
        stored.instance = running(stored)[0].id
        stored.complete("look")
        assert len(publish(stored, str(stored.row.business_key), "4", name="arrived").instance_ids) == 1

    def test_without_a_key_each_message_starts_one(self, stored: Stored) -> None:
        stored.deploy(self.MODEL)
        for id in ("1", "2"):
            publish(stored, "", id, name="arrived")
        assert len(running(stored)) == 2

    def test_only_the_newest_version_listens(self, stored: Stored) -> None:
        stored.deploy(self.MODEL)
        stored.deploy(self.MODEL.replace(b'id="look"', b'id="look" name="Look"'))
        (stored.instance,) = publish(stored, "p1", "1", name="arrived").instance_ids
        assert stored.row.version == 2

    def test_a_thrown_message_starts_another_process(self, stored: Stored) -> None:
        stored.deploy(
            self.MODEL,
            process(start("s"), send("tell", "arrived", None, inputs={"patientId": "=id"}), end("e"), flows="s -> tell -> e", id="q"),
        )
        stored.start({"id": "p7"}, process="q")
        assert stored.over
        assert [(row.process_id, row.subject) for row in running(stored)] == [("p", "p7")]

    def test_a_signal_starts_and_reaches_everybody(self, stored: Stored) -> None:
        stored.deploy(
            process(start("start", signal("alarm")), user("react"), end(), flows="start -> react -> end"),
            process(start("s"), catch("wait", signal("alarm")), user("then"), end("e"), flows="s -> wait -> then -> e", id="q"),
            process(start("s3"), throw("tell", signal("alarm")), end("e3"), flows="s3 -> tell -> e3", id="r"),
        )  # fmt: skip
        for _ in range(2):
            stored.start(process="q")
        stored.start(process="r")
        assert stored.over
        at = [(row.process_id, stored.at) for row in running(stored) if setattr(stored, "instance", row.id) is None]
        assert sorted(at) == [("p", ["react"]), ("q", ["then"]), ("q", ["then"])]


@pytest.mark.parametrize("interrupting", [True, False])
def test_an_early_message_can_trigger_an_event_subprocess(stored: Stored, interrupting: bool) -> None:
    handler = event_sub(
        "h", start("hs", message("stop", "=id"), interrupting=interrupting), user("handle"), end("he"), flows="hs -> handle -> he"
    )
    stored.deploy(process(start(), user("work"), handler, end(), flows="start -> work -> end"))
    publish(stored, "1", "m1", name="stop")
    stored.start({"id": "1"})
    assert stored.at == (["handle"] if interrupting else ["handle", "work"])


def test_a_boundary_timer_and_a_message_race_in_the_database(stored: Stored) -> None:
    stored.deploy(
        process(
            start(),
            receive("got", "lab", "=order"),
            boundary("late", "got", timer("Duration", "PT1H")),
            end(),
            end("e2"),
            flows=["start -> got -> end", "late -> e2"],
        )
    )
    stored.start({"order": "a"})
    stored.later(hours=1)
    assert stored.over
    assert publish(stored, "a", "1").buffered
