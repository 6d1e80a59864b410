"""Canaries: a patient's name and a secret that pass through every page never show in logs, errors or raw database pages."""

from __future__ import annotations

import io
import logging
from typing import Any

import orjson
import pytest
import structlog

from tests.web.clinic import Clinic
from web import logs

NAME, SECRET = "司马金丝雀", "canary-secret-7f3a"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that is logged, as a process would write it."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("DEBUG", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_names_and_secrets_stay_out_of_the_logs(clinic: Clinic, written: io.StringIO) -> None:
    visit = clinic.triaged(NAME)
    doctor = clinic.person("doctor")
    doctor.text(f"/tasks/{clinic.task(visit).id}")
    doctor.text(f"/visits?text={NAME}&state=all")
    doctor.text(f"/inbox?text={NAME}")
    clinic.stranger().post("/login", {"login": "nurse", "password": SECRET})
    clinic.app.test_client().get("/api/v1/instances", headers={"Authorization": f"Bearer {SECRET}"})
    lines = written.getvalue()
    assert lines.count('"route"') >= 5, "requests must be logged for this test to mean anything"
    assert NAME not in lines
    assert SECRET not in lines


def test_an_unexpected_error_is_logged_by_kind_and_place_only(clinic: Clinic, written: io.StringIO) -> None:
    from web.access import public

    @clinic.app.get("/boom")
    @public
    def boom() -> str:
        raise RuntimeError(f"cannot work on {NAME} with {SECRET}")

    answer = clinic.stranger().get("/boom")
    page, lines = answer.get_data(as_text=True), written.getvalue()
    assert answer.status_code == 500
    assert "RuntimeError" in lines
    assert "boom" in lines
    for text in (page, lines):
        assert NAME not in text
        assert SECRET not in text
    assert answer.headers["X-Request-Id"] in page, "the person can tell the administrator which request it was"


def test_libraries_records_lose_their_arguments(written: io.StringIO) -> None:
    logging.getLogger("some.library").error("failed for %s", NAME)
    logging.getLogger("some.library").error("".join(("failed for ", NAME)))
    assert NAME not in written.getvalue()
    assert all(orjson.loads(line) for line in written.getvalue().splitlines())


def test_a_field_that_is_not_on_the_list_is_dropped(written: io.StringIO) -> None:
    log: Any = structlog.get_logger("carelane.web")
    log.info("request", patient=NAME, status=200)
    assert orjson.loads(written.getvalue())["status"] == 200
    assert NAME not in written.getvalue()


def test_names_are_not_in_the_raw_database(clinic: Clinic) -> None:
    visit = clinic.identified(NAME)
    nurse = clinic.person("nurse")
    nurse.post(f"/tasks/{clinic.task(visit).id}/claim")
    nurse.post(f"/tasks/{clinic.task(visit).id}/draft", {"complaint": SECRET})
    var = clinic.app.config["CARELANE"].var_dir
    pages = b"".join(path.read_bytes() for path in var.glob("carelane.db*"))
    assert b"outpatient_visit" in pages
    assert NAME.encode() not in pages
    assert SECRET.encode() not in pages
