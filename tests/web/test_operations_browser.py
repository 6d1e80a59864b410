"""The pages of operations in a real Chromium: a step chosen on the diagram, a batch that goes on by itself, no accessibility violation."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.execution.tables import Incident
from tests.web.test_browser import AXE, Served, served
from tests.web.test_operations import at, stuck
from tests.web.test_operations_moving import PAGE, RENAMED, deploy_version
from web.db import db

__all__ = ["served"]
pytestmark = pytest.mark.browser

SHOTS = os.environ.get("CARELANE_SCREENSHOTS")  # a folder to keep screenshots in; none are kept without it


def opened_details(page: Any) -> None:
    for summary in page.locator(".operate summary, .verdicts summary").all():
        summary.click()


Prepare = Callable[[Served], str]


def panel(served: Served) -> str:
    return f"/visits/{served.clinic.triaged().id}"


def incidents(served: Served) -> str:
    stuck(served.clinic, "张伟", "王芳")
    return "/incidents"


def one_incident(served: Served) -> str:
    stuck(served.clinic, "张伟")
    return f"/incidents/{db.session.scalars(select(Incident.id)).one()}"


def jobs(served: Served) -> str:
    stuck(served.clinic, "张伟")
    return "/operations/jobs?state=failed"


def instances(served: Served) -> str:
    stuck(served.clinic, "张伟", "王芳")
    served.clinic.identified("李强", ticket="A009")
    return "/operations?state=all&process=outpatient_visit"


def versions(served: Served) -> str:
    served.clinic.triaged()
    deploy_version()
    return "/operations/processes"


def plan(served: Served) -> str:
    served.clinic.identified()
    served.clinic.triaged("王芳", ticket="A002")
    deploy_version(RENAMED)
    return PAGE


PAGES: dict[str, Prepare] = {
    "panel": panel, "incidents": incidents, "incident": one_incident, "jobs": jobs, "instances": instances, "versions": versions, "plan": plan,
}  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_no_accessibility_violations(served: Served, name: str, language: str) -> None:
    address = PAGES[name](served)
    page = served.open("engineer", address, language)
    opened_details(page)
    if name == "plan":
        page.locator("button[value=check]").click()
        page.locator("#verdicts").wait_for()
    shoot(page, f"operations-{name}-{language}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "the page is wider than the window"


def violations(page: Any) -> list[str]:
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found["violations"]]


def shoot(page: Any, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(700)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def test_a_step_is_chosen_on_the_diagram(served: Served) -> None:
    visit = served.clinic.identified()
    page = served.open("owner", f"/visits/{visit.id}")
    page.locator(".operate summary", has_text="Move to another step").click()
    page.locator("#canvas [data-element-id=Task_Tell] .djs-hit").last.click()
    assert page.locator("#move-to").evaluate("list => list.selectedOptions[0].dataset.element") == "Task_Tell"
    page.locator("#canvas [data-element-id=Task_Consult] .djs-hit").last.click()
    page.locator("#why-move").fill("straight to the doctor")
    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_text("It was moved.").wait_for()
    assert at(visit) == ["Task_Consult"]


def test_a_batch_goes_on_by_itself(served: Served) -> None:
    for n in range(3):
        served.clinic.triaged(f"病人{n}", ticket=f"A{n:03}")
    deploy_version()
    page = served.open("owner", PAGE)
    page.locator("#why-run").fill("new name")
    page.get_by_role("button", name="Move them").click()
    page.get_by_text("3 moved").wait_for(timeout=10_000)
    shoot(page, "operations-report-en")
    assert violations(page) == []
