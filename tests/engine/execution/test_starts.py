"""Start events with triggers: timers that start processes by themselves, messages with one instance a key, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import InvalidModel
from engine.execution import messages, starts
from engine.execution.tables import Instance, Subscription
from tests.engine.build import catch, condition, element, end, message, note, process, receive, signal, start, timer, user
from tests.engine.world import MORNING, Stored


def begins(*events: str, task: str = "u") -> bytes:
    return process(start("start", *events), user(task), end(), flows=f"start -> {task} -> end")


def pass_(world: Stored, until: timedelta) -> list[timedelta]:
    """Time passes second by second where something is due; when each instance began, since the morning."""
    begun = []
    end_ = MORNING + until
    while (due := _next(world)) is not None and due <= end_:
        world.now = max(due, world.now)
        with clock.at(world.now):
            begun += [world.now - MORNING] * len(starts.begin_due(world.session))
        world.session.commit()
    world.now = end_
    return begun


def _next(world: Stored) -> datetime | None:
    query = select(Subscription.key).where(Subscription.kind == "timer").order_by(Subscription.key).limit(1)
    key = world.session.scalars(query).first()
    return None if key is None else datetime.fromisoformat(key).astimezone(UTC)


def minutes(*many: int) -> list[timedelta]:
    return [timedelta(minutes=n) for n in many]


class TestTimers:
    @pytest.mark.parametrize(
        ("kind", "value", "begun"),
        [
            ("Date", "2026-01-05T08:10:00+08:00", minutes(10)),
            ("Date", "2020-01-01T00:00:00Z", minutes(0)),
            ("Duration", "PT15M", minutes(15)),
            ("Cycle", "R3/PT5M", minutes(5, 10, 15)),
            ("Cycle", "R/PT20M", minutes(20, 40, 60)),
            ("Cycle", "0 0/30 * * * *", minutes(30, 60)),
            ("Cycle", "R2/2026-01-05T08:20:00+08:00/PT5M", minutes(20, 25)),
            ("Cycle", '="R2/" + "PT7M"', minutes(7, 14)),
        ],
    )  # fmt: skip
    def test_start_an_instance_each_time(self, stored: Stored, kind: str, value: str, begun: list[timedelta]) -> None:
        stored.deploy(begins(timer(kind, value)))
        assert pass_(stored, timedelta(minutes=62)) == begun
        rows = stored.session.scalars(select(Instance)).all()
        assert [(row.state, row.started_by) for row in rows] == [("running", "timer")] * len(begun)

    def test_a_newer_version_takes_the_older_ones_place(self, stored: Stored) -> None:
        stored.deploy(begins(timer("Cycle", "R/PT10M")))
        assert pass_(stored, timedelta(minutes=15)) == minutes(10)
        stored.deploy(begins(timer("Cycle", "R/PT20M"), task="other"))
        assert pass_(stored, timedelta(minutes=60)) == minutes(35, 55)
        assert [row.version for row in stored.session.scalars(select(Instance).order_by(Instance.started))] == [1, 2, 2]

    def test_a_version_without_a_timer_starts_nothing_more(self, stored: Stored) -> None:
        stored.deploy(begins(timer("Cycle", "R/PT10M")))
        stored.deploy(begins(task="other"))
        assert pass_(stored, timedelta(hours=2)) == []

    def test_a_missed_cycle_starts_once_and_goes_on_from_now(self, stored: Stored) -> None:
        stored.deploy(begins(timer("Cycle", "R/PT10M")))
        stored.now = MORNING + timedelta(hours=5)
        assert len(pass_(stored, timedelta(hours=5, minutes=15))) == 2

    def test_several_start_events_listen_beside_each_other(self, stored: Stored) -> None:
        model = process(
            start(), start("night", timer("Cycle", "R/PT10M")), start("call", message("go")), user("u"), end(),
            flows=["start -> u -> end", "night -> u", "call -> u"],
        )  # fmt: skip
        stored.deploy(model)
        assert len(pass_(stored, timedelta(minutes=20))) == 2
        with clock.at(stored.now):
            assert messages.publish(stored.session, "go", "", {}, message_id="1").instance_ids

    def test_a_start_that_cannot_begin_is_tried_again_and_holds_up_no_other(self, stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
        stored.deploy(begins(timer("Duration", "PT1M")))
        from engine.errors import NotFound
        from engine.execution import instances

        def gone(*_: object, **__: object) -> None:
            raise NotFound("gone")

        with monkeypatch.context() as patch:
            patch.setattr(instances, "start_definition", gone)
            stored.now = MORNING + timedelta(minutes=1)
            with clock.at(stored.now):
                assert starts.begin_due(stored.session) == []
        assert len(pass_(stored, timedelta(minutes=5))) == 1

    def test_a_timer_that_needs_variables_is_refused(self, stored: Stored) -> None:
        with pytest.raises(InvalidModel) as refused:
            stored.deploy(begins(timer("Duration", "=wait")))
        assert [(p.rule, p.element) for p in refused.value.problems] == [("start-unknown", "start")]

    def test_the_worker_starts_what_is_due(self, stored: Stored) -> None:
        from sqlalchemy.orm import sessionmaker

        from engine.execution.worker import Worker
        from engine.settings import Settings

        stored.deploy(begins(timer("Duration", "PT1M")))
        with clock.at(MORNING + timedelta(minutes=2)):
            Worker(sessionmaker(stored.session.get_bind()), Settings()).run_once()
        assert len(stored.session.scalars(select(Instance)).all()) == 1


class TestMessages:
    def send(self, world: Stored, id: str, key: str = "", **payload: object) -> messages.Published:
        with clock.at(world.now):
            published = messages.publish(world.session, "go", key, payload, message_id=id, ttl=timedelta(hours=1))
        world.session.commit()
        return published

    def test_the_models_own_key_means_one_instance_a_value(self, stored: Stored) -> None:
        stored.deploy(begins(message("go", "=order")))
        first = self.send(stored, "1", order=7)
        assert len(first.instance_ids) == 1
        assert self.send(stored, "2", order=7).buffered
        assert len(self.send(stored, "3", order=8).instance_ids) == 1
        row = stored.session.get(Instance, first.instance_ids[0])
        assert row is not None
        assert row.business_key == "7"

    def test_without_any_key_every_message_starts_one(self, stored: Stored) -> None:
        stored.deploy(begins(message("go")))
        assert all(len(self.send(stored, str(n)).instance_ids) == 1 for n in range(3))

    def test_a_kept_message_starts_the_next_when_the_instance_is_over(self, stored: Stored) -> None:
        stored.deploy(begins(message("go")))
        stored.instance = self.send(stored, "1", "a", n=1).instance_ids[0]
        assert self.send(stored, "2", "a", n=2).buffered
        with clock.at(stored.now):
            assert starts.begin_kept(stored.session) == []
        stored.complete("u")
        with clock.at(stored.now):
            (stored.instance,) = starts.begin_kept(stored.session)
            assert starts.begin_kept(stored.session) == []
        assert stored.variables["n"] == 2

    def test_a_message_that_reaches_an_instance_does_not_start_another_of_its_process(self, stored: Stored) -> None:
        stored.deploy(process(start("start", message("go")), receive("again", "go", "=k"), end(), flows="start -> again -> end"))
        (first,) = self.send(stored, "1", k="a").instance_ids
        assert self.send(stored, "2", "a").instance_ids == (first,)

    def test_an_event_gateway_starts_at_whichever_event_comes(self, stored: Stored) -> None:
        gateway = element("eventBasedGateway", "g", instantiate=True)
        stored.deploy(process(gateway, catch("a", message("go")), catch("b", message("come")), user("u"), end(),
                              flows=["g -> a -> u -> end", "g -> b -> u"]))  # fmt: skip
        (stored.instance,) = self.send(stored, "1", v=1).instance_ids
        assert (stored.at, stored.trace, stored.variables) == (["u"], ["a"], {"v": 1})

    def test_a_receive_task_starts_a_process(self, stored: Stored) -> None:
        stored.deploy(process(receive("r", "go", None, instantiate=True), user("u"), end(), flows="r -> u -> end"))
        (stored.instance,) = self.send(stored, "1", v=1).instance_ids
        assert (stored.at, stored.variables) == (["u"], {"v": 1})

    def test_a_name_that_needs_variables_is_refused(self, stored: Stored) -> None:
        with pytest.raises(InvalidModel) as refused:
            stored.deploy(begins(message("=kind")))
        assert [p.rule for p in refused.value.problems] == ["start-unknown"]


class TestSignals:
    def test_one_signal_starts_every_process_that_begins_with_it(self, stored: Stored) -> None:
        stored.deploy(begins(signal("s")), process(start("b", signal("s")), note("n"), end("z"), id="q", flows="b -> n -> z"))
        with clock.at(stored.now):
            assert len(messages.signal(stored.session, "s", {})) == 2


def test_a_condition_does_not_start_a_process(stored: Stored) -> None:
    with pytest.raises(InvalidModel) as refused:
        stored.deploy(begins(condition("x > 1")))
    assert [p.rule for p in refused.value.problems] == ["start-condition"]
