"""Examples, the list of fields, differences, and simple conditions."""

from __future__ import annotations

from typing import Any

import pytest
from form_samples import CONTEXT, VITALS, evaluate, form
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import forms
from forms.conditions import simple_condition
from forms.messages import MESSAGES
from forms.patterns import matches_for
from forms.texts import id_check_character

LAYOUT = st.fixed_dictionaries({"row": st.sampled_from(["r1", "r2", "r3"]), "columns": st.sampled_from([None, 1, 2])})
FLAG = st.booleans()
WORD = st.text("abcxyz中文", min_size=1, max_size=6)


def common(draw: st.DrawFn, kind: str, key: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": kind, "key": key, "label": draw(WORD), "validate": {"required": draw(FLAG)}}
    if draw(FLAG):
        component["layout"] = draw(LAYOUT)
    if draw(st.integers(0, 9)) == 0:
        component["readonly"] = True
    if key != "k0" and draw(st.integers(0, 4)) == 0:
        component["conditional"] = {"hide": '=k0 = "a"'}
    return component


@st.composite
def texts(draw: st.DrawFn, key: str) -> dict[str, Any]:
    component = common(draw, draw(st.sampled_from(["textfield", "textarea"])), key)
    low = draw(st.integers(0, 30))
    component["validate"] |= {"minLength": low, "maxLength": low + draw(st.integers(1, 30))} if draw(FLAG) else {}
    if component["type"] == "textfield" and "minLength" not in component["validate"]:
        kind = draw(st.sampled_from(["none", "email", "phone", "pattern", "cn_id_card", "cn_mobile"]))
        if kind in {"email", "phone"}:
            component["validate"]["validationType"] = kind
        elif kind == "pattern":
            component["validate"]["pattern"] = draw(
                st.sampled_from([r"^[A-Z]{2}\d{3,5}$", r"\w+-\d", r"^(a|b)?c*$", "^[^a-z]{2}$", r"^[\u4e00-\u9fa5]{2,4}$"])
            )
        elif kind != "none":
            component["properties"] = {"validate": kind}
    return component


@st.composite
def numbers(draw: st.DrawFn, key: str) -> dict[str, Any]:
    component = common(draw, "number", key)
    low = draw(st.integers(-1000, 1000))
    component["validate"] |= {name: value for name, value in (("min", low), ("max", low + draw(st.integers(0, 1000)))) if draw(FLAG)}
    kind = draw(st.sampled_from(["free", "digits", "fen", "text"]))
    if kind == "digits":
        component["decimalDigits"] = draw(st.integers(0, 3))
    elif kind == "fen":
        component["properties"] = {"unit": "fen", "display": "yuan"}
    elif kind == "text":
        component["serializeToString"] = True
    return component


@st.composite
def choices(draw: st.DrawFn, key: str) -> dict[str, Any]:
    component = common(draw, draw(st.sampled_from(["select", "radio", "checklist", "taglist"])), key)
    source = draw(st.sampled_from(["values", "valuesKey", "valuesExpression"]))
    values = [{"value": value, "label": value} for value in draw(st.lists(WORD, min_size=1, max_size=4, unique=True))]
    component[source] = {"values": values, "valuesKey": "rooms", "valuesExpression": "=rooms"}[source]
    return component


@st.composite
def others(draw: st.DrawFn, key: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["checkbox", "datetime"]))
    component = common(draw, kind, key)
    if kind == "datetime":
        component["subtype"] = draw(st.sampled_from(["date", "time", "datetime"]))
        component["disallowPassedDates"] = draw(FLAG)
        component["timeInterval"] = draw(st.sampled_from([1, 5, 15, 60]))
        component["timeSerializingFormat"] = draw(st.sampled_from(["utc_offset", "utc_normalized", "no_timezone"]))
    return component


