"""A small clinic for the tests of pages: staff of every role, one deployed process, visits to work on."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.globals import _cv_app
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from engine.db import Base
from engine.execution import instances, tasks
from engine.execution.tables import Instance, Task
from engine.models import deploy
from engine.settings import Settings
from integrations.patients import index
from tests.conftest import load_tables
from web import create_app
from web.accounts import demo, sessions
from web.accounts.tables import Account, AccountRole
from web.db import db
from web.edge import EdgeFlask
from web.visits.begin import begin

MODELS = Path(__file__).parent / "models"
TOKEN = "test-token"
DATA_KEY = base64.b64encode(b"k" * 32).decode()
ZONE = "Asia/Shanghai"


def settings_at(var_dir: Path, **changes: Any) -> Settings:
    """Settings of a demonstration clinic under `var_dir`."""
    given = {"secret_key": "test-secret", "data_key": DATA_KEY, "base_url": "http://localhost", "simulators": True, "threads": 20}
    return Settings(var_dir=var_dir, **{**given, **changes}).checked()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A var directory with schema, staff and the test process; each test works on a copy."""
    var_dir = tmp_path_factory.mktemp("clinic") / "var"
    load_tables()
    app = create_app(settings_at(var_dir))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        demo.seed(db.session())
        files = {path.name: path.read_bytes() for path in sorted(MODELS.iterdir())}
        deploy.deploy(db.session(), files, by="test")
        db.session.commit()
        db.engine.dispose()
    return var_dir


@pytest.fixture
def settings(prepared: Path, tmp_path: Path) -> Settings:
    """Settings of this test's own copy."""
    shutil.copytree(prepared, tmp_path / "var")
    return settings_at(tmp_path / "var")


class Browser(FlaskClient):
    """A client whose requests get an application context of their own, as in a server, beside the test's."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """One request; what the test has read so far is forgotten, so that it looks again."""
        db.session.rollback()
        db.session.expire_all()

        def request() -> TestResponse:
            _cv_app.set(None)  # type: ignore[arg-type]
            return super(Browser, self).open(*args, **options)

        return copy_context().run(request)


@pytest.fixture
def app(settings: Settings) -> Iterator[EdgeFlask]:
    """The application on this test's own database."""
    made = create_app(settings)
    made.config["PROPAGATE_EXCEPTIONS"] = False
    made.test_client_class = Browser
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@dataclass
class Person:
    """A signed-in member of staff with a browser of their own."""

    login: str
    client: FlaskClient

    def get(self, path: str, **options: Any) -> TestResponse:
        """Opens a page."""
        return self.client.get(path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Sends a form, with the session's token as our pages do."""
        headers = {"X-CSRF-Token": TOKEN, **options.pop("headers", {})}
        return self.client.post(path, data=data or {}, headers=headers, **options)

    def text(self, path: str) -> str:
        """The text of a page that must open."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"
        return answer.get_data(as_text=True)


class Clinic:
    """What tests need of the clinic, on one application."""

    def __init__(self, app: EdgeFlask) -> None:
        self.app = app

    def stranger(self) -> Person:
        """Somebody who is not signed in."""
        client = self.app.test_client()
        with client.session_transaction() as kept:
            kept["csrf"] = TOKEN
        return Person("", client)

    def person(self, login: str, language: str = "en") -> Person:
        """Signs a person in, without the cost of a password."""
        person = self.stranger()
        account = db.session.scalars(select(Account).where(Account.login == login)).one()
        account.language = language
        token = sessions.open_session(db.session(), account, "test")
        db.session.commit()
        person.client.set_cookie(sessions.COOKIE, token)
        person.login = login
        return person

    def hire(self, login: str, role: str, department: str | None) -> Person:
        """A new person with one role."""
        account = Account(login=login, name_zh=login, name_en=login, roles=[AccountRole(role=role, department=department)])
        db.session.add(account)
        db.session.commit()
        return self.person(login)

    def visit(self, department: str | None = "surgery") -> Instance:
        """A visit that has just begun."""
        made = begin(db.session(), department, actor="registrar", zone=ZONE)
        db.session.commit()
        return made

    def identified(self, name: str = "张伟", department: str = "surgery", ticket: str = "A001", **facts: Any) -> Instance:
        """A visit whose patient is known: it waits for the triage nurse."""
        visit = self.visit(department)
        task_id = self.task(visit).id
        about = {"name": name, "sex": "male", "birthDate": "1980-05-02", **facts}
        patient = index.save(db.session(), self.app.config["CARELANE"], about)
        values = {"patientName": name, "patientId": patient.id, "ticket": ticket, "payer": "self"}
        tasks.complete(db.session(), task_id, values, user="registrar")
        db.session.commit()
        return instances.get(db.session(), visit.id)

    def triaged(self, name: str = "张伟", acuity: int = 2, **about: Any) -> Instance:
        """A visit that waits for the doctor."""
        visit = self.identified(name, **about)
        tasks.complete(db.session(), self.task(visit).id, {"pulse": 88, "acuity": acuity, "complaint": "头痛三天"}, user="nurse")
        db.session.commit()
        return instances.get(db.session(), visit.id)

    def task(self, visit: Instance) -> Task:
        """The visit's open task, as the database holds it now."""
        db.session.rollback()
        db.session.expire_all()
        return db.session.scalars(select(Task).where(Task.instance_id == visit.id, Task.state == "open")).one()


@pytest.fixture
def clinic(app: EdgeFlask) -> Clinic:
    """The clinic of this test."""
    return Clinic(app)
