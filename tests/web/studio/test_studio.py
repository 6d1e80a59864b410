"""The studio's pages and endpoints: read, check, compare, deploy."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

import integrations
from engine.execution import instances
from engine.models import deploy
from engine.models.tables import Definition
from tests.web.clinic import MODELS, TOKEN, Clinic, Person
from web.db import db

VISIT = (MODELS / "visit.bpmn").read_text()
FORM = (MODELS / "vitals.form").read_text()
DECISION = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="D" name="Fees" namespace="http://carelane.example">
  <inputData id="Input_age" name="age"><variable id="V1" name="age" typeRef="number"/></inputData>
  <inputData id="Input_card" name="card"><variable id="V2" name="card" typeRef="boolean"/></inputData>
  <inputData id="Input_other" name="other"><variable id="V3" name="other" typeRef="string"/></inputData>
  <decision id="fee" name="Fee"><variable id="V4" name="fee" typeRef="number"/>
    <informationRequirement id="R1"><requiredInput href="#Input_age"/></informationRequirement>
    <informationRequirement id="R2"><requiredInput href="#Input_card"/></informationRequirement>
    <decisionTable id="T" hitPolicy="FIRST">
      <input id="I1" label="Age"><inputExpression id="E1" typeRef="number"><text>age</text></inputExpression></input>
      <input id="I2" label="Card"><inputExpression id="E2" typeRef="boolean"><text>card</text></inputExpression></input>
      <output id="O1" label="Fee" name="fee" typeRef="number"/>
      <rule id="Rule_child"><description>children</description><inputEntry id="a"><text>&lt; 14</text></inputEntry>
        <inputEntry id="b"><text></text></inputEntry><outputEntry id="c"><text>500</text></outputEntry></rule>
      <rule id="Rule_card"><inputEntry id="d"><text></text></inputEntry>
        <inputEntry id="e"><text>true</text></inputEntry><outputEntry id="f"><text>1000</text></outputEntry></rule>
    </decisionTable></decision></definitions>"""


def base(kind: str, key: str) -> Definition:
    return deploy.definition(db.session(), kind, key)


def send(person: Person, path: str, content: str, **more: object) -> tuple[int, dict]:
    body = {"content": content, "file": more.pop("file", "visit.bpmn"), **more}
    answer = person.client.post(path, json=body, headers={"X-CSRF-Token": TOKEN, "Accept": "application/json"})
    return answer.status_code, answer.get_json()


def versions(kind: str = "process", key: str = "outpatient_visit") -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Definition.kind == kind, Definition.key == key))


@pytest.fixture
def owner(clinic: Clinic) -> Person:
    return clinic.person("owner")


@pytest.fixture
def decision(clinic: Clinic) -> Definition:
    deploy.deploy(db.session(), {"fees.dmn": DECISION.encode()}, by="owner", comment="first fees")
    db.session.commit()
    return base("decision", "fee")


def test_the_shelf_lists_what_is_deployed_with_who_runs_on_it(clinic: Clinic, owner: Person) -> None:
    clinic.visit()
    page = owner.text("/studio")
    assert "Outpatient visit" in page
    assert "Identify the patient · Outpatient visit" in page  # a form is called by the step that shows it
    assert re.search(r'<td class="number">1</td>', page)


def test_the_shelf_speaks_chinese(clinic: Clinic) -> None:
    page = clinic.person("owner", "zh").text("/studio")
    assert "门诊就诊" in page
    assert "识别患者 · 门诊就诊" in page


def test_the_editor_gets_the_file_as_it_was_deployed(owner: Person) -> None:
    page = owner.text("/studio/process/outpatient_visit/1")
    url = re.search(r'"content": "([^"]+)"', page).group(1)
    assert owner.text(url) == VISIT


def test_a_download_carries_a_name_with_its_version(owner: Person) -> None:
    answer = owner.get("/studio/process/outpatient_visit/1/file?download=1")
    assert "outpatient_visit-v1.bpmn" in answer.headers["Content-Disposition"]


def test_the_editor_page_needs_no_evaluated_scripts(owner: Person) -> None:
    policy = owner.get("/studio/process/outpatient_visit/1").headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]


def test_checking_tells_the_servers_problems_and_deploys_nothing(owner: Person) -> None:
    broken = VISIT.replace('targetRef="Task_Consult"', 'targetRef="Nowhere"')
    status, found = send(owner, "/studio/check", broken)
    assert status == 200
    assert any(p["severity"] == "error" and p["message"] and p["fix"] for p in found["problems"])
    assert versions() == 1