@st.composite
def any_forms(draw: st.DrawFn, depth: int = 0) -> list[dict[str, Any]]:
    components: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["text", "number", "choice", "other", *(["group", "list"] if depth < 2 else [])]))
        key = f"k{index}"
        if kind == "group":
            components.append({"type": "group", "label": "G", "path": key, "components": draw(any_forms(depth + 1))})
        elif kind == "list":
            inner = [{**one, "readonly": False} if "key" in one else one for one in draw(any_forms(2))]
            limits = draw(st.sampled_from([{}, {"minRows": "2"}, {"maxRows": "1"}, {"minRows": "1", "maxRows": "3"}]))
            components.append({"type": "dynamiclist", "path": key, "label": "L", "properties": limits, "components": inner})
        else:
            components.append(draw({"text": texts, "number": numbers, "choice": choices, "other": others}[kind](key)))
    return components


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(components=any_forms(), lang=st.sampled_from(["zh", "en"]))
def test_an_example_always_passes_validation_and_the_form_always_renders(components: list[dict[str, Any]], lang: str) -> None:
    loaded = forms.load(form(*components))
    values = forms.example(loaded, CONTEXT, evaluate, lang=lang)
    result = forms.validate(loaded, values, CONTEXT, lang, evaluate)
    assert result.errors == {}
    forms.render(loaded, result.values, {"k0": ["x"]}, lang, CONTEXT, evaluate)
    assert forms.validate(loaded, result.values, CONTEXT, lang, evaluate).errors == {}


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["temperature", "mode", "drugs", "name", "dose", "patient", "type", "key", "components", "validate",
                                                       "values", "properties", "layout", "x"]), inner, max_size=4), max_leaves=12)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(st.sampled_from(["temperature", "mode", "drugs", "symptoms", "patient", "room", "idCard", "consent", "x"]), JSON))
def test_no_submission_breaks_validation_or_the_page(data: dict[str, object]) -> None:
    loaded = forms.load(VITALS)
    result = forms.validate(loaded, data, CONTEXT, "zh", evaluate)
    forms.render(loaded, data, result.errors, "zh", CONTEXT, evaluate)


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.dictionaries(st.sampled_from(["type", "key", "label", "validate", "values", "properties", "components", "layout", "conditional",
                                                        "defaultValue", "path", "increment", "subtype", "dataSource", "columns", "source"]),
                                      JSON | st.sampled_from(["textfield", "number", "radio", "group", "dynamiclist", "datetime", "table", "image", "text"]),
                                      max_size=6), max_size=3))  # fmt: skip
def test_no_json_breaks_the_report(parts: list[dict[str, object]]) -> None:
    if not forms.problems({"components": parts}):
        forms.render(forms.load({"components": parts}))


def test_an_example_is_typed_and_leaves_hidden_fields_out() -> None:
    mobile = {"type": "textfield", "key": "phone", "label": "Phone", "properties": {"example": "13800138000"}}
    hidden = {"type": "textfield", "key": "other", "label": "Other", "conditional": {"hide": '=phone != "0"'}}
    loaded = forms.load(form(mobile, hidden))
    assert forms.example(loaded, {}, evaluate) == {"phone": "13800138000"}
    assert set(forms.example(loaded, {})) == {"phone", "other"}


def test_a_list_that_cannot_be_filled_says_that_it_has_no_example() -> None:
    choice = {"type": "select", "key": "c", "label": "C", "valuesKey": "missing"}
    rows = {"type": "dynamiclist", "path": "rows", "label": "Rows", "properties": {"minRows": "1"}, "components": [choice]}
    with pytest.raises(forms.ExampleMissing, match="rows"):
        forms.example(forms.load(form(rows)))


def test_an_example_property_wins() -> None:
    one = {"type": "number", "key": "n", "label": "N", "validate": {"required": True}, "properties": {"example": "7"}}
    assert forms.example(forms.load(form(one))) == {"n": 7}


