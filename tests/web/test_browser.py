"""The inbox in a real Chromium: live, still under the hand, driven by keys; and no page with an accessibility violation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from engine.execution import tasks
from tests import machines
from tests.web.clinic import Clinic
from web.accounts import sessions
from web.accounts.tables import Account
from web.db import db

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web/client/node_modules/axe-core/axe.min.js"


class Served:
    """The clinic behind a real port, and people's browsers."""

    def __init__(self, clinic: Clinic, browser: Any) -> None:
        self.clinic, self.browser = clinic, browser
        self.server = make_server("127.0.0.1", machines.free_port(), clinic.app, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def open(self, login: str, path: str, language: str = "en") -> Any:
        """A page of a person who is signed in."""
        account = db.session.scalars(select(Account).where(Account.login == login)).one()
        account.language = language
        token = sessions.open_session(db.session(), account, "chromium")
        db.session.commit()
        context = self.browser.new_context(timezone_id="Asia/Shanghai", viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": sessions.COOKIE, "value": token, "url": self.address}])
        page = context.new_page()
        page.goto(self.address + path)
        return page


@pytest.fixture
def served(clinic: Clinic, browser: Any) -> Iterator[Served]:
    if not (ROOT / "web/static/dist/inbox.js").exists():
        pytest.skip("the front end is not built")
    running = Served(clinic, browser)
    yield running
    for context in browser.contexts:
        context.close()
    running.server.shutdown()


def tickets(page: Any) -> list[str]:
    return [text for text in page.locator("#listing tbody tr:not(.gone) td:nth-child(2)").all_inner_texts() if text != "–"]


def test_a_new_task_appears_by_itself(served: Served) -> None:
    served.clinic.identified("张伟", ticket="A001")
    page = served.open("nurse", "/inbox")
    page.locator("#feed[data-state=live]").wait_for()
    served.clinic.identified("李四", ticket="A002")
    page.get_by_text("A002").wait_for(timeout=10_000)
    assert tickets(page) == ["A001", "A002"]


def test_nothing_moves_under_a_focused_row(served: Served) -> None:
    served.clinic.triaged("张伟", 3, ticket="A003")
    page = served.open("doctor", "/inbox")
    page.keyboard.press("j")
    served.clinic.triaged("李四", 1, ticket="A001")
    button = page.get_by_role("button", name="1 change")
    button.wait_for(timeout=10_000)
    assert tickets(page) == ["A003"], "the more urgent one waits outside until the hand is off"
    assert page.locator("tr:focus-within").count() == 1
    button.click()
    page.get_by_text("A001").wait_for()
    assert tickets(page) == ["A001", "A003"]


def test_a_task_that_went_elsewhere_is_struck_out_not_pulled_away(served: Served) -> None:
    visit = served.clinic.identified("张伟", ticket="A001")
    served.clinic.identified("李四", ticket="A002")
    page = served.open("nurse", "/inbox")
    page.keyboard.press("j")
    page.keyboard.press("j")
    tasks.complete(db.session(), served.clinic.task(visit).id, {"pulse": 80, "acuity": 2}, user="nurse")
    db.session.commit()
    page.locator("tr.gone").wait_for(timeout=10_000)
    assert page.locator("tr:focus-within td:nth-child(2)").inner_text() == "A002"


def test_the_whole_task_by_keyboard(served: Served) -> None:
    visit = served.clinic.identified("张伟", ticket="A001")
    page = served.open("nurse", "/inbox")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.locator("tbody strong", has_text="me").wait_for()
    assert served.clinic.task(visit).assignee == "nurse"
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Vital signs").wait_for()
    page.get_by_label("Pulse").fill("88")
    page.get_by_label("Acuity level").fill("2")
    page.keyboard.press("Enter")
    page.get_by_text("Done: Vital signs, A001.").wait_for()
    assert served.clinic.task(visit).role == "doctor"


def test_keys_do_nothing_while_typing_or_when_turned_off(served: Served) -> None:
    served.clinic.identified("张伟", ticket="A001")
    page = served.open("nurse", "/inbox")
    page.keyboard.press("/")
    page.keyboard.type("jc")
    assert page.locator("#search").input_value() == "jc"
    page.locator("#search").fill("")
    page.get_by_role("button", name="Turn shortcuts off").click()
    page.get_by_role("button", name="Turn shortcuts on").wait_for()
    page.locator("h1").click()
    page.keyboard.press("j")
    assert page.locator("tr:focus-within").count() == 0


def test_typing_in_the_search_filters_at_once(served: Served) -> None:
    served.clinic.identified("王小明", ticket="A001")
    served.clinic.identified("李大力", ticket="A002")
    page = served.open("nurse", "/inbox")
    page.locator("#search").fill("大力")
    page.get_by_text("A001").wait_for(state="detached")
    assert tickets(page) == ["A002"]


def test_a_feed_that_stopped_is_said_loudly(served: Served) -> None:
    page = served.open("nurse", "/inbox")
    page.locator("#feed[data-state=live]").wait_for()
    page.clock.install()
    page.reload()
    page.route("**/inbox/rows*", lambda route: route.abort())
    page.route("**/live", lambda route: route.abort())
    page.clock.run_for(75_000)
    page.locator("#feed-stopped").wait_for(state="visible")
    assert "no longer live" in page.locator("#feed-stopped").inner_text()


def test_what_is_typed_survives_a_reload(served: Served) -> None:
    visit = served.clinic.identified()
    served.clinic.person("nurse").post(f"/tasks/{served.clinic.task(visit).id}/claim")
    page = served.open("nurse", f"/tasks/{served.clinic.task(visit).id}")
    page.get_by_label("Chief complaint").fill("胸闷两小时")
    page.get_by_text("Draft saved").wait_for(timeout=10_000)
    page.reload()
    assert page.get_by_label("Chief complaint").input_value() == "胸闷两小时"


def test_a_visits_diagram_shows_where_it_stands(served: Served) -> None:
    visit = served.clinic.triaged()
    page = served.open("doctor", f"/visits/{visit.id}", "zh")
    page.locator('[data-element-id="Task_Consult"].is-here').wait_for()
    page.locator('[data-element-id="Task_Vitals"].is-done').wait_for()
    assert page.locator('[data-element-id="Task_Consult"] text').text_content().strip() == "看诊"
    assert page.locator(".token-here").inner_text() == "1"


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_has_an_accessibility_violation(served: Served, language: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    visit = served.clinic.triaged("张伟", 1, ticket="A001", allergies="青霉素")
    waiting = served.clinic.identified("李四", ticket="A002")
    task = served.clinic.task(waiting).id
    served.clinic.person("nurse").post(f"/tasks/{task}/claim")
    pages = [
        ("doctor", "/inbox"), ("nurse", f"/tasks/{task}"), ("nurse", "/visits?state=all"), ("doctor", f"/visits/{visit.id}"),
        ("registrar", "/visits/new"), ("registrar", "/profile"), ("engineer", "/incidents"), ("engineer", "/far-ends"),
        ("admin", "/admin/people"), ("admin", "/admin/people/new"), ("admin", "/admin/departments"), ("admin", "/admin/tokens"),
        ("admin", "/admin/records"), ("admin", "/nowhere"), ("admin", "/board/surgery"), ("admin", "/api/v1/docs"), ("cashier", "/money"),
    ]  # fmt: skip
    found = []
    for login, path in pages:
        page = served.open(login, path, language)
        found += violations(page, path)
        page.context.close()
    page = served.browser.new_context().new_page()
    page.goto(served.address + "/login")
    found += violations(page, "/login")
    assert found == []


def violations(page: Any, path: str) -> list[str]:
    """What axe finds, one line each."""
    page.wait_for_load_state("load")
    page.evaluate(AXE.read_text())
    result = page.evaluate("() => axe.run({ exclude: [['.djs-container']] })")
    return [f"{path}: {v['id']} {n['target']} {n['failureSummary'][:120]}" for v in result["violations"] for n in v["nodes"]]
