"""`carelane kpi` prints what the contract says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from engine import clock
from engine.settings import Settings
from tests.engine.history.record_rows import MONDAY, Told
from tests.web.clinic import Clinic
from web.cli import main
from web.db import db


@pytest.fixture
def told(clinic: Clinic, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(4):
        for arm, door in (("as-is", 40), ("to-be", 20)):
            visit = Told(db.session(), MONDAY + timedelta(days=day), arm=arm)
            visit.step("Task_Consult", 1, door + day, door + day + 5, tag="firstClinicianContact")
            visit.end(door + 30)
    db.session.commit()
    monkeypatch.setenv("CARELANE_VAR_DIR", str(settings.var_dir))
    monkeypatch.setenv("CARELANE_DATA_KEY", settings.data_key)


def run(*args: str) -> Result:
    with clock.at(MONDAY + timedelta(days=10)):
        return CliRunner().invoke(main, ["kpi", *args])


def kpis(*args: str) -> dict[str, dict]:
    return {row["id"]: row for row in json.loads(run("--json", *args).stdout)["kpis"]}


@pytest.mark.usefixtures("told")
def test_each_kpi_has_what_the_contract_names() -> None:
    row = kpis("--arm", "to-be")["door_to_doctor"]
    assert (row["unit"], row["n"], row["median"], row["target"]) == ("min", 4, 21.5, 30)
    assert row["ci"][0] <= row["median"] <= row["ci"][1]
    assert row["p90"] == pytest.approx(22.7)


@pytest.mark.usefixtures("told")
def test_from_and_to_are_clinic_days_and_both_count() -> None:
    assert kpis("--from", "2026-03-03", "--to", "2026-03-04", "--arm", "as-is")["door_to_doctor"]["n"] == 2


@pytest.mark.usefixtures("told")
def test_people_get_a_table() -> None:
    result = run("--arm", "as-is")
    assert result.exit_code == 0
    assert result.output.splitlines()[1].startswith("door_to_doctor  ")


def test_a_day_that_is_none_is_bad_usage() -> None:
    assert run("--from", "yesterday").exit_code == 2
