"""The editors in Chromium: a process owner changes a step, sees the server's problems, and deploys; no page breaks its policy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from engine.models import deploy
from tests.web.clinic import Clinic
from tests.web.studio.test_studio import DECISION
from web.accounts import sessions
from web.db import db
from web.edge import EdgeFlask

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("web/static/dist/modeler.js").exists(), reason="the front end is not built"),
]

Open = Callable[[str], Any]


@pytest.fixture
def opened(app: EdgeFlask, clinic: Clinic, page: Any) -> Iterator[Open]:
    """Opens an address as the process owner, on a real server; fails on anything that the content policy blocked."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.port}"
    token = clinic.person("owner").client.get_cookie(sessions.COOKIE).value
    page.context.add_cookies([{"name": sessions.COOKIE, "value": token, "url": url}])
    page.set_viewport_size({"width": 1440, "height": 900})
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text) if "Content Security Policy" in message.text else None)

    def visit(path: str) -> Any:
        page.goto(f"{url}{path}")
        page.locator("[data-checked]:not(:empty), [data-compare] .djs-container").first.wait_for(timeout=60_000)
        return page

    yield visit
    page.goto("about:blank")  # ends open requests, and asks nothing about changes that were not deployed
    server.shutdown()
    thread.join()
    assert blocked == []


def select(page: Any, element: str) -> None:
    page.evaluate("id => { const m = carelaneEditor.modeler; m.get('selection').select(m.get('elementRegistry').get(id)); }", element)
    group = page.locator('[data-group-id="group-general"]')
    if not page.locator("#bio-properties-panel-name").is_visible():
        group.locator(".bio-properties-panel-group-header").click()


def test_a_step_is_renamed_and_deployed(opened: Open) -> None:
    page = opened("/studio/process/outpatient_visit/1")
    select(page, "Task_Vitals")
    page.locator("#bio-properties-panel-name").fill("Vital signs and pain")
    page.locator("[data-deploy]").click()  # at once: what was typed is not lost
    row = page.locator("[data-dialog-body] li")
    row.wait_for()
    assert "Vital signs and pain" in row.inner_text()
    page.locator("[data-comment]").fill("pain belongs to vital signs")
    page.locator("[data-confirm-deploy]").click()
    page.wait_for_url("**/studio/process/outpatient_visit/2")
    version = deploy.definition(db.session(), "process", "outpatient_visit", 2)
    assert deploy.model(db.session(), version).elements["Task_Vitals"].name == "Vital signs and pain"


def test_a_mistake_shows_on_the_list_and_leads_to_its_element(opened: Open) -> None:
    page = opened("/studio/process/outpatient_visit/1")
    page.evaluate("""() => { const m = carelaneEditor.modeler;
        m.get('modeling').removeConnection(m.get('elementRegistry').get('Flow_2')); }""")
    problem = page.locator("[data-problem-list] li.error button").first
    problem.wait_for()
    page.evaluate("() => carelaneEditor.modeler.get('selection').select(null)")
    name = problem.inner_text()
    problem.click()
    assert page.evaluate("() => carelaneEditor.modeler.get('selection').get()[0].id") == name
    page.locator("[data-deploy]").click()
    page.locator("[data-dialog-body] li.error").first.wait_for()
    assert page.locator("[data-confirm-deploy]").is_disabled()


def test_the_editor_speaks_chinese(opened: Open, page: Any) -> None:
    page = opened("/studio/process/outpatient_visit/1")
    page.locator('form.languages [name="language"][value="zh"]').click()
    page.locator("[data-checked]:not(:empty)").wait_for()
    select(page, "Task_Vitals")
    panel = page.locator("[data-properties]").inner_text()
    assert "用户任务" in panel
    assert "表单" in panel


def test_two_versions_are_drawn_and_coloured(opened: Open, app: EdgeFlask) -> None:
    xml = deploy.content(db.session(), deploy.definition(db.session(), "process", "outpatient_visit"))
    changed = xml.replace(b'name="Vital signs"', b'name="Signs"')
    deploy.deploy(db.session(), {"visit.bpmn": changed}, by="owner")
    db.session.commit()
    page = opened("/studio/process/outpatient_visit/compare")
    page.locator(".diff-changed[data-element-id=Task_Vitals]").nth(1).wait_for()
    assert page.locator(".diff-changed[data-element-id=Task_Vitals]").count() == 2


def test_a_decision_opens_in_the_table_editor(opened: Open) -> None:
    deploy.deploy(db.session(), {"fees.dmn": DECISION.encode()}, by="owner")
    db.session.commit()
    page = opened("/studio/decision/fee/1")
    page.locator(".dmn-decision-table-container").wait_for()
    assert "< 14" in page.locator("[data-canvas]").inner_text()


def test_a_form_redraws_as_it_is_typed(opened: Open) -> None:
    page = opened("/studio/form/vitals/1")
    source = page.locator("[data-source]")
    source.fill(source.input_value().replace('"Pulse"', '"Heart rate"'))
    page.locator("[data-preview]", has_text="Heart rate").wait_for()
    assert page.locator("[data-dirty]").is_visible()
