"""Files of a deployment: what they are, what they define, and how they refer to each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InvalidModel
from engine.models import files
from engine.models.lint import check
from tests.unit.models.drawing import draw, extensions

DMN = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n">
<decision id="acuity" name="Acuity"><description>\xe5\x88\x86\xe7\xba\xa7</description></decision><decision id="other" name="Other"/></definitions>"""
FORM = b'{"id": "vitals", "type": "default", "components": [], "properties": {"name": "Vital signs", "name:zh": "\xe4\xbd\x93\xe5\xbe\x81"}}'
USES = draw(
    "s:startEvent u:userTask b:businessRuleTask c:callActivity e:endEvent",
    "s>u>b>c>e",
    {
        "u": extensions('<zeebe:formDefinition formId="vitals"/>'),
        "b": extensions('<zeebe:calledDecision decisionId="acuity" resultVariable="acuity"/>'),
        "c": extensions('<zeebe:calledElement processId="q"/>'),
    },
)
CALLED = draw("s:startEvent e:endEvent", "s>e").replace(b'process id="p"', b'process id="q"')


def unknown(*given: tuple[str, bytes], **more: object) -> set[tuple[str, str]]:
    problems = check({"p.bpmn": USES} | dict(given), **more)  # type: ignore[arg-type]
    return {(p.rule, p.severity) for p in problems if p.rule in ("form-unknown", "decision-unknown", "called-process")}


def test_siblings_resolve_each_other() -> None:
    assert unknown(("a.dmn", DMN), ("v.form", FORM), ("q.bpmn", CALLED)) == set()


def test_what_is_not_given_is_a_warning_unless_it_is_known_what_is_deployed() -> None:
    assert unknown() == {("form-unknown", "warning"), ("decision-unknown", "warning"), ("called-process", "warning")}
    assert unknown(known=lambda kind, key, tag: kind != "form") == {("form-unknown", "error")}


def test_neighbours_resolve_references_but_are_not_reported_on() -> None:
    assert unknown(context={"a.dmn": DMN, "v.form": FORM, "q.bpmn": CALLED, "broken.bpmn": b"<x"}) == set()


def test_kinds_by_name_and_by_content() -> None:
    kinds = {"a.bpmn": "process", "a.BPMN": "process", "a.bpmn20.xml": "process", "a.dmn": "decision", "a.form": "form", "README.md": None}
    assert {name: files.kind_of(name) for name in kinds} == kinds
    assert [files.kind_of("a.xml", c) for c in (USES, DMN, b"<x/>")] == ["process", "decision", None]
    assert [files.kind_of("a.json", c) for c in (FORM, b"{}")] == ["form", None]


def test_a_decision_file_defines_each_of_its_decisions_in_two_languages() -> None:
    acuity, other = files.decisions(DMN, "a.dmn")
    assert (acuity.key, acuity.names) == ("acuity", {"en": "Acuity", "zh": "分级"})
    assert (other.key, other.names) == ("other", {"en": "Other"})


def test_a_form_is_known_by_its_id_or_its_file() -> None:
    assert (files.form(FORM).key, files.form(FORM).names) == ("vitals", {"en": "Vital signs", "zh": "体征"})
    assert files.form(b'{"components": []}', "forms/payment.form").key == "payment"


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"components": {}}', b"\xff"])
def test_what_is_no_form_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidModel):
        files.form(content, "x.form")
    assert [p.severity for p in check({"x.form": content})] == ["error"]


def test_a_folder_is_gathered_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    for name in ("triage/process.bpmn", "triage/forms/vitals.form", "triage/README.md", "triage/.git/x.bpmn", "triage/kpis.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list(files.gather([tmp_path / "triage"])) == ["forms/vitals.form", "process.bpmn"]


def test_files_of_the_same_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "process.bpmn").write_bytes(folder.encode())
    assert files.gather([tmp_path / "a", tmp_path / "b"]) == {"a/process.bpmn": b"a", "b/process.bpmn": b"b"}


def test_templates_are_gathered_only_when_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "_template").mkdir()
    (tmp_path / "_template" / "process.bpmn").write_bytes(b"x")
    assert files.gather([tmp_path]) == {}
    assert list(files.gather([tmp_path / "_template"])) == ["process.bpmn"]


