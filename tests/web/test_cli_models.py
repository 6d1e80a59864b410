"""`carelane check` and `carelane deploy` as people and programs call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.db import Base, open_engine
from engine.settings import Settings
from tests.unit.models.drawing import draw, extensions
from web.cli import main

GOOD = draw("s:startEvent e:endEvent", "s>e")
USES = draw("s:startEvent u:userTask e:endEvent", "s>u>e", {"u": extensions('<zeebe:formDefinition formId="vitals"/>')})
BAD = draw("s:startEvent x:complexGateway a:task b:task e:endEvent", "s>x>a>e x>b>e")
FORM = b'{"id": "vitals", "type": "default", "components": []}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (("good.bpmn", GOOD), ("uses.bpmn", USES.replace(b'id="p"', b'id="q"')), ("bad.bpmn", BAD), ("vitals.form", FORM)):
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation of its own, with an empty database."""
    for name, value in {"CARELANE_VAR_DIR": str(tmp_path / "var"), "CARELANE_SECRET_KEY": "test-secret"}.items():
        monkeypatch.setenv(name, value)
    Base.metadata.create_all(open_engine(Settings.from_env()))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_check_lists_every_problem_and_says_no(folder: Path) -> None:
    result = run("check", folder / "bad.bpmn", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["deployable"]) == (1, False)
    problem = next(p for p in answer["problems"] if p["severity"] == "error")
    assert set(problem) == {"file", "element", "element_type", "rule", "severity", "message", "fix"}
    assert (problem["file"], problem["element"], problem["rule"]) == ("bad.bpmn", "x", "not-supported")


def test_check_says_yes(folder: Path) -> None:
    result = run("check", folder / "good.bpmn", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"deployable": True, "problems": []})
    assert run("check", folder / "good.bpmn").stdout == "Can be deployed.\n"


def test_files_given_together_resolve_each_other(folder: Path) -> None:
    alone, together = run("check", folder / "uses.bpmn", "--json"), run("check", folder / "uses.bpmn", folder / "vitals.form", "--json")
    rules = [{p["rule"] for p in json.loads(r.stdout)["problems"]} for r in (alone, together)]
    assert ["form-unknown" in found for found in rules] == [True, False]


def test_a_missing_file_is_bad_usage(folder: Path) -> None:
    assert run("check", folder / "nothing.bpmn").exit_code == 2
    assert run("check").exit_code == 2


@pytest.mark.usefixtures("installed")
def test_deploy_prints_each_version(folder: Path) -> None:
    paths = [folder / name for name in ("good.bpmn", "uses.bpmn", "vitals.form")]
    first, second = (json.loads(run("deploy", *paths, "--by", "li", "--json").stdout) for _ in range(2))
    assert [(v["kind"], v["key"], v["version"], v["status"]) for v in first["versions"]] == [
        ("process", "p", 1, "created"),
        ("process", "q", 1, "created"),
        ("form", "vitals", 1, "created"),
    ]
    assert {v["status"] for v in second["versions"]} == {"unchanged"}


@pytest.mark.usefixtures("installed")
def test_deploy_refuses_all_when_one_is_bad(folder: Path) -> None:
    refused = run("deploy", folder / "good.bpmn", folder / "bad.bpmn", "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["deployed"]) == (1, False)
    assert json.loads(run("deploy", folder / "good.bpmn", "--json").stdout)["versions"][0]["version"] == 1
