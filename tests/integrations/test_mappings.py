"""Mappings: an old system's message becomes the clinic's own record, or the place that is wrong is named."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import Conflict, ConnectorFailed, InvalidForm, NotFound
from engine.execution.connectors import Call, get
from integrations.dictionary.book import Field
from integrations.mappings import book, bounded, payload
from integrations.mappings.apply import Mapped, apply, run, try_out
from integrations.mappings.conform import WORDS

ORU = (
    "MSH|^~\\&|LIS|LAB|CARELANE|CLINIC|20261122093000||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    "PID|1||A1^^^HIS~B2^^^CARD||王^小明||19850312|1\rOBR|1|O1||24323-8^Panel\r"
    "OBX|1|NM|2345-7^Glucose||99|mg/dL|70-105\rOBX|2|NM|2823-3^Potassium||4.1|mmol/L\rOBR|2|O2||1^Other\rOBX|1|NM|9^Other||1|1\r"
)
FIELDS = {
    field.key: field
    for field in (
        Field("name", "Name", "姓名"),
        Field("birthDate", "Birth date", "出生日期", type="date"),
        Field("sex", "Sex", "性别", type="code", codes="male | female"),
        Field("glucose", "Glucose", "血糖", type="quantity", unit="mmol/L"),
        Field("pain", "Pain", "疼痛", type="integer"),
        Field("pregnant", "Pregnant", "妊娠", type="boolean"),
        Field("phone", "Phone", "手机", type="phone"),
        Field("idCard", "ID card", "身份证", type="id_card"),
        Field("symptoms", "Symptoms", "症状", type="list"),
        Field("old", "Old", "旧字段", retired=True),
    )
}
SEX = {"rows": [{"code": "1", "value": "male"}, {"code": "2", "value": "female"}], "otherwise": None}


def mapped(expression: str, given: Any, format_: str = "json", **tables: Any) -> Mapped:
    return run({"format": format_, "expression": expression}, given, tables, FIELDS, 1)


def problem(result: Mapped) -> tuple[str, str]:
    (one,) = result.problems
    return one.place, one.rule


# ── reading what comes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_hl7_message_is_named_by_segment_field_and_component() -> None:
    (message,) = payload.records("hl7", ORU)
    assert (message["MSH"]["f9"], message["PID"]["f5"]) == ({"c1": "ORU", "c2": "R01", "c3": "ORU_R01"}, {"c1": "王", "c2": "小明"})
    assert [number["c1"] for number in message["PID"]["f3"]] == ["A1", "B2"]
    assert [len(message["OBR"][0]["OBX"]), message["OBR"][1]["OBX"]["f3"]["c1"], len(message["OBX"])] == [2, "9", 3]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_old_encodings_and_line_ends_are_read(encoding: str) -> None:
    (message,) = payload.records("hl7", ORU.replace("\r", "\n").encode(encoding))
    assert message["PID"]["f5"]["c2"] == "小明"
    assert payload.records("csv", "姓名;性别\r\n张三;1\r\n".encode(encoding)) == [{"姓名": "张三", "性别": "1"}]


def test_xml_loses_its_namespaces_and_keeps_attributes_and_repetitions() -> None:
    text = '<p:a xmlns:p="x" k="1"><b>1</b><b>2</b><c>t<d/></c></p:a>'
    assert payload.records("xml", text) == [{"a": {"@k": "1", "b": ["1", "2"], "c": {"d": "", "#text": "t"}}}]


@pytest.mark.parametrize(
    ("format_", "given", "place"),
    [
        ("json", '{"a": 1,\n "b" 2}', "line 2"),
        ("csv", "a,b\n1,2\n3\n", "line 3"),
        ("csv", "a,b\n", "line 2"),
        ("csv", "a,a\n1,2\n", "line 1"),
        ("xml", "<a>\n<b></a>", "line 2"),
        ("xml", '<!DOCTYPE a [<!ENTITY x "boom">]><a>&x;</a>', "DOCTYPE"),
        ("fhir", '{"name": 1}', "resourceType"),
        ("hl7", "hello", "MSH"),
        ("json", "", ""),
    ],
)
def test_what_cannot_be_read_is_a_problem_that_names_the_place(format_: str, given: str, place: str) -> None:
    result = mapped("{}", given, format_)
    assert (result.value, result.ok) == (None, False)
    assert problem(result)[0].startswith(place)
    assert problem(result)[1] == "unreadable"


# ── the dictionary's types ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_becomes_a_record_of_the_dictionary() -> None:
    expression = """{
      "name": PID.f5.c1 & PID.f5.c2, "birthDate": $date(PID.f7.c1), "sex": $code("sex", PID.f8.c1),
      "glucose": OBR[0].OBX[f3.c1 = "2345-7"].{"value": f5.c1, "unit": f6.c1, "code": f3.c1}}"""
    result = mapped(expression, ORU, "hl7", sex=SEX)
    assert result.problems == ()
    assert result.value == {"name": "王小明", "birthDate": "1985-03-12", "sex": "male", "glucose": 5.49524}


@pytest.mark.parametrize(
    ("field", "given", "made"),
    [
        ("birthDate", "1985-03-12", "1985-03-12"),
        ("pain", "7", 7),
        ("pain", 7.0, 7),
        ("pregnant", "是", True),
        ("pregnant", "N", False),
        ("phone", "+86 138-0013-8000", "13800138000"),
        ("idCard", "11010119850312001 7", "110101198503120017"),
        ("glucose", {"value": "5.5", "unit": "mmol/l"}, 5.5),
        ("glucose", "5.5", 5.5),
        ("name", 12, "12"),
        ("name", "", None),
        ("symptoms", ["fever"], ["fever"]),
    ],
)
def test_a_value_becomes_what_its_field_says(field: str, given: Any, made: Any) -> None:
    result = mapped(f'{{"{field}": v}}', {"v": given})
    assert (result.value, result.problems) == ({field: made}, ())


@pytest.mark.parametrize(
    ("field", "given", "rule"),
    [
        ("birthDate", "12.03.1985", "date"),
        ("pain", "7.5", "number"),
        ("pain", "viel", "number"),
        ("pain", True, "number"),
        ("pregnant", "maybe", "boolean"),
        ("sex", "M", "choice"),
        ("glucose", {"value": 99, "unit": "mg/dL"}, "unit"),
        ("glucose", {"value": 99, "unit": "kg"}, "unit"),
        ("symptoms", "fever", "list"),
        ("name", {"a": 1}, "object"),
    ],
)
def test_a_value_that_cannot_be_is_left_out_and_named(field: str, given: Any, rule: str) -> None:
    result = mapped(f'{{"{field}": v, "x": null}}', {"v": given})
    assert (result.ok, field in result.value) == (False, False)
    assert [(one.place, one.rule) for one in result.problems if one.severity == "error"] == [(field, rule)]
    assert rule in WORDS


def test_fields_that_the_dictionary_does_not_know_are_warned_of_and_kept() -> None:
    result = mapped('{"name": "a", "colour": "red", "old": "1"}', {})
    assert (result.ok, result.value) == (True, {"name": "a", "colour": "red", "old": "1"})
    assert [(one.place, one.rule) for one in result.problems] == [("colour", "unknown_field"), ("old", "retired_field")]


@pytest.mark.parametrize(
    ("old", "iso"),
    [
        ("19850312", "1985-03-12"),
        ("1985/3/12", "1985-03-12"),
        ("1985年3月12日", "1985-03-12"),
        ("20261122093000", "2026-11-22T09:30:00"),
        ("202611220930+0800", "2026-11-22T09:30:00+08:00"),
        ("2026-11-22 9:30", "2026-11-22T09:30:00"),
    ],
)
def test_dates_of_old_systems(old: str, iso: str) -> None:
    assert bounded.evaluate("$date(d)", {"d": old}).value == iso


def test_a_code_that_is_in_no_row_is_a_problem_and_otherwise_stands_in() -> None:
    assert problem(mapped('{"sex": $code("sex", "9")}', {}, sex=SEX)) == ("$code(sex)", "code")
    result = mapped('{"sex": $code("sex", "9")}', {}, sex={**SEX, "otherwise": "female"})
    assert (result.value, result.ok) == ({"sex": "female"}, False)
    assert bounded.evaluate('$uncode("sex", "male")', {}, {"sex": SEX}).value == "1"


def test_several_records_are_mapped_each_and_named_by_their_number() -> None:
    result = mapped('{"pain": p}', "p\n1\nx\n3\n", "csv")
    assert result.value == [{"pain": 1}, {}, {"pain": 3}]
    assert problem(result) == ("[2].pain", "number")


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

BOMBS = {
    "recursion": "($f := function($x){ $f($x) + 1 }; $f(1))",
    "endless tail call": "($f := function($x){ $f($x) }; $f(1))",
    "ten million numbers": "[1..9999999]",
    "catastrophic pattern": '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)',
    "two gigabytes of text": '$pad("x", 2000000000)',
    "doubling text": "$reduce([1..100000], function($a, $b){ $a & $string($b) & $a })",
    "nesting": "(" * 3000 + "1" + ")" * 3000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_within_a_second_and_a_half_and_takes_nothing_with_it(bomb: str) -> None:
    bounded.evaluate("1", {})
    began = time.monotonic()
    with pytest.raises(bounded.MappingFailed):
        bounded.evaluate(BOMBS[bomb], {})
    assert time.monotonic() - began < 1.5
    assert bounded.evaluate("1 + 1", {}).value == 2


def test_an_expression_sees_neither_files_nor_environment() -> None:
    for name in ("$open", "$import", "$env", "$eval"):
        with pytest.raises(bounded.MappingFailed):
            bounded.evaluate(f'{name}("__import__(\\"os\\").environ")', {})


def test_an_error_names_line_and_column() -> None:
    result = mapped('{\n  "name": $uppercase(1)\n}', {})
    assert problem(result)[0].startswith("line 2, column")
    assert mapped("{", {}).problems[0].place.startswith("line 1")


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def body(expression: str, format_: str = "json") -> dict[str, str]:
    return {"format": format_, "expression": expression}


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Any:
    with sessions() as opened:
        book.create(opened, "sex", "codes", name_en="Sex", name_zh="性别", by="ie", body=SEX)
        book.publish(opened, "sex", comment="first", by="ie")
        book.create(opened, "his.patient", "fields", name_en="Patient", name_zh="患者", by="ie", body=body('{"sex": $code("sex", XB)}'))
        book.publish(opened, "his.patient", comment="first", by="ie")
        yield opened


def test_a_named_version_stays_what_it_was_and_latest_moves_on(session: Session) -> None:
    book.save_draft(session, "his.patient", body('{"sex": $code("sex", XB), "name": XM}'), by="ie")
    assert apply(session, "his.patient", {"XB": "1", "XM": "张三"}).value == {"sex": "male"}, "a draft is not in use"
    book.publish(session, "his.patient", comment="name", by="ie")
    assert apply(session, "his.patient", {"XB": "1", "XM": "张三"}) == Mapped({"sex": "male", "name": "张三"}, 2)
    assert apply(session, "his.patient", {"XB": "1", "XM": "张三"}, version=1) == Mapped({"sex": "male"}, 1)


def test_a_new_code_table_reaches_the_newest_version_only(session: Session) -> None:
    rows = [*SEX["rows"], {"code": "9", "value": "unknown"}]
    book.save_draft(session, "sex", {"rows": rows, "otherwise": None}, by="ie")
    book.publish(session, "sex", comment="9", by="ie")
    assert apply(session, "his.patient", {"XB": "9"}) == Mapped({"sex": "unknown"}, 2)
    assert not apply(session, "his.patient", {"XB": "9"}, version=1).ok
    assert book.version(session, "his.patient").comment == "sex v2"


def test_an_older_version_comes_back_as_a_new_one(session: Session) -> None:
    book.save_draft(session, "his.patient", body('{"name": XM}'), by="ie")
    book.publish(session, "his.patient", comment="worse", by="ie")
    made = book.restore(session, "his.patient", 1, comment="it was better", by="ie2")
    assert (made.number, made.restored, apply(session, "his.patient", {"XB": "2"}).value) == (3, 1, {"sex": "female"})
    assert [row.number for row in book.versions(session, "his.patient")] == [3, 2, 1]


def test_a_comparison_shows_what_changed(session: Session) -> None:
    lines = book.compare(book.version(session, "his.patient").body, body('{"sex": XB}'))
    assert [(line.mark, line.text) for line in lines if line.mark in "+-"] == [("-", '{"sex": $code("sex", XB)}'), ("+", '{"sex": XB}')]
    table = book.compare(SEX, {"rows": SEX["rows"][:1], "otherwise": "x"})
    assert [line.text for line in table if line.mark in "+-"] == ["2 → female", "* → x"]


@pytest.mark.parametrize(
    ("draft", "part", "words"),
    [
        (body('{"a": '), "expression", "line 1"),
        (body('{"a": $code("nix", 1)}'), "expression", "no published code table nix"),
        (body("", "json"), "expression", "empty"),
        (body("1", "edifact"), "format", "edifact"),
    ],
)
def test_a_draft_that_cannot_work_is_not_published(session: Session, draft: dict[str, str], part: str, words: str) -> None:
    book.save_draft(session, "his.patient", draft, by="ie")
    with pytest.raises(InvalidForm) as refused:
        book.publish(session, "his.patient", comment="x", by="ie")
    assert words in refused.value.errors[part][0]
    assert book.head(session, "his.patient").latest == 1


def test_nothing_new_is_no_version_and_double_codes_are_refused(session: Session) -> None:
    with pytest.raises(Conflict):
        book.publish(session, "his.patient", comment="again", by="ie")
    book.save_draft(session, "sex", {"rows": [*SEX["rows"], SEX["rows"][0]], "otherwise": None}, by="ie")
    with pytest.raises(InvalidForm) as refused:
        book.publish(session, "sex", comment="x", by="ie")
    assert "1 has two rows" in refused.value.errors["rows"][0]


def test_what_is_missing_is_not_found(session: Session) -> None:
    for key, version in (("nix", None), ("his.patient", 7)):
        with pytest.raises(NotFound):
            apply(session, key, {}, version)


def test_a_dry_run_uses_the_draft_and_keeps_nothing(session: Session) -> None:
    result = try_out(session, body('{"sex": $code("sex", XB)}'), '{"XB": "2"}')
    assert (result.value, result.version) == ({"sex": "female"}, 0)
    assert book.head(session, "his.patient").latest == 1


# ── the connector ────────────────────────────────────────────────────────────────────────────────────────────────────────


def call(**values: Any) -> dict[str, Any]:
    return dict(get("map.apply").call(Call(type="map.apply", input=values, headers={}, key="k", instance_id="i", element_id="e")))


def test_the_connector_maps_for_a_process(session: Session) -> None:
    session.commit()
    assert call(mapping="his.patient", message={"XB": "1"}) == {"record": {"sex": "male"}, "version": 1, "problems": []}
    loose = call(mapping="his.patient", message={"XB": "7"}, strict=False)
    assert (loose["record"], len(loose["problems"])) == ({}, 1)


@pytest.mark.parametrize("given", [{"mapping": "his.patient", "message": {"XB": "7"}}, {"mapping": "nix", "message": {}}])
def test_the_connector_fails_for_good_where_trying_again_would_not_help(session: Session, given: dict[str, Any]) -> None:
    session.commit()
    with pytest.raises(ConnectorFailed) as failed:
        call(**given)
    assert failed.value.kind == "permanent"
