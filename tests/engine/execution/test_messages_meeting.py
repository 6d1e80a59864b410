"""A message and its receiver meet exactly once, however they come to pass each other."""

from __future__ import annotations

from engine import clock
from engine.execution import messages
from engine.execution.tables import Message, Subscription
from tests.engine.build import end, process, receive, start, user
from tests.engine.world import Stored

TWICE = process(start(), receive("one", "news", "=ref"), receive("two", "news", "=ref"), end(), flows="start -> one -> two -> end")
ONCE = process(start(), receive("one", "news", "=ref"), user("read"), end(), flows="start -> one -> read -> end")


def test_a_receiver_that_catches_the_same_name_again_waits_for_another_message(stored: Stored) -> None:
    stored.deploy(TWICE)
    stored.start({"ref": "r"})

    stored.publish("news", "r", number=1)
    assert stored.at == ["two"]

    stored.publish("news", "r", number=2)
    assert stored.over
    assert stored.variables["number"] == 2


def test_a_kept_message_and_a_receiver_that_missed_each_other_are_brought_together(stored: Stored) -> None:
    stored.deploy(ONCE)
    stored.start({"ref": "r"})
    (waiting,) = stored.session.query(Subscription).filter_by(name="news").all()
    key, waiting.key = waiting.key, "not there yet"  # as if the other transaction were still open
    stored.session.flush()
    with clock.at(stored.now):
        assert messages.publish(stored.session, "news", "r", {"number": 1}, message_id="m1").buffered
    waiting.key = key
    stored.session.flush()
    assert stored.at == ["one"]

    with clock.at(stored.now):
        assert messages.meet(stored.session) == 1
        assert messages.meet(stored.session) == 0

    assert stored.at == ["read"]
    assert [m.state for m in stored.session.query(Message)] == ["correlated"]
