"""The pages of data governance: who may change what, and that what is shown is what is kept."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from integrations.dictionary import book as dictionary
from integrations.mappings import book
from integrations.patients import index, review
from integrations.quality import rules
from tests.web.clinic import Clinic
from tests.web.governance import stock
from web.db import db
from web.governance import words
from web.records.tables import AccessRecord

FIELD = {
    "key": "bloodGroup", "name_en": "Blood group", "name_zh": "血型", "type": "code", "codes": "A | B | AB | O", "owner": "lab_technician",
    "comment": "The blood bank asks for it",
}  # fmt: skip


# ── dictionary ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_field_is_added_and_its_history_shown(clinic: Clinic) -> None:
    owner = clinic.person("owner")
    assert owner.post("/governance/dictionary/field", FIELD).status_code == 302
    assert (
        owner.post("/governance/dictionary/field", {**FIELD, "name_zh": "ABO 血型", "revision": "1", "comment": "Clearer"}).status_code == 302
    )
    page = owner.text("/governance/dictionary/field?key=bloodGroup")
    assert "Clearer" in page
    assert "<del>血型</del> → <ins>ABO 血型</ins>" in page
    assert "ABO 血型" in clinic.person("owner", "zh").text("/governance/dictionary?q=bloodgroup")


def test_two_people_do_not_overwrite_each_other(clinic: Clinic) -> None:
    owner = clinic.person("owner")
    owner.post("/governance/dictionary/field", FIELD)
    again = owner.post("/governance/dictionary/field", {**FIELD, "name_en": "Other", "revision": "0"})
    assert again.status_code == 422
    assert "Somebody changed this field meanwhile" in again.get_data(as_text=True)
    assert dictionary.field(db.session(), "bloodGroup").name_en == "Blood group"


@pytest.mark.parametrize(
    ("change", "said_en", "said_zh"),
    [
        ({"unit": "furlongs"}, "no UCUM unit", "不是 UCUM 单位"),
        ({"name_zh": ""}, "both languages", "中英文名称"),
        ({"codes": ""}, "Say which codes", "编码范围"),
        ({"key": "9"}, "begins with a letter", "以字母开头"),
        ({"key": "glucose"}, "of this key already", "已有此键"),
    ],
)
def test_a_wrong_field_is_refused_in_the_readers_language(clinic: Clinic, change: dict[str, str], said_en: str, said_zh: str) -> None:
    for language, said in (("en", said_en), ("zh", said_zh)):
        answer = clinic.person("owner", language).post("/governance/dictionary/field", {**FIELD, **change})
        assert answer.status_code == 422
        assert said in answer.get_data(as_text=True)


def test_the_dictionary_leaves_as_csv_and_comes_back(clinic: Clinic) -> None:
    engineer = clinic.person("engineer")
    exported = engineer.get("/governance/dictionary.csv").get_data()
    assert exported.startswith("\ufeffkey,name_en".encode())
    line = "bloodGroup,Blood group,血型,,,code,,A | B,lab_technician,,"
    changed = (exported.decode("utf-8-sig") + line + "\r\n").encode("gb18030")

    def send(**more: str) -> str:
        given = {"file": (io.BytesIO(changed), "d.csv"), **more}
        return engineer.post("/governance/dictionary/import", given, content_type="multipart/form-data", follow_redirects=True).text

    assert "1 would be added, 0 changed" in send(dry="1")
    assert "bloodGroup" not in dictionary.fields(db.session())
    assert "Imported: 1 added, 0 changed" in send()
    assert dictionary.field(db.session(), "bloodGroup").name_zh == "血型"


def test_the_studio_gets_the_fields_in_the_readers_language(clinic: Clinic) -> None:
    given = {one["name"]: one for one in clinic.person("owner", "zh").get("/governance/dictionary.json").get_json()}
    assert (given["glucose"]["label"], given["glucose"]["unit"], given["glucose"]["typeName"]) == ("末梢血糖", "mmol/L", "带单位的量")


def test_a_project_manager_reads_and_changes_nothing(clinic: Clinic) -> None:
    manager = clinic.person("pm")
    assert "disabled" in manager.text("/governance/dictionary/field?key=glucose")
    for path in ("/governance/dictionary/field", "/governance/mappings", "/governance/quality/rule"):
        assert manager.post(path, FIELD).status_code == 403


# ── mappings ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_is_written_tried_published_compared_and_brought_back(clinic: Clinic) -> None:
    engineer = clinic.person("engineer")
    engineer.post("/governance/mappings", {"key": "his.patient", "kind": "fields", "name_en": "Patient", "name_zh": "患者"})
    given = {"format": "json", "expression": '{"name": XM}'}
    tried = engineer.post("/governance/mappings/his.patient/try", {**given, "sample": '{"XM": "张三"}'}).text
    assert "&#34;name&#34;: &#34;张三&#34;" in tried
    assert book.head(db.session(), "his.patient").latest == 0
    assert "Say what you changed" in engineer.post("/governance/mappings/his.patient", {**given, "publish": "1"}).text
    assert engineer.post("/governance/mappings/his.patient", {**given, "publish": "1", "comment": "first"}).status_code == 302
    second = {**given, "expression": '{"name": XM, "phone": DH}'}
    engineer.post("/governance/mappings/his.patient", {**second, "publish": "1", "comment": "phone"})
    assert "<ins>{&#34;name&#34;: XM, &#34;phone&#34;: DH}</ins>" in engineer.text("/governance/mappings/his.patient/compare?to=2")
    engineer.post("/governance/mappings/his.patient/restore", {"number": "1"})
    assert (book.version(db.session(), "his.patient").number, book.version(db.session(), "his.patient").restored) == (3, 1)


def test_an_error_names_its_place_in_the_readers_language(clinic: Clinic) -> None:
    stock.mappings()
    engineer = clinic.person("engineer", "zh")
    given = {"format": "csv", "expression": '{"pain": p}', "sample": "p\n1\nx\n"}
    fragment = engineer.post("/governance/mappings/lis.result/try", given, headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "[2].pain" in fragment
    assert "x 不是数字" in fragment
    wrong = engineer.post("/governance/mappings/lis.result", {**given, "expression": "{", "publish": "1", "comment": "x"})
    assert wrong.status_code == 422
    assert "第 1 行" in wrong.text
    assert book.head(db.session(), "lis.result").draft["expression"] == stock.EXPRESSION, "what cannot be published is not kept either"


def test_a_code_table_is_written_a_row_a_line(clinic: Clinic) -> None:
    stock.mappings()
    engineer = clinic.person("engineer")
    rows = "1 = male # 男\n2 → female\n9\tunknown"
    engineer.post("/governance/mappings/his.sex", {"rows": rows, "publish": "1", "comment": "9 came"})
    assert [row["value"] for row in book.version(db.session(), "his.sex").body["rows"]] == ["male", "female", "unknown"]
    assert book.version(db.session(), "lis.result").pinned == {"his.sex": 2}
    refused = engineer.post("/governance/mappings/his.sex", {"rows": "1 = a\nnonsense", "publish": "1", "comment": "x"})
    assert refused.status_code == 422
    assert "line 2" in refused.text
    assert "nonsense" in refused.text, "what was typed is not lost"


# ── quality ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_scorecard_leads_to_the_findings_and_to_their_rule(clinic: Clinic) -> None:
    stock.inbound(clinic, days=3)
    engineer = clinic.person("engineer")
    page = engineer.text("/governance/quality")
    assert "lis" in page
    findings = engineer.text("/governance/quality/findings?source=lis")
    assert "observations[1].value" in findings
    assert "/messages/" in findings, "each finding leads to its message"
    assert "13800138000" not in findings


def test_a_rule_is_changed_for_what_comes_from_now_on(clinic: Clinic) -> None:
    owner = clinic.person("owner")
    given = {"id": "temperature", "field": "temperature", "kind": "range", "low": "30", "high": "44.5", "severity": "warning"}
    assert owner.post("/governance/quality/rule", given).status_code == 302
    kept = rules.rule(db.session(), "temperature")
    assert (kept.parameters, kept.severity, kept.active) == ({"low": 30, "high": 44.5}, "warning", False)
    wrong = owner.post("/governance/quality/rule", {"field": "sbp", "kind": "condition", "feel": "sbp >", "severity": "error"})
    assert wrong.status_code == 422


# ── duplicates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_merges_with_a_reason_and_takes_it_back(clinic: Clinic) -> None:
    first, second = stock.twins(clinic)
    (pair,) = review.pairs(db.session())
    registrar, path = clinic.person("registrar"), f"/governance/duplicates/{pair.review.id}"
    page = registrar.text(path)
    assert all(text in page for text in ("王小明", "王晓明", "almost the same", "his"))
    registrar.post(path, {"decision": "merge", "keep": first.id, "why": " "})
    assert index.present(db.session(), second.id).id == second.id, "not without a reason"
    registrar.post(path, {"decision": "merge", "keep": first.id, "why": "Same phone, asked the patient"})
    assert index.present(db.session(), second.id).id == first.id
    (merge,) = review.merges(db.session())
    registrar.post(f"/governance/merges/{merge.id}/undo", {"why": "They are cousins"})
    assert index.present(db.session(), second.id).id == second.id
    history = registrar.text("/governance/merges")
    assert "They are cousins" in history
    assert "Same phone, asked the patient" in history
    assert review.pairs(db.session(), "different")[0].review.why == "They are cousins"


def test_two_people_are_not_asked_about_again(clinic: Clinic) -> None:
    stock.twins(clinic)
    (pair,) = review.pairs(db.session())
    registrar = clinic.person("registrar")
    registrar.post(f"/governance/duplicates/{pair.review.id}", {"decision": "different", "why": "Cousins"})
    settings = clinic.app.config["CARELANE"]
    index.save(db.session(), settings, {"address": "moved"}, pair.first.id)
    review.screen(db.session(), settings)
    assert review.pairs(db.session()) == []


def test_whoever_looks_is_in_the_access_record(clinic: Clinic) -> None:
    first, second = stock.twins(clinic)
    clinic.person("registrar").text("/governance/duplicates")
    seen = db.session.execute(select(AccessRecord.actor, AccessRecord.action, AccessRecord.patient)).all()
    assert {tuple(row) for row in seen} == {("registrar", "patient.review", patient.id) for patient in (first, second)}
    assert clinic.person("engineer").get("/governance/duplicates").status_code == 403


def test_every_problem_of_a_mapping_has_its_words() -> None:
    from integrations.mappings.conform import WORDS

    assert set(words._PROBLEMS) == set(WORDS)
