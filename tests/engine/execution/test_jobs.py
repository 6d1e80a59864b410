"""Calls of connectors: claimed, fenced, tried again, given up, taken up again by a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine import clock
from engine.errors import BpmnError, Conflict, ConnectorFailed, Refused
from engine.execution import incidents, instances, jobs
from engine.execution.tables import Event, Incident, Job
from tests.engine.build import boundary, end, error, message, process, service, start, timer, user
from tests.engine.world import LEASE, Stored

MODEL = process(
    start(), service("work", inputs={"amount": "=price"}, outputs={"receipt": "=number"}, type_="pay"), end(), flows="start -> work -> end"
)


@pytest.fixture
def world(stored: Stored) -> Stored:
    stored.deploy(MODEL)
    stored.start({"price": 5})
    return stored


def claim(world: Stored, owner: str) -> list[Job]:
    with clock.at(world.now):
        taken = jobs.claim(world.session, owner, 10, LEASE)
    world.session.commit()
    return taken


class TestClaim:
    def test_a_job_has_one_owner(self, world: Stored) -> None:
        assert len(claim(world, "one")) == 1
        assert claim(world, "two") == []

    def test_another_worker_takes_over_when_the_lease_has_run_out(self, world: Stored) -> None:
        (job,) = claim(world, "one")
        key = job.key
        world.now += LEASE + timedelta(seconds=1)
        (again,) = claim(world, "two")
        assert (again.id, again.owner, again.attempts, again.key) == (job.id, "two", 2, key), "the key stays for every try"

    def test_the_first_owner_comes_too_late(self, world: Stored) -> None:
        (job,) = claim(world, "one")
        world.now += LEASE + timedelta(seconds=1)
        claim(world, "two")
        with clock.at(world.now):
            jobs.finish(world.session, job, "two", {"number": "R2"})
            world.session.commit()
            with pytest.raises(Conflict):
                jobs.finish(world.session, job, "one", {"number": "R1"})
        world.session.rollback()
        assert world.variables["receipt"] == "R2"
        assert world.times("work") == 1

    def test_most_urgent_first(self, stored: Stored) -> None:
        stored.deploy(MODEL)
        for price in (1, 2, 3):
            stored.start({"price": price})
            stored.later(seconds=1)
        stored.session.scalars(select(Job).where(Job.instance_id == stored.instance)).one().priority = 90
        stored.session.commit()
        assert [job.priority for job in claim(stored, "one")] == [90, 50, 50]

    def test_a_suspended_instance_has_no_due_jobs(self, world: Stored) -> None:
        instances.suspend(world.session, world.instance, "look first", actor="ann")
        assert claim(world, "one") == []
        instances.resume(world.session, world.instance, "looked", actor="ann")
        assert len(claim(world, "one")) == 1

    def test_the_call_carries_its_inputs_and_key(self, world: Stored) -> None:
        (job,) = claim(world, "one")
        call = jobs.call_of(world.session, job)
        assert (call.type, dict(call.input), call.attempt) == ("pay", {"amount": 5}, 1)
        assert call.key.startswith(world.instance)


class TestFailing:
    def test_a_passing_failure_is_tried_again_later_and_later(self, world: Stored) -> None:
        pauses = []
        for _ in range(4):
            job = world.fail("work")
            assert job.state == "ready"
            pauses.append((job.due - world.now).total_seconds())
            world.now = job.due
        assert [round(p / (5 * 2**n)) for n, p in enumerate(pauses)] == [1, 1, 1, 1], "5, 10, 20, 40 seconds and some jitter"
        assert world.fail("work").state == "failed"
        (incident,) = incidents.open_incidents(world.session)
        assert (incident.kind, incident.element_id, incident.message) == ("job", "work", "no answer")

    @pytest.mark.parametrize(("kind", "incident"), [("permanent", "job"), ("unknown", "unknown_outcome")])
    def test_what_may_not_be_tried_again_is_an_incident_at_once(self, world: Stored, kind: Any, incident: str) -> None:
        assert world.fail("work", kind).state == "failed"
        assert [i.kind for i in incidents.open_incidents(world.session)] == [incident]
        world.now += timedelta(days=1)
        assert claim(world, "one") == [], "never resent silently"

    def test_the_model_says_how_often(self, stored: Stored) -> None:
        stored.deploy(process(start(), service("work", retries="1"), end(), flows="start -> work -> end"))
        stored.start()
        assert stored.fail("work").state == "failed"

    def test_a_business_error_goes_to_the_model_without_a_second_try(self, stored: Stored) -> None:
        stored.deploy(
            process(
                start(),
                service("work"),
                boundary("no", "work", error("DECLINED")),
                end(),
                end("declined"),
                flows=["start -> work -> end", "no -> declined"],
            )
        )
        stored.start()
        stored.answer("work", error="DECLINED")
        assert stored.row.end_element == "declined"

    def test_only_the_owner_may_fail_it(self, world: Stored) -> None:
        (job,) = claim(world, "one")
        with pytest.raises(Conflict):
            jobs.fail(world.session, job, "two", ConnectorFailed("x", kind="permanent"))
        with pytest.raises(Conflict):
            jobs.fail(world.session, job, "two", BpmnError("x"))


class TestByHand:
    @pytest.fixture
    def failed(self, world: Stored) -> Job:
        return world.fail("work", "permanent")

    def events(self, world: Stored) -> list[tuple[str, str, Any]]:
        found = world.session.scalars(select(Event).where(Event.kind == "resolved").order_by(Event.id))
        return [(e.kind, str(e.actor), e.detail) for e in found]

    def test_tried_again_with_the_same_key(self, world: Stored, failed: Job) -> None:
        key = failed.key
        incident = incidents.open_incidents(world.session)[0]
        with clock.at(world.now):
            incidents.retry(world.session, incident.id, actor="ann")
        assert world.claim("work").key == key
        assert (incident.state, incident.resolved_by) == ("resolved", "ann")

    def test_tried_again_with_other_input(self, world: Stored, failed: Job) -> None:
        with clock.at(world.now):
            jobs.retry(world.session, failed.id, actor="ann", input={"amount": 7})
        (job,) = claim(world, "one")
        assert dict(jobs.call_of(world.session, job).input) == {"amount": 7}
        assert self.events(world) == [("resolved", "ann", {"job": job.id, "edited": True})]

    def test_skipped_with_a_reason(self, world: Stored, failed: Job) -> None:
        with pytest.raises(Refused):
            jobs.skip(world.session, failed.id, reason=" ", output={}, actor="ann")
        jobs.skip(world.session, failed.id, reason="paid in cash", output={"number": "R9"}, actor="ann")
        assert world.over
        assert world.variables["receipt"] == "R9"
        assert self.events(world)[0][2] == {"skipped": "paid in cash", "output": {"number": "R9"}}
        assert [i.state for i in world.session.scalars(select(Incident))] == ["resolved"]

    def test_only_a_failed_job(self, world: Stored) -> None:
        (job,) = claim(world, "one")
        with pytest.raises(Conflict):
            jobs.retry(world.session, job.id, actor="ann")

    def test_an_interrupted_call_is_withdrawn_with_its_incident(self, stored: Stored) -> None:
        stored.deploy(
            process(
                start(),
                service("work"),
                boundary("stop", "work", message("stop", "=id")),
                user("after"),
                end(),
                end("e2"),
                flows=["start -> work -> end", "stop -> after -> e2"],
            )
        )
        stored.start({"id": "1"})
        stored.fail("work", "permanent")
        stored.publish("stop", "1")
        assert stored.at == ["after"]
        assert incidents.open_incidents(stored.session) == []
        assert [j.state for j in stored.session.scalars(select(Job))] == ["cancelled"]


def test_a_result_for_a_cancelled_instance_changes_nothing(world: Stored) -> None:
    (job,) = claim(world, "one")
    instances.cancel(world.session, world.instance, "left", actor="ann")
    world.session.commit()
    with pytest.raises((Conflict, Refused)):
        jobs.finish(world.session, job, "one", {"number": "R1"})


def test_a_timer_that_comes_too_late_changes_nothing(stored: Stored) -> None:
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
    stored.now += timedelta(hours=2)
    taken = claim(stored, "one")
    stored.complete("a")
    with clock.at(stored.now), pytest.raises(Conflict):
        jobs.fire_due(stored.session, taken[0], "one")
    stored.session.rollback()
    assert stored.at == ["b"]