def test_problems_are_told_in_the_readers_language(clinic: Clinic) -> None:
    broken = VISIT.replace('targetRef="Task_Consult"', 'targetRef="Nowhere"')
    reader = clinic.person("owner", "zh")
    _, checked = send(reader, "/studio/check", broken)
    _, refused = send(reader, "/studio/deploy", broken, base=base("process", "outpatient_visit").id, comment="改一下")
    for found in (checked, refused):
        assert ("顺序流的目标 Nowhere 不存在。", "请连到事件、活动或网关。") in {(p["message"], p["fix"]) for p in found["problems"]}
    assert "Nowhere does not exist" not in str(refused)


def test_checking_a_good_diagram_finds_no_error(owner: Person) -> None:
    _, found = send(owner, "/studio/check", VISIT)
    assert [p for p in found["problems"] if p["severity"] == "error"] == []


def test_what_is_no_diagram_comes_back_as_a_problem(owner: Person) -> None:
    _, found = send(owner, "/studio/check", "<html>")
    assert [p["severity"] for p in found["problems"]] == ["error"]


def test_the_dialog_shows_what_will_change(owner: Person) -> None:
    changed = VISIT.replace('candidateGroups="triage_nurse"', 'candidateGroups="doctor"')
    _, found = send(owner, "/studio/changes", changed, base=base("process", "outpatient_visit").id)
    (row,) = found["changes"]
    assert (row["kind"], row["name"], row["property"], row["before"], row["after"]) == (
        "changed",
        "Vital signs",
        "role",
        "triage_nurse",
        "doctor",
    )


def test_changes_are_worded_in_the_readers_language(clinic: Clinic) -> None:
    changed = VISIT.replace('candidateGroups="triage_nurse"', 'candidateGroups="doctor"')
    _, found = send(clinic.person("owner", "zh"), "/studio/changes", changed, base=base("process", "outpatient_visit").id)
    assert [(r["word"], r["name"], r["type"], r["property"]) for r in found["changes"]] == [("修改", "生命体征", "用户任务", "角色")]


def test_a_new_version_is_deployed_and_running_visits_stay_on_theirs(clinic: Clinic, owner: Person) -> None:
    before = clinic.visit()
    changed = VISIT.replace('name="Vital signs"', 'name="Vital signs and pain"')
    status, answer = send(owner, "/studio/deploy", changed, base=base("process", "outpatient_visit").id, comment="pain counts")
    assert status == 200
    assert answer["url"].endswith("/studio/process/outpatient_visit/2")
    after = clinic.visit()
    assert instances.get(db.session(), before.id).version == 1
    assert after.version == 2
    assert "pain counts" in owner.text("/studio/process/outpatient_visit")


def test_a_version_with_errors_is_not_deployed_and_each_error_is_told(owner: Person) -> None:
    broken = VISIT.replace('targetRef="Task_Consult"', 'targetRef="Nowhere"')
    status, answer = send(owner, "/studio/deploy", broken, base=base("process", "outpatient_visit").id, comment="oops")
    assert status == 422
    assert answer["problems"]
    assert versions() == 1


@pytest.mark.parametrize(("content", "comment"), [(VISIT, "nothing new"), (VISIT.replace("Vital signs", "Signs"), "  ")])
def test_a_version_without_a_change_or_a_comment_is_refused(owner: Person, content: str, comment: str) -> None:
    status, _ = send(owner, "/studio/deploy", content, base=base("process", "outpatient_visit").id, comment=comment)
    assert status == 409
    assert versions() == 1


def test_who_opened_an_old_version_is_told_that_somebody_was_faster(clinic: Clinic, owner: Person) -> None:
    opened = base("process", "outpatient_visit").id
    send(owner, "/studio/deploy", VISIT.replace("Vital signs", "Signs"), base=opened, comment="first")
    status, answer = send(owner, "/studio/deploy", VISIT.replace("Vital signs", "Vitals"), base=opened, comment="second")
    assert status == 409
    assert "Lin Tao deployed version 2 meanwhile" in answer["detail"]
    assert versions() == 2