def test_a_required_choice_without_options_says_that_it_has_no_example() -> None:
    one = {"type": "select", "key": "c", "label": "C", "valuesKey": "missing", "validate": {"required": True}}
    with pytest.raises(forms.ExampleMissing, match="'c'"):
        forms.example(forms.load(form(one)))


@pytest.mark.parametrize("pattern", [r"^A\d{3}$", "(?:ab|cd)+x?", r"^[^\d\s]{3}$", r"^\S+@\S+$", "^1[3-9][0-9]{9}$", "a.c", r"^(?!x)\w{2,}$"])
def test_patterns_get_a_text_that_matches(pattern: str) -> None:
    assert list(matches_for(pattern))


def test_the_identity_check_character_is_that_of_the_standards_examples() -> None:
    # GB 11643-1999, annex: 11010519491231002X and 440524188001010014.
    assert id_check_character("11010519491231002") == "X"
    assert id_check_character("44052418800101001") == "4"


def test_fields_are_listed_with_feel_types_and_labels() -> None:
    listed = forms.fields(forms.load(VITALS), "zh")
    assert ("temperature", "number", "体温") in listed
    assert ("patient.birthDate", "date", "出生日期") in listed
    assert ("drugs", "list", "正在使用的药物") in listed
    assert ("drugs.prescribed", "list of boolean", "处方药") in listed


def test_a_difference_names_component_and_property() -> None:
    a = {"type": "textfield", "id": "a", "key": "a", "label": "A", "validate": {"maxLength": 5}}
    b, c = {"type": "textfield", "id": "b", "key": "b", "label": "B"}, {"type": "textfield", "id": "c", "key": "c", "label": "C"}
    old = forms.load(form(a, b))
    new = forms.load(form(c, {**a, "label": "A!", "validate": {"maxLength": 9, "required": True}}))
    found = [(change.kind, change.component, change.property, change.before, change.after) for change in forms.diff(old, new)]
    assert found == [
        ("removed", "b", "", None, None),
        ("added", "c", "", None, None),
        ("changed", "a", "label", "A", "A!"),
        ("changed", "a", "validate.maxLength", 5, 9),
        ("changed", "a", "validate.required", None, True),
    ]
    assert forms.diff(old, old) == []


def test_a_moved_component_is_no_change_of_its_own() -> None:
    one, two = {"type": "checkbox", "id": "a", "key": "a", "label": "A"}, {"type": "checkbox", "id": "b", "key": "b", "label": "B"}
    moved = forms.diff(forms.load(form(one, two)), forms.load(form(two, {"type": "group", "id": "g", "components": [one]})))
    assert {(change.kind, change.component) for change in moved} == {("added", "g"), ("moved", "a")}


CONDITIONS = [
    ("=a = 1", ["=", "a", 1]), ('"x" != b.c', ["!=", "b.c", "x"]), ("5 < n", [">", "n", 5]), ("ticked", ["=", "ticked", True]),
    ("a = null or not(b = true) and c >= 2.5", ["or", ["=", "a", None], ["and", ["not", ["=", "b", True]], [">=", "c", 2.5]]]),
    ("(a = 1 or b = 2) and c", ["and", ["or", ["=", "a", 1], ["=", "b", 2]], ["=", "c", True]]),
    ("a + 1 = 2", None), ("count(list) > 1", None), ("a = b", None), ("some x in y satisfies x", None), ("", None), ("a =", None), ("1 = 1", None),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "condition"), CONDITIONS)
def test_only_simple_conditions_are_read_for_the_script(expression: str, condition: list[object] | None) -> None:
    assert simple_condition(expression) == condition


def test_every_message_is_in_both_languages_with_the_same_blanks() -> None:
    for chinese, english in MESSAGES.values():
        assert chinese
        assert english
        assert {part.split("}")[0] for part in chinese.split("{")[1:]} == {part.split("}")[0] for part in english.split("{")[1:]}
