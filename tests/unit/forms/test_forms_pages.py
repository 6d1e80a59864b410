"""Forms as pages: what is drawn, what comes back from HTML, and buttons that work without scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from form_samples import CONTEXT, VITALS, evaluate, form
from lxml import html as lxml_html
from werkzeug.datastructures import MultiDict

import forms

LOADED = forms.load(VITALS)


def draw(values: dict[str, object] | None = None, errors: forms.Errors | None = None, lang: str = "en", **more: str) -> lxml_html.HtmlElement:
    return lxml_html.fromstring(str(forms.render(LOADED, values, errors, lang, CONTEXT, evaluate, **more)))


class Balance(HTMLParser):
    """Checks that tags close in order."""

    VOID = frozenset({"input", "br", "hr", "img", "path", "circle", "meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_well_formed_and_ids_are_unique() -> None:
    markup = str(forms.render(LOADED, None, {"temperature": ["Wrong."]}, "zh", CONTEXT, evaluate))
    parser = Balance()
    parser.feed(markup)
    assert parser.open == []
    ids = re.findall(r' id="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    assert "style=" not in markup
    assert "onclick" not in markup


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_control_has_a_label(lang: str) -> None:
    page = draw(lang=lang)
    labels = {label.get("for") for label in page.iter("label")}
    for control in page.xpath("//input[not(@type='hidden')] | //select | //textarea"):
        assert control.get("id") in labels or control.xpath("ancestor::label")


def test_labels_options_and_texts_are_in_the_persons_language() -> None:
    chinese, english = draw(lang="zh").text_content(), draw(lang="en").text_content()
    assert all(words in chinese for words in ("体温", "救护车", "患者 王小明", "一诊室", "必填", "添加一行", "血红蛋白", "价格（分）"))
    assert all(words in english for words in ("Temperature", "Ambulance", "Patient 王小明", "Room 1", "required", "Add a row"))


def test_the_summary_links_to_each_wrong_field_and_the_field_points_to_its_words() -> None:
    page = draw(
        {"drugs": [{"dose": "x"}]},
        {"temperature": ["Too hot."], "mode": ["Choose one."], "drugs.0.dose": ["Enter a number."], "ghost": ["Odd."]},
    )
    summary = page.get_element_by_id("form-errors")
    links = {link.get("href").removeprefix("#"): link.text_content() for link in summary.iter("a")}
    assert links == {"f-temperature": "Temperature: Too hot.", "f-mode": "How did the patient arrive? Choose one.",
                     "f-drugs-0-dose": "Drugs taken · row 1 · Dose: Enter a number."}  # fmt: skip
    assert "Odd." in summary.text_content()
    control = page.get_element_by_id("f-temperature")
    assert control.get("aria-invalid") == "true"
    assert "Too hot." in page.get_element_by_id(control.get("aria-describedby")).text_content()
    for anchor in links:
        page.get_element_by_id(anchor)


def test_what_was_typed_comes_back_as_it_was_typed_and_stays_text() -> None:
    page = draw(
        {"temperature": "36,5", "note": "<script>alert(1)</script>", "deposit": "1,5", "room": "2", "symptoms": ["chest"], "consent": "true"}
    )
    assert page.get_element_by_id("f-temperature").get("value") == "36,5"
    assert page.get_element_by_id("f-deposit").get("value") == "1,5"
    assert page.get_element_by_id("f-note").text.lstrip("\n") == "<script>alert(1)</script>"
    assert not list(page.iter("script"))
    assert page.xpath("//select[@name='room']/option[@selected]/@value") == ["2"]
    assert page.xpath("//input[@name='symptoms'][@checked]/@value") == ["chest"]
    assert page.xpath("//input[@name='consent'][@checked]")


def test_values_show_in_the_units_people_type() -> None:
    page = draw({"deposit": 1250, "temperature": 36.5})
    assert page.get_element_by_id("f-deposit").get("value") == "12.50"
    assert page.get_element_by_id("f-temperature").get("value") == "36.5"
    assert "℃" in page.text_content()


def test_a_locked_field_is_words_without_a_control() -> None:
    page = draw({"patientName": "forged"})
    assert page.get_element_by_id("f-patientName").text_content().split() == ["Patient", "王小明"]
    assert not page.xpath("//*[@name='patientName']")


def test_values_in_markdown_cannot_become_markup() -> None:
    loaded = forms.load(form({"type": "text", "text": "Hello {{patientName}} <b>x</b> [l](javascript:alert(1))"}))
    evil = {"patientName": "[click](https://evil.example) <img src=x onerror=alert(1)>"}
    markup = str(forms.render(loaded, None, None, "en", evil, evaluate))
    assert "<a" not in markup
    assert "<img" not in markup
    assert "<b>" not in markup


def test_conditions_on_fields_become_data_for_the_script_and_show_without_it() -> None:
    page = draw(widgets_url="/static/forms/")
    field = page.get_element_by_id("f-plate").xpath("ancestor::div[@data-show-if]")[0]
    assert field.get("data-show-if") == '["not", ["!=", "mode", "ambulance"]]'
    assert page.xpath("//script/@src") == ["/static/forms/forms.js"]


def test_conditions_on_variables_alone_are_decided_by_the_server() -> None:
    loaded = forms.load(form({"type": "textfield", "key": "a", "label": "A", "conditional": {"hide": '=sex = "male"'}}))
    assert 'name="a"' not in forms.render(loaded, None, None, "en", {"sex": "male"}, evaluate)
    assert 'name="a"' in forms.render(loaded, None, None, "en", {"sex": "female"}, evaluate)


def test_the_grid_follows_the_layout() -> None:
    page = draw()
    row = page.get_element_by_id("f-temperature").xpath("ancestor::div[@class='cl-row']")[0]
    assert [cell.get("class") for cell in row] == ["cl-col cl-col-4", "cl-col cl-col-6", "cl-col cl-col-6"]


def sent(page: lxml_html.HtmlElement, **pressed: str) -> MultiDict[str, str]:
    """Submit a page as a browser without scripts would."""
    pairs: list[tuple[str, str]] = []
    for control in page.xpath("//input | //select | //textarea"):
        kind, name = control.get("type"), control.get("name")
        if control.tag == "select":
            pairs += [(name, value) for value in control.xpath("./option[@selected]/@value")[:1] or [""]]
        elif control.tag == "textarea":
            pairs.append((name, (control.text or "").removeprefix("\n")))
        elif kind not in {"checkbox", "radio"} or control.get("checked") is not None:
            pairs.append((name, control.get("value", "on")))
    return MultiDict([*pairs, ("csrf_token", "t"), *pressed.items()])


GOOD: dict[str, object] = {
    "temperature": "36.5", "spo2": "98", "deposit": "10.00", "mode": "walk", "symptoms": ["chest", "breath"], "note": "line 1\nline 2",
    "patient": {"name": "王小明", "birthDate": "1990-02-03"}, "idCard": "11010519491231002X", "room": "1", "consent": "true", "plate": "",
    "drugs": [{"name": "Aspirin", "dose": "100", "prescribed": True}, {"name": "Metformin", "dose": "", "prescribed": False}],
}  # fmt: skip


def test_a_page_survives_the_round_trip_through_a_browser() -> None:
    data = forms.from_html(LOADED, sent(draw(GOOD)))
    result = forms.validate(LOADED, data, CONTEXT, "en", evaluate)
    assert result.errors == {}
    assert result.notes == ()
    assert result.values["deposit"] == 1000
    assert result.values["symptoms"] == ["chest", "breath"]
    assert result.values["room"] == 1
    assert result.values["drugs"] == [
        {"name": "Aspirin", "dose": 100, "prescribed": True},
        {"name": "Metformin", "dose": None, "prescribed": False},
    ]
    assert forms.render(LOADED, result.values, None, "en", CONTEXT, evaluate).count("Metformin") == 1


def test_rows_are_added_and_removed_without_scripts() -> None:
    page = sent(draw(GOOD))
    added = forms.apply_row_action(LOADED, MultiDict([*page.items(multi=True), ("_add:drugs", "1")]))
    assert added is not None
    assert [row.get("name") for row in added["drugs"]] == ["Aspirin", "Metformin", None]  # type: ignore[attr-defined]
    removed = forms.apply_row_action(LOADED, MultiDict([*page.items(multi=True), ("_remove:drugs-0", "1")]))
    assert removed is not None
    assert [row["name"] for row in removed["drugs"]] == ["Metformin"]  # type: ignore[attr-defined]
    assert forms.apply_row_action(LOADED, page) is None


@pytest.mark.parametrize("action", ["_remove:drugs-9", "_remove:drugs", "_add:nothing", "_remove:drugs-x", "_add:drugs-0"])
def test_a_row_action_that_fits_nothing_changes_nothing(action: str) -> None:
    page = sent(draw(GOOD))
    assert forms.apply_row_action(LOADED, MultiDict([*page.items(multi=True), (action, "1")])) == forms.from_html(LOADED, page)


def test_rows_stop_at_their_limit() -> None:
    full = {"drugs": [{"name": str(number)} for number in range(5)]}
    assert not draw(full).xpath("//button[@name='_add:drugs']")
    grown = forms.apply_row_action(LOADED, MultiDict([*sent(draw(full)).items(multi=True), ("_add:drugs", "1")]))
    assert grown is not None
    assert len(grown["drugs"]) == 5  # type: ignore[arg-type]


NESTED = forms.load(form({"type": "dynamiclist", "path": "a.orders", "label": "Orders", "components": [
    {"type": "textfield", "key": "name", "label": "Name"},
    {"type": "dynamiclist", "path": "times", "label": "Times", "components": [{"type": "textfield", "key": "at", "label": "At"}]},
]}))  # fmt: skip


def test_rows_within_rows() -> None:
    page = {"a.orders-0-name": "x", "a.orders-3-name": "y", "a.orders-3-times-0-at": "8", "_add:a.orders-3-times": "1"}
    data = forms.apply_row_action(NESTED, page)
    assert data == {"a": {"orders": [{"name": "x", "times": []}, {"name": "y", "times": [{"at": "8"}, {}]}]}}


def test_names_that_the_form_does_not_have_are_listed() -> None:
    data = forms.from_html(NESTED, {"a.orders-0-name": "x", "evil": "1", "_page": "2", "csrf_token": "t"})
    assert [note.path for note in forms.validate(NESTED, data).notes] == ["evil"]


def test_pressing_enter_never_presses_a_row_button() -> None:
    first = draw().xpath("//button")[0]
    assert first.get("type") == "submit"
    assert first.get("name") is None
