"""Deploying makes immutable versions: all or none, and nothing new where nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.errors import InvalidModel, NotFound
from engine.execution import check as checking
from engine.models import deploy as deploying
from engine.models.deploy import content, definition, deploy, model
from engine.models.tables import Definition, Deployment, Resource
from tests.unit.models.drawing import draw, event, extensions
from tests.unit.models.test_files import DMN, FORM

USES = draw("s:startEvent u:userTask e:endEvent", "s>u>e", {"u": extensions('<zeebe:formDefinition formId="vitals"/>')})
SIMPLE = draw("s:startEvent e:endEvent", "s>e")


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def versions(deployed: deploying.Deployed) -> list[tuple[str, str, int, str]]:
    return [(d.kind, d.key, d.version, what) for d, what in deployed.versions]


def test_everything_in_the_files_gets_a_first_version(session: Session) -> None:
    deployed = deploy(session, {"p.bpmn": USES, "forms/v.form": FORM, "a.dmn": DMN}, by="li", comment="first")
    assert versions(deployed) == [
        ("process", "p", 1, "created"), ("form", "vitals", 1, "created"),
        ("decision", "acuity", 1, "created"), ("decision", "other", 1, "created"),
    ]  # fmt: skip
    assert deployed.deployment is not None
    assert (deployed.deployment.by, deployed.deployment.comment) == ("li", "first")
    assert count(session, Resource) == 3


def test_unchanged_files_make_no_version_and_no_deployment(session: Session) -> None:
    files = {"p.bpmn": USES, "v.form": FORM}
    deploy(session, files, by="li")
    again = deploy(session, files, by="li")
    assert versions(again) == [("process", "p", 1, "unchanged"), ("form", "vitals", 1, "unchanged")]
    assert (again.deployment, count(session, Deployment), again.created()) == (None, 1, [])


def test_a_changed_form_makes_a_version_of_the_form_only(session: Session) -> None:
    deploy(session, {"p.bpmn": USES, "v.form": FORM}, by="li")
    deployed = deploy(session, {"p.bpmn": USES, "v.form": FORM + b" "}, by="wang")
    assert versions(deployed) == [("process", "p", 1, "unchanged"), ("form", "vitals", 2, "created")]
    assert [d.key for d in deployed.created("form")] == ["vitals"]


def test_going_back_to_an_older_content_is_a_new_version_of_the_same_bytes(session: Session) -> None:
    for xml in (SIMPLE, SIMPLE + b" ", SIMPLE):
        deployed = deploy(session, {"p.bpmn": xml}, by="li")
    assert versions(deployed) == [("process", "p", 3, "created")]
    assert (count(session, Resource), count(session, Definition)) == (2, 3)


def test_one_bad_file_stops_all_and_changes_nothing(session: Session) -> None:
    bad = draw("s:startEvent x:complexGateway a:task b:task e:endEvent", "s>x>a>e x>b>e")
    with pytest.raises(InvalidModel) as refused:
        deploy(session, {"good.bpmn": SIMPLE, "bad.bpmn": bad, "worse.bpmn": b"<x"}, by="li")
    assert {(p.file, p.rule) for p in refused.value.problems} >= {("bad.bpmn", "not-supported"), ("worse.bpmn", "xml")}
    assert count(session, Definition) == count(session, Resource) == count(session, Deployment) == 0


def test_a_reference_to_nothing_is_refused_until_it_is_deployed(session: Session) -> None:
    with pytest.raises(InvalidModel) as refused:
        deploy(session, {"p.bpmn": USES}, by="li")
    assert [p.rule for p in refused.value.problems] == ["form-unknown"]
    deploy(session, {"v.form": FORM}, by="li")
    assert versions(deploy(session, {"p.bpmn": USES}, by="li")) == [("process", "p", 1, "created")]


def test_version_tags_stand_side_by_side(session: Session) -> None:
    def tagged(tag: str, name: str = "") -> bytes:
        body = extensions(f'<zeebe:versionTag value="{tag}"/>')
        return draw("s:startEvent e:endEvent", "s>e", extra=body, process=f'isExecutable="true" name="{name}"')

    files = {"as-is.bpmn": tagged("as-is"), "to-be.bpmn": tagged("to-be")}
    deploy(session, files, by="li")
    assert [what for _, what in deploy(session, files, by="li").versions] == ["unchanged", "unchanged"]
    deploy(session, files | {"as-is.bpmn": tagged("as-is", "changed")}, by="li")
    assert (
        definition(session, "process", "p", version_tag="as-is").version,
        definition(session, "process", "p", version_tag="to-be").version,
    ) == (3, 2)


def test_versions_are_found_by_number_tag_or_as_the_newest(session: Session) -> None:
    for xml in (SIMPLE, SIMPLE + b" "):
        deploy(session, {"p.bpmn": xml}, by="li")
    assert definition(session, "process", "p").version == 2
    assert definition(session, "process", "p", 1).version == 1
    for missing in ({"version": 9}, {"version_tag": "x"}):
        with pytest.raises(NotFound):
            definition(session, "process", "p", **missing)
    with pytest.raises(NotFound):
        definition(session, "form", "p")


def test_a_version_gives_back_its_bytes_and_its_model(session: Session) -> None:
    deploy(session, {"p.bpmn": SIMPLE}, by="li")
    found = definition(session, "process", "p")
    assert content(session, found) == SIMPLE
    assert model(session, found) is model(session, found)
    assert list(model(session, found).elements) == ["s", "e"]


def test_names_are_kept_by_language(session: Session) -> None:
    chinese = extensions('<zeebe:properties><zeebe:property name="carelane:name:zh" value="分诊"/></zeebe:properties>')
    deploy(session, {"p.bpmn": draw("s:startEvent e:endEvent", "s>e", extra=chinese, process='name="Triage" isExecutable="true"')}, by="li")
    found = definition(session, "process", "p")
    assert (found.name, found.names, found.file) == ("Triage", {"en": "Triage", "zh": "分诊"}, "p.bpmn")


def test_a_drawing_with_gaps_is_left_out_and_alone_it_is_nothing_to_deploy(session: Session) -> None:
    drawing = draw("s:startEvent e:endEvent", "s>e", {"s": event("timer")}, process='isExecutable="false"').replace(b'id="p"', b'id="q"')
    assert versions(deploy(session, {"p.bpmn": SIMPLE, "q.bpmn": drawing}, by="li")) == [("process", "p", 1, "created")]
    with pytest.raises(InvalidModel) as refused:
        deploy(session, {"q.bpmn": drawing}, by="li")
    assert [p.rule for p in refused.value.problems] == ["nothing-to-deploy"]


def test_a_process_folder_is_deployed_whole(session: Session, tmp_path: Path) -> None:
    for name, data in (("process.bpmn", USES), ("forms/vitals.form", FORM), ("decisions/a.dmn", DMN), ("README.md", b"read me")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    deployed = deploy(session, tmp_path, by="li")
    assert {d.file for d, _ in deployed.versions} == {"process.bpmn", "forms/vitals.form", "decisions/a.dmn"}


def test_the_engines_own_deploy_refuses_broken_feel_forms_and_decisions(session: Session) -> None:
    script = draw("s:startEvent a:scriptTask e:endEvent", "s>a>e", {"a": extensions('<zeebe:script expression="=1 +" resultVariable="x"/>')})
    form = b'{"id": "f", "type": "default", "components": [{"type": "textfield"}]}'
    with pytest.raises(InvalidModel) as refused:
        checking.deploy(session, {"p.bpmn": script, "f.form": form, "d.dmn": b"<definitions/>"}, by="li")
    by_file = {p.file for p in refused.value.problems}
    assert by_file == {"p.bpmn", "f.form", "d.dmn"}
