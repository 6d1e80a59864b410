"""The pages in Chromium: no accessibility violation in either language, and a dry run without leaving the page.

`CARELANE_SCREENSHOTS=FOLDER` keeps a picture of each.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from integrations.patients import review
from tests.web.governance import stock
from tests.web.test_browser import AXE, Served
from web.db import db

pytestmark = pytest.mark.browser
FOLDER = os.environ.get("CARELANE_SCREENSHOTS")
PAGES = {
    "dictionary": ("engineer", "/governance/dictionary?q=g"),
    "field": ("owner", "/governance/dictionary/field?key=glucose"),
    "mappings": ("engineer", "/governance/mappings"),
    "mapping": ("engineer", "/governance/mappings/lis.result"),
    "codes": ("engineer", "/governance/mappings/his.sex"),
    "compare": ("engineer", "/governance/mappings/lis.result/compare?from=1&to=2"),
    "quality": ("engineer", "/governance/quality"),
    "findings": ("engineer", "/governance/quality/findings?source=lis"),
    "rules": ("engineer", "/governance/quality/rules"),
    "rule": ("engineer", "/governance/quality/rule?id=temperature"),
    "duplicates": ("registrar", "/governance/duplicates"),
    "duplicate": ("registrar", ""),
    "merges": ("registrar", "/governance/merges"),
}


def violations(page: object) -> list[str]:
    page.evaluate(AXE.read_text())  # type: ignore[attr-defined]
    found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes.map(n => n.html.slice(0, 120)).join(' | ')))")  # type: ignore[attr-defined]
    return list(found)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_accessible(served: Served, language: str) -> None:
    stock.mappings()
    stock.revised()
    stock.inbound(served.clinic)
    stock.twins(served.clinic)
    (pair,) = review.pairs(db.session())
    wrong = {}
    for name, (login, path) in PAGES.items():
        page = served.open(login, path or f"/governance/duplicates/{pair.review.id}", language)
        if FOLDER:
            page.screenshot(path=Path(FOLDER) / f"governance_{name}_{language}.png", full_page=True)
        if found := violations(page):
            wrong[name] = found
        page.context.close()
    assert wrong == {}


def test_a_dry_run_shows_its_result_beside_the_draft(served: Served) -> None:
    stock.mappings()
    page = served.open("engineer", "/governance/mappings/lis.result")
    page.get_by_label("A message to try").fill(stock.MESSAGE)
    page.get_by_role("button", name="Try it").click()
    result = page.locator("#tried .result")
    result.wait_for(timeout=10_000)
    assert '"glucose": 5.49524' in result.inner_text()
    page.get_by_label("JSONata expression").fill('{"name": $uppercase(1)}')
    page.get_by_role("button", name="Try it").click()
    page.locator("#tried .badge.bad").first.wait_for(timeout=10_000)
    assert "line 1, column" in page.locator("#tried").inner_text()
    if FOLDER:
        page.screenshot(path=Path(FOLDER) / "governance_tried.png", full_page=True)


def test_the_process_editor_offers_the_dictionarys_fields(served: Served) -> None:
    page = served.open("owner", "/studio/new", "zh")
    page.wait_for_function("() => window.carelaneEditor", timeout=30_000)
    offered = page.evaluate("""async () => {
      const modeler = window.carelaneEditor.modeler;
      const start = modeler.get('elementRegistry').find((element) => element.type === 'bpmn:StartEvent');
      const variables = await modeler.get('variableResolver').getVariablesForElement(start);
      return Object.fromEntries(variables.map((variable) => [variable.name, variable.info]));
    }""")
    assert "末梢血糖" in offered["glucose"]
    assert "mmol/L" in offered["glucose"]
