"""The same operations without a browser: `carelane instances …`, `incidents …`, `jobs …`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from engine.errors import ConnectorFailed
from engine.execution import instances, jobs, tasks
from engine.execution.tables import Event, Incident, Instance, Job, Task
from engine.models import deploy
from engine.settings import Settings
from tests.engine.build import end, process, service, start, user
from web.cli import main

LINE = process(start(), user("a"), service("b", retries="1"), user("c"), end(), flows="start -> a -> b -> c -> end")
Run = Callable[..., Result]


@pytest.fixture
def session(database: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """The database that the commands work on."""
    monkeypatch.setenv("CARELANE_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("CARELANE_SECRET_KEY", settings.secret_key)
    monkeypatch.setenv("CARELANE_DATA_KEY", settings.data_key)
    with Session(database, expire_on_commit=False) as opened:
        deploy.deploy(opened, {"p.bpmn": LINE}, by="test")
        opened.commit()
        yield opened


@pytest.fixture
def visit(session: Session) -> str:
    id = instances.start(session, "p", {"x": 1}).id
    session.commit()
    return id


@pytest.fixture
def run(session: Session) -> Run:
    def command(*arguments: str, code: int = 0) -> Any:
        session.rollback()
        session.expire_all()
        result = CliRunner().invoke(main, [*arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and code == 0 else result

    return command


def elements(told: dict[str, Any]) -> list[str]:
    return sorted(token["element"] for token in told["tokens"])


def failed(session: Session, visit: str) -> Incident:
    task = session.scalars(select(Task).where(Task.instance_id == visit, Task.state == "open")).one()
    tasks.complete(session, task.id, {}, user="ann")
    (job,) = jobs.claim(session, "w", 1, timedelta(seconds=30))
    jobs.fail(session, job, "w", ConnectorFailed("down", kind="permanent"))
    session.commit()
    return session.scalars(select(Incident)).one()


def test_an_instance_is_steered_and_each_step_is_recorded(session: Session, run: Run, visit: str) -> None:
    why = ("--reason", "the clinic asked", "--json")
    assert run("instances", "suspend", visit, *why)["state"] == "suspended"
    assert run("instances", "resume", visit, *why)["state"] == "running"
    assert elements(run("instances", "move", visit, "c", *why)) == ["c"]
    assert elements(run("instances", "add", visit, "a", *why)) == ["a", "c"]
    assert elements(run("instances", "take", visit, "c", *why)) == ["a"]
    run("instances", "set", visit, 'born={"$date": "1980-05-02"}', "x=2", *why)
    session.expire_all()
    values = instances.variables(session, visit)
    assert (values["x"], values["born"].year) == (2, 1980)
    assert run("instances", "cancel", visit, *why)["state"] == "cancelled"
    reasons = [e.detail["reason"] for e in session.scalars(select(Event).where(Event.actor == "cli", Event.detail.is_not(None)))]
    assert set(reasons) == {"the clinic asked"}
    assert len(reasons) == 7


def test_back_to_an_earlier_step(session: Session, run: Run, visit: str) -> None:
    failed(session, visit)
    assert elements(run("instances", "back", visit, "a", "--reason", "forgotten", "--json")) == ["a"]


def test_a_refusal_is_exit_1_with_its_reason_and_changes_nothing(session: Session, run: Run, visit: str) -> None:
    result = run("instances", "take", visit, "a", "--reason", "test", code=1)
    assert "last one" in result.stderr
    assert instances.tokens(session, visit)[0].element_id == "a"


def test_several_tokens_must_be_told_apart(run: Run, visit: str) -> None:
    run("instances", "add", visit, "a", "--reason", "test")
    assert "Say which with --token" in run("instances", "move", visit, "c", "--reason", "test", code=1).stderr


@pytest.mark.parametrize("arguments", [["suspend"], ["move"], ["set", "x=1"]])
def test_a_reason_is_compulsory(run: Run, visit: str, arguments: list[str]) -> None:
    name, *rest = arguments
    run("instances", name, visit, *(["c"] if name == "move" else rest), code=2)


def test_incidents_and_jobs(session: Session, run: Run, visit: str) -> None:
    incident = failed(session, visit)
    run("incidents", "retry", incident.id, "--input", '{"y": 1}', "--reason", "typo", "--json")
    session.expire_all()
    job = session.scalars(select(Job)).one()
    assert (job.state, job.input) == ("ready", {"y": 1})
    (job,) = jobs.claim(session, "w", 1, timedelta(seconds=30))
    jobs.fail(session, job, "w", ConnectorFailed("down", kind="permanent"))
    session.commit()
    assert run("jobs", "retry", job.id, "--json") == {"job": job.id, "state": "ready"}
    (job,) = jobs.claim(session, "w", 1, timedelta(seconds=30))
    jobs.fail(session, job, "w", ConnectorFailed("down", kind="permanent"))
    session.commit()
    (last,) = session.scalars(select(Incident).where(Incident.state == "open"))
    run("incidents", "skip", last.id, "--reason", "by phone", "--output", '{"r": 7}')
    session.expire_all()
    assert instances.variables(session, visit)["r"] == 7


def test_migration_is_tried_first_then_done(session: Session, run: Run, visit: str) -> None:
    renamed = LINE.replace(b'id="a"', b'id="look"').replace(b'"a"', b'"look"')
    deploy.deploy(session, {"p.bpmn": renamed}, by="test")
    session.commit()
    refused = run("instances", "migrate", "p", "--to", "2", "--dry-run", code=1)
    assert "1 refused" in refused.stdout
    told = run("instances", "migrate", "p", "--to", "2", "--map", "a=look", "--dry-run", "--json")
    assert (told["possible"], told["refused"]) == (1, 0)
    run("instances", "migrate", "p", "--to", "2", "--map", "a=look", code=2)
    told = run("instances", "migrate", "p", "--to", "2", "--map", "a=look", "--reason", "new name", "--json")
    assert (told["moved"], told["instances"][0]["id"]) == (1, visit)
    session.expire_all()
    assert session.get_one(Instance, visit).version == 2
    assert instances.tokens(session, visit)[0].element_id == "look"
