"""Forms in a real browser: accessible in both languages, and conditions that toggle while typing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from form_samples import VITALS, form
from playwright.sync_api import Browser, Page
from preview import page

import forms

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[3] / "web" / "client" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci in web/client")
@pytest.mark.parametrize("wrong", [False, True], ids=["untouched", "with errors"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_axe_finds_no_violation(browser: Browser, lang: str, wrong: bool) -> None:
    view = browser.new_page(viewport={"width": 1000, "height": 900})
    view.set_content(page(lang, wrong=wrong))
    view.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    rules = {"rules": {"region": {"enabled": False}, "page-has-heading-one": {"enabled": False}, "landmark-one-main": {"enabled": False},
                       "heading-order": {"enabled": False}}}  # fmt: skip
    violations = view.evaluate("rules => axe.run(document, rules).then(result => result.violations)", rules)
    view.close()
    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []


@pytest.mark.parametrize("width", [360, 1200])
def test_targets_are_large_enough_and_nothing_overflows(browser: Browser, width: int) -> None:
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.set_content(page("zh", wrong=True))
    small = view.evaluate("""() => [...document.querySelectorAll('.cl-input, .cl-button, .cl-choice, .cl-tag, .cl-summary a')]
        .filter(e => { const b = e.getBoundingClientRect(); return b.height < 24 || b.width < 24 }).map(e => e.outerHTML)""")
    overflow = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    view.close()
    assert small == []
    assert overflow <= 0


TOGGLES = form(
    {"type": "radio", "key": "mode", "label": "Mode", "values": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]},
    {"type": "textfield", "key": "plate", "label": "Plate", "conditional": {"hide": '=mode != "a"'}},
    {"type": "number", "key": "age", "label": "Age"},
    {"type": "checkbox", "key": "minor", "label": "Guardian present", "conditional": {"hide": "=age >= 18"}},
    {"type": "textfield", "key": "who", "label": "Who", "conditional": {"hide": "=not(minor = true) or age > 17"}},
    {"type": "dynamiclist", "path": "rows", "label": "Rows", "components": [
        {"type": "checkbox", "key": "other", "label": "Other"},
        {"type": "textfield", "key": "what", "label": "What", "conditional": {"hide": "=other != true"}},
    ]},
)  # fmt: skip


@pytest.fixture
def toggling(browser: Browser) -> Iterator[Page]:
    view = browser.new_page()
    body = forms.render(forms.load(TOGGLES), {"rows": [{}, {}]}, None, "en")
    css, script = ((forms.STATIC / name).read_text(encoding="utf-8") for name in ("forms.css", "forms.js"))
    view.set_content(f"<style>{css}</style><form>{body}</form><script type=module>{script}</script>")
    yield view
    view.close()


def test_conditions_toggle_while_typing(toggling: Page) -> None:
    plate = toggling.locator("#f-plate")
    plate.wait_for(state="hidden")
    toggling.get_by_label("A", exact=True).check()
    plate.wait_for(state="visible")
    toggling.get_by_label("B", exact=True).check()
    plate.wait_for(state="hidden")


def test_an_unknown_answer_shows_and_chains_follow(toggling: Page) -> None:
    minor, who = toggling.locator("#f-minor"), toggling.locator("#f-who")
    minor.wait_for(state="visible")
    minor.check()
    who.wait_for(state="visible")
    toggling.locator("#f-age").fill("１８")
    minor.wait_for(state="hidden")
    who.wait_for(state="hidden")


def test_each_row_toggles_by_itself(toggling: Page) -> None:
    toggling.locator("#f-rows-1-other").check()
    toggling.locator("#f-rows-1-what").wait_for(state="visible")
    toggling.locator("#f-rows-0-what").wait_for(state="hidden")


def test_the_sample_form_is_loadable() -> None:
    assert forms.problems(VITALS) == []
