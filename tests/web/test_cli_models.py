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


def test_check_speaks_chinese_when_asked(folder: Path) -> None:
    result = run("check", folder / "bad.bpmn", "--lang", "zh")
    assert "不支持" in result.stdout
    assert result.stdout.endswith("不能部署。\n")
    assert "not run" in run("check", folder / "bad.bpmn").stdout


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


TEXT = GOOD.decode().replace('id="s"', 'id="s" name="开始"')
ODD = {
    "empty.bpmn": (b"", "xml"),
    "blank.bpmn": (b" \n", "xml"),
    "cut.bpmn": (GOOD[:-30], "xml"),
    "bytes.bpmn": (bytes(range(256)), "xml"),
    "lie.bpmn": (TEXT.encode("gbk"), "xml"),
    "big.bpmn": (GOOD.replace(b"<process", b"<!--" + b"x" * 2_100_000 + b"--><process"), "xml-size"),
    "doctype.bpmn": (GOOD.replace(b"<definitions", b"<!DOCTYPE d><definitions"), "xml-doctype"),
    "namespace.bpmn": (GOOD.replace(b"20100524/MODEL", b"20100524/OTHER"), "not-bpmn"),
    "decision.dmn": (GOOD, "not-dmn"),
    "list.form": (b"[]", "not-a-form"),
    "half.form": (b"{", "not-json"),
    "notes.txt": (b"hello", "nothing-to-deploy"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_refused_with_its_place_and_mend_and_never_played(tmp_path: Path, name: str) -> None:
    content, rule = ODD[name]
    (tmp_path / name).write_bytes(content)
    checked = run("check", tmp_path / name, "--json")
    assert checked.exit_code == 1
    errors = [p for p in json.loads(checked.stdout)["problems"] if p["severity"] == "error"]
    assert [(p["rule"], p["file"]) for p in errors] == [(rule, name)]
    assert all(p["message"] and p["fix"] and "<string>" not in p["message"] for p in errors)
    played = run("play", tmp_path / name, "--json")
    assert (played.exit_code, json.loads(played.stdout)["status"]) == (1, "incident")


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "GBK", "GB18030", "Windows-1252"])
@pytest.mark.parametrize("bom", [False, True])
def test_encodings_and_line_ends_do_not_matter(tmp_path: Path, encoding: str, bom: bool) -> None:
    drawn = (TEXT if encoding != "Windows-1252" else GOOD.decode()).rpartition("?>")[2]
    text = f'<?xml version="1.0" encoding="{encoding}"?>{drawn}'.replace("\n", "\r\n").replace("><", ">\r\n<")
    content = (b"\xef\xbb\xbf" if bom and encoding == "UTF-8" else b"") + text.encode(encoding)
    (tmp_path / "a.bpmn").write_bytes(content)
    assert run("check", tmp_path / "a.bpmn", "--json").exit_code == 0
    assert json.loads(run("play", tmp_path / "a.bpmn", "--auto", "--json").stdout)["status"] == "completed"


def test_one_process_in_two_files_is_refused(folder: Path) -> None:
    (folder / "again.bpmn").write_bytes(GOOD.replace(b'id="e"', b'id="e" name="x"'))
    answer = json.loads(run("check", folder / "good.bpmn", folder / "again.bpmn", "--json").stdout)
    assert [p["rule"] for p in answer["problems"] if p["severity"] == "error"] == ["process-twice"]


def test_a_broken_form_is_refused_beside_its_diagram(folder: Path) -> None:
    (folder / "vitals.form").write_bytes(b'{"id": "vitals", "components": [{"type": "nosuch"}]}')
    for command in ("check", "play"):
        assert run(command, folder / "uses.bpmn", folder / "vitals.form", "--json").exit_code == 1


def test_what_is_not_deployable_is_not_played(folder: Path) -> None:
    result = run("play", folder / "bad.bpmn", "--auto", "--json")
    played = json.loads(result.stdout)
    assert (result.exit_code, played["status"], played["trace"]) == (1, "incident", [])
    assert ("x", "not-supported") in [(i["element"], i["kind"]) for i in played["incidents"]]


@pytest.mark.parametrize("option", [("play", "--vars"), ("play", "--scenario")])
def test_bad_options_are_bad_usage_or_a_reason(folder: Path, option: tuple[str, str]) -> None:
    command, flag = option
    (folder / "s.yaml").write_text("- hello")
    result = run(command, folder / "good.bpmn", flag, "[1]" if flag == "--vars" else folder / "s.yaml", "--json")
    assert result.exit_code == (2 if flag == "--vars" else 1)
    assert not isinstance(result.exception, TypeError)