def test_imports_are_followed_beside_the_file_only(tmp_path: Path) -> None:
    def importing(location: str) -> bytes:
        return draw("a:task", top=f'<import location="{location}" namespace="urn:x" importType="b"/>')

    (tmp_path / "in").mkdir()
    (tmp_path / "secret.bpmn").write_bytes(CALLED)
    (tmp_path / "in" / "a.bpmn").write_bytes(importing("b.bpmn"))
    (tmp_path / "in" / "b.bpmn").write_bytes(importing("../secret.bpmn"))
    assert list(files.imports(tmp_path / "in" / "a.bpmn")) == ["b.bpmn"]
    (tmp_path / "in" / "b.bpmn").write_bytes(importing("a.bpmn"))
    assert list(files.imports(tmp_path / "in" / "a.bpmn")) == ["b.bpmn", "a.bpmn"]


def test_an_import_that_cannot_find_its_own_import_breaks_the_file() -> None:
    importing = draw("s:startEvent e:endEvent", "s>e", top='<import location="b.bpmn" namespace="urn:b" importType="b"/>')
    lost = draw("a:task", top='<import location="lost.bpmn" namespace="urn:c" importType="b"/>')
    [problem] = [p for p in check({"a.bpmn": importing}, context={"b.bpmn": lost}) if p.severity == "error"]
    assert (problem.rule, problem.file) == ("import-broken", "a.bpmn")


def test_a_process_form_or_decision_is_defined_once() -> None:
    problems = check({"a.bpmn": CALLED, "b.bpmn": CALLED, "v.form": FORM, "w.form": FORM, "a.dmn": DMN})
    assert {(p.rule, p.file) for p in problems if p.severity == "error"} == {("process-twice", "b.bpmn"), ("defined-twice", "w.form")}


def test_two_version_tags_of_a_process_go_together() -> None:
    as_is, to_be = (draw("s:startEvent e:endEvent", "s>e", extra=extensions(f'<zeebe:versionTag value="{t}"/>')) for t in ("as-is", "to-be"))
    assert [p for p in check({"as-is.bpmn": as_is, "to-be.bpmn": to_be}) if p.severity == "error"] == []


def test_two_version_tags_of_a_form_or_decision_go_together() -> None:
    assert check({"v.form": FORM, "w.form": tagged_form("new"), "a.dmn": DMN, "b.dmn": tagged_decision("new")}) == []


def tagged_form(tag: str) -> bytes:
    return FORM.replace(b'"id"', f'"versionTag": "{tag}", "id"'.encode())


def tagged_decision(tag: str) -> bytes:
    said = f'<extensionElements><zeebe:versionTag xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" value="{tag}"/></extensionElements>'
    return DMN.replace(b'namespace="n">', f'namespace="n">{said}'.encode())


def test_what_is_wanted_in_a_version_must_be_there_in_that_version() -> None:
    uses = USES
    for name in ("formId", "decisionId", "processId"):
        uses = uses.replace(name.encode(), f'bindingType="versionTag" versionTag="new" {name}'.encode())
    tagged = {"w.form": tagged_form("new"), "b.dmn": tagged_decision("new"), "q.bpmn": called("new")}
    untagged = {"v.form": FORM, "a.dmn": DMN, "q.bpmn": CALLED}
    found = {p.rule: p.message for p in check({"p.bpmn": uses, **untagged}, known=lambda kind, key, tag: tag is None) if p.severity == "error"}
    assert sorted(found) == ["called-process", "decision-unknown", "form-unknown"]
    assert "acuity tagged new" in found["decision-unknown"]
    assert [p for p in check({"p.bpmn": uses, **tagged}, known=lambda kind, key, tag: False) if p.severity == "error"] == []
    assert [p for p in check({"p.bpmn": uses, **untagged}, known=lambda kind, key, tag: tag == "new") if p.severity == "error"] == []


def called(tag: str) -> bytes:
    return draw("s:startEvent e:endEvent", "s>e", extra=extensions(f'<zeebe:versionTag value="{tag}"/>')).replace(b'id="p"', b'id="q"')


def test_other_files_are_pointed_out() -> None:
    alone = [(p.rule, p.severity) for p in check({"notes.txt": b"hello"})]
    assert alone == [("nothing-to-deploy", "error"), ("unknown-file", "warning")]