@pytest.mark.parametrize(("login", "status"), [("pm", 403), ("doctor", 403), ("engineer", 403)])
def test_only_a_process_owner_deploys(clinic: Clinic, login: str, status: int) -> None:
    changed = VISIT.replace("Vital signs", "Signs")
    given, _ = send(clinic.person(login), "/studio/deploy", changed, base=base("process", "outpatient_visit").id, comment="x")
    assert given == status
    assert versions() == 1


def test_a_project_manager_reads_but_finds_no_deploy_button(clinic: Clinic) -> None:
    page = clinic.person("pm").text("/studio/process/outpatient_visit/1")
    assert "data-deploy " not in page
    assert "data-check" in page


def test_two_versions_are_compared_with_a_list_of_changes(owner: Person) -> None:
    changed = VISIT.replace('name="Vital signs"', 'name="Vital signs and pain"')
    send(owner, "/studio/deploy", changed, base=base("process", "outpatient_visit").id, comment="pain counts")
    page = owner.text("/studio/process/outpatient_visit/compare")
    assert re.search(r"<del>Vital signs</del>\s*→\s*<ins>Vital signs and pain</ins>", page)
    assert page.count("data-xml=") == 2
    assert "These two versions mean the same." in owner.text("/studio/process/outpatient_visit/compare?from=1&to=1")


def test_a_form_is_previewed_as_staff_see_it(owner: Person) -> None:
    assert "cl-form" in owner.text("/studio/form/vitals/1")
    answer = owner.client.post("/studio/preview", json={"content": FORM, "file": "vitals.form"}, headers={"X-CSRF-Token": TOKEN})
    assert "cl-form" in answer.get_data(as_text=True)


def test_a_broken_form_shows_its_problems_instead(owner: Person) -> None:
    broken = FORM.replace('"textfield"', '"teapot"').replace('"number"', '"teapot"')
    answer = owner.client.post("/studio/preview", json={"content": broken, "file": "vitals.form"}, headers={"X-CSRF-Token": TOKEN})
    assert "teapot" in answer.get_data(as_text=True)


def test_a_decision_is_read_as_a_table_and_tried_with_the_inputs_it_needs(owner: Person, decision: Definition) -> None:
    page = owner.text("/studio/decision/fee/1")
    assert "&lt; 14" in page
    assert 'name="age"' in page
    assert 'name="card"' in page
    assert 'name="other"' not in page  # the file has it, this decision does not need it


@pytest.mark.parametrize(("given", "result", "rule"), [({"age": "9"}, "500", 1), ({"age": "40", "card": "true"}, "1000", 2)])
def test_trying_a_decision_shows_the_result_and_the_rule(owner: Person, decision: Definition, given: dict, result: str, rule: int) -> None:
    answer = owner.post("/studio/decision/fee/1/try", given).get_data(as_text=True)
    assert re.search(rf"<pre[^>]*>{result}</pre>", answer)
    assert f"</code> {rule}" in answer


def test_changed_cells_of_a_decision_are_named_by_rule_and_column(owner: Person, decision: Definition) -> None:
    _, found = send(owner, "/studio/changes", DECISION.replace("&lt; 14", "&lt; 16"), file="fees.dmn", base=decision.id)
    assert [(r["type"], r["property"], r["before"], r["after"]) for r in found["changes"]] == [("rule 1", "Age", "< 14", "< 16")]


def test_changed_fields_of_a_form_are_named(owner: Person) -> None:
    before = base("form", "vitals")
    changed = re.sub(r'"label":\s*"Pulse[^"]*"', '"label": "Heart rate"', FORM, count=1)
    assert changed != FORM
    _, found = send(owner, "/studio/changes", changed, file="vitals.form", base=before.id)
    assert [(r["property"], r["after"]) for r in found["changes"]] == [("label", "Heart rate")]


def test_the_empty_diagram_is_a_good_beginning(owner: Person) -> None:
    blank = owner.text("/studio/new.bpmn")
    _, found = send(owner, "/studio/check", blank)
    assert found["problems"] == []
    status, answer = send(
        owner, "/studio/deploy", blank.replace('id="new_process"', 'id="errand"').replace('"new_process"', '"errand"'), comment="new"
    )
    assert (status, answer["url"]) == (200, "/studio/process/errand/1")


def test_the_connectors_come_as_element_templates(owner: Person) -> None:
    integrations.load()
    templates = owner.get("/studio/templates.json").get_json()
    assert {t["id"] for t in templates} >= {"carelane.patient.search", "carelane.payment.order"}
