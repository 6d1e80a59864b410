"""What people submit becomes typed values, or an error in their words beside the field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from form_samples import CONTEXT, evaluate, form

import forms

NOW = datetime(2026, 3, 9, 4, 0, tzinfo=UTC)  # noon at the clinic


def one(component: dict[str, object], value: object, context: dict[str, object] | None = None, lang: str = "en") -> forms.Validated:
    loaded = forms.load(form({"key": "x", "label": "X", **component}))
    return forms.validate(loaded, {"x": value}, context or {}, lang, evaluate, now=NOW)


def number(**more: object) -> dict[str, object]:
    return {"type": "number", **more}


def text(properties: dict[str, str] | None = None, **rules: object) -> dict[str, object]:
    return {"type": "textfield", "validate": rules, "properties": properties or {}}


def moment(subtype: str, **more: object) -> dict[str, object]:
    return {"type": "datetime", "subtype": subtype, **more}


FEN = number(properties={"unit": "fen", "display": "yuan"})
RADIO = {"type": "radio", "values": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]}
CHECKS = {**RADIO, "type": "checklist"}
CARD = text({"validate": "cn_id_card"})
MOBILE = text({"validate": "cn_mobile"})

GOOD = [
    (text(), "  Li Ming ", "Li Ming"), (text(), "", None), (text(), 42, "42"),
    (text(validationType="phone"), "13800138000", "13800138000"), (text(validationType="phone"), "010-6234 5678", "010-6234 5678"),
    (text(validationType="phone"), "+44 (20) 7946-0000", "+44 (20) 7946-0000"),
    (text(validationType="email"), "li@example.cn", "li@example.cn"), (text(pattern="^A\\d{3}$"), "A123", "A123"),
    (CARD, "11010519491231002x", "11010519491231002X"), (CARD, "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X"),
    (MOBILE, "+86 138-0013-8000", "13800138000"), (MOBILE, "86 13800138000", "13800138000"),
    ({"type": "textarea"}, "a\r\nb ", "a\nb"),
    (number(), "37", 37), (number(), "36.50", Decimal("36.50")), (number(), "３６．５", Decimal("36.5")), (number(), "−3", -3),
    (number(), 36.6, Decimal("36.6")), (number(), "", None), (number(decimalDigits=0), "7.0", 7),
    (number(decimalDigits=1), "37", Decimal(37)), (number(serializeToString=True), "1.10", "1.1"),
    (number(increment=0.5), "1.5", Decimal("1.5")), (number(validate={"min": "=low"}), "5", 5),
    (FEN, "12.5", 1250), (FEN, "0.01", 1), (FEN, 1250, 1250), (FEN, "１２", 1200),
    ({"type": "checkbox"}, "on", True), ({"type": "checkbox"}, None, False), ({"type": "checkbox"}, True, True),
    (RADIO, "b", "b"), (RADIO, "", None), (CHECKS, ["b", "a", "b"], ["a", "b"]), (CHECKS, None, []),
    ({"type": "select", "valuesKey": "rooms"}, "2", 2), ({"type": "select", "valuesExpression": "=rooms"}, 1, 1),
    (moment("date"), "2026-02-28", "2026-02-28"), (moment("time"), "08:30", "08:30"),
    (moment("time", timeSerializingFormat="utc_offset"), "08:30", "08:30:00+08:00"),
    (moment("datetime"), "2026-03-09T08:30", "2026-03-09T08:30:00+08:00"),
    (moment("datetime"), "2026-03-09T08:30:00Z", "2026-03-09T08:30:00+00:00"),
    (moment("datetime", timeSerializingFormat="utc_normalized"), "2026-03-09T08:30", "2026-03-09T00:30:00Z"),
    (moment("datetime", timeSerializingFormat="no_timezone"), "2026-03-09T00:30Z", "2026-03-09T08:30:00"),
    (moment("date", disallowPassedDates=True), "2026-03-09", "2026-03-09"),
]  # fmt: skip


@pytest.mark.parametrize(("component", "typed", "value"), GOOD, ids=str)
def test_accepts(component: dict[str, object], typed: object, value: object) -> None:
    result = one(component, typed, {**CONTEXT, "low": 5})
    assert result.errors == {}
    assert result.values == {"x": value}
    assert type(result.values["x"]) is type(value)


BAD = [
    (text(required=True), "   ", "Fill this in"), (text(minLength=3), "ab", "at least 3"), (text(maxLength=3), "abcd", "at most 3"),
    (text(pattern="^A\\d{3}$"), "A12", "form"), (text(), "a\x00b", "control"), (text(), "a\nb", "one line"), (text(), {"a": 1}, "text"),
    (text(), "x" * 5000, "at most"), (text(validationType="email"), "li@localhost", "email"), (text(validationType="phone"), "12", "phone"),
    (CARD, "110105194912310021", "check digit"), (CARD, "110105194913310028", "birth date"), (CARD, "11010520991231002X", "birth date"),
    (CARD, "1234", "18 characters"), (MOBILE, "12800138000", "11-digit"),
    (number(), "36,5", "point"), (number(), "36，5", "point"), (number(), "36。5", "point"), (number(), "1,200", "point"),
    (number(), "37℃", "number"), (number(), "NaN", "number"), (number(), float("inf"), "number"), (number(), True, "number"),
    (number(), "1e5", "number"), (number(decimalDigits=0), "1.5", "whole"), (number(decimalDigits=1), "1.55", "at most 1"),
    (number(validate={"min": 30}), "29.9", "30 or more"), (number(validate={"max": 45}), "46", "45 or less"),
    (number(increment=0.5), "1.7", "1.5 and 2"), (number(validate={"min": "=low"}), "4", "5 or more"),
    (FEN, "1.234", "2 digits"), (FEN, 12.5, "whole"), ({**FEN, "validate": {"max": 5000}}, "50.01", "50.00 or less"),
    ({"type": "checkbox", "validate": {"required": True}}, "false", "Tick"), ({"type": "checkbox"}, "maybe", "yes or no"),
    (RADIO, "c", "Choose one"), ({**RADIO, "validate": {"required": True}}, "", "Choose one"), (CHECKS, ["a", "z"], "z"),
    ({**CHECKS, "validate": {"required": True}}, [], "at least one"), (CHECKS, "a", "at least one"),
    ({"type": "select", "valuesKey": "nothing"}, "a", "Choose one"),
    (moment("date"), "2026-02-30", "real date"), (moment("date"), "09/03/2026", "real date"), (moment("time"), "25:00", "real time"),
    (moment("datetime"), "2026-03-09", "date and time"), (moment("date", disallowPassedDates=True), "2026-03-08", "past"),
    (moment("time", timeInterval=15), "08:20", "15 minutes"), (moment("datetime", disallowPassedDates=True), "2026-03-09T11:59", "past"),
]  # fmt: skip


@pytest.mark.parametrize(("component", "typed", "words"), BAD, ids=str)
def test_refuses_in_words(component: dict[str, object], typed: object, words: str) -> None:
    result = one(component, typed, {"low": 5})
    assert words in result.errors["x"][0]
    assert not result.ok


def test_speaks_chinese() -> None:
    assert one(text(required=True), "", lang="zh_CN").errors == {"x": ["请填写此项。"]}


HIDDEN = form(
    {**RADIO, "key": "mode", "label": "Mode"},
    {"type": "textfield", "key": "plate", "label": "Plate", "validate": {"required": True}, "conditional": {"hide": '=mode != "a"'}},
    {"type": "textfield", "key": "driver", "label": "Driver", "validate": {"required": True}, "conditional": {"hide": "=plate = null"}},
)


def test_hidden_fields_are_neither_required_nor_kept() -> None:
    result = forms.validate(forms.load(HIDDEN), {"mode": "b", "plate": "京A", "driver": "Li"}, {}, "en", evaluate)
    assert result.values == {"mode": "b"}
    assert [(note.path, note.reason) for note in result.notes] == [("plate", "hidden"), ("driver", "hidden")]


def test_a_shown_field_is_required() -> None:
    result = forms.validate(forms.load(HIDDEN), {"mode": "a", "plate": ""}, {}, "en", evaluate)
    assert set(result.errors) == {"plate"}


def test_conditions_without_an_evaluator_are_loud() -> None:
    with pytest.raises(forms.ExpressionNeeded, match="mode"):
        forms.validate(forms.load(HIDDEN), {}, {})


LOCKED = form(
    {"type": "textfield", "key": "a", "label": "A", "readonly": True, "validate": {"required": True}},
    {"type": "textfield", "key": "b", "label": "B", "disabled": True, "defaultValue": "x"},
    {"type": "textfield", "key": "c", "label": "C", "readonly": "=sealed = true"},
    {"type": "textfield", "key": "d", "label": "D", "readonly": True, "defaultValue": "start"},
    {"type": "textfield", "key": "e", "label": "E", "conditional": {"hide": '=a = "secret"'}},
)


def test_an_attacker_cannot_overwrite_locked_fields_or_steer_conditions_by_them() -> None:
    sent = {"a": "secret", "b": "evil", "c": "evil", "d": "evil", "e": "fine", "role": "admin", "patient": {"id": 1}}
    result = forms.validate(forms.load(LOCKED), sent, {"a": "held", "sealed": True}, "en", evaluate)
    assert result.values == {"d": "start", "e": "fine"}
    reasons = {note.path: note.reason for note in result.notes}
    assert reasons == {**dict.fromkeys("abcd", "readonly"), "role": "unknown", "patient": "unknown"}


ROWS = form({
    "type": "dynamiclist", "path": "order.drugs", "label": "Drugs", "properties": {"minRows": "1", "maxRows": "3"}, "components": [
        {"type": "textfield", "key": "name", "label": "Name", "validate": {"required": True}},
        {"type": "number", "key": "dose.mg", "label": "Dose", "conditional": {"hide": '=name = "none"'}},
        {"type": "dynamiclist", "path": "times", "label": "Times", "components": [{"type": "datetime", "subtype": "time", "key": "at"}]},
    ],
})  # fmt: skip


def test_rows_are_checked_one_by_one_and_nest() -> None:
    rows = [
        {"name": "Aspirin", "dose": {"mg": "100"}, "times": [{"at": "08:00"}, {"at": "99"}]},
        {"name": "none", "dose": {"mg": 5}},
        {"dose": {"mg": "x"}},
    ]
    result = forms.validate(forms.load(ROWS), {"order": {"drugs": rows}}, {}, "en", evaluate)
    assert set(result.errors) == {"order.drugs.0.times.1.at", "order.drugs.2.name", "order.drugs.2.dose.mg"}
    assert result.values["order"]["drugs"][1] == {"name": "none", "times": []}  # type: ignore[index]
    assert [note.path for note in result.notes] == ["order.drugs.1.dose.mg"]


@pytest.mark.parametrize(("rows", "words"), [([], "at least 1"), ([{"name": ""}], "at least 1"), ([{"name": "a"}] * 4, "at most 3"),
                                             ("x", "rows"), ([1], "rows")])  # fmt: skip
def test_row_limits_hold(rows: object, words: str) -> None:
    result = forms.validate(forms.load(ROWS), {"order": {"drugs": rows}}, {}, "en", evaluate)
    assert words in result.errors["order.drugs"][0]


def test_blank_rows_are_left_out() -> None:
    result = forms.validate(forms.load(ROWS), {"order": {"drugs": [{"name": ""}, {"name": "a"}]}}, {}, "en", evaluate)
    assert [row["name"] for row in result.values["order"]["drugs"]] == ["a"]  # type: ignore[index]


FIXED = form({
    "type": "dynamiclist", "path": "tests", "label": "Tests", "allowAddRemove": False, "components": [
        {"type": "textfield", "key": "name", "label": "Name", "readonly": True},
        {"type": "textfield", "key": "result", "label": "Result"},
    ],
})  # fmt: skip


def test_a_fixed_list_keeps_what_its_rows_hold() -> None:
    sent = {"tests": [{"name": "forged", "result": "135"}, {"result": "5.1"}]}
    result = forms.validate(forms.load(FIXED), sent, CONTEXT, "en", evaluate)
    assert result.values["tests"] == [
        {"code": "718-7", "name": "血红蛋白", "price": 2500, "result": "135"},
        {"code": "2345-7", "name": "Glucose", "price": 0, "result": "5.1"},
    ]
    assert [(note.path, note.reason) for note in result.notes] == [("tests.0.name", "readonly")]


def test_a_fixed_list_refuses_more_rows() -> None:
    result = forms.validate(forms.load(FIXED), {"tests": [{}, {}, {}]}, CONTEXT, "en", evaluate)
    assert "exactly 2 rows" in result.errors["tests"][0]


def test_a_field_left_out_takes_its_default_but_an_emptied_one_does_not() -> None:
    loaded = forms.load(form({**text(), "key": "x", "label": "X", "defaultValue": "start"}))
    assert forms.validate(loaded, {}).values == {"x": "start"}
    assert forms.validate(loaded, {"x": ""}).values == {"x": None}


def test_groups_and_dotted_keys_nest_and_flat_names_are_understood() -> None:
    loaded = forms.load(form({"type": "group", "path": "patient", "components": [{"type": "textfield", "key": "name.full", "label": "N"}]}))
    assert forms.validate(loaded, {"patient": {"name": {"full": "Li"}}}).values == {"patient": {"name": {"full": "Li"}}}
    assert forms.validate(loaded, {"patient.name.full": "Li"}).values == {"patient": {"name": {"full": "Li"}}}


def test_an_object_keeps_what_it_holds_beside_the_form() -> None:
    fields = [{"type": "textfield", "key": "id", "readonly": True}, {"type": "textfield", "key": "phone"}]
    loaded = forms.load(form({"type": "group", "path": "patient", "components": fields}))
    held = {"patient": {"id": "P1", "name": "Li", "phone": "1"}}
    result = forms.validate(loaded, {"patient": {"id": "P2", "phone": "2"}}, held)
    assert result.values == {"patient": {"id": "P1", "name": "Li", "phone": "2"}}
