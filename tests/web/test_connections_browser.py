"""The integration engineer's pages in a real Chromium: no accessibility violation in either language, and they work."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from engine import clock
from integrations.connections import book
from integrations.messages import again
from integrations.messages.tables import MessageLog, WorkItem
from tests.web.test_browser import AXE, Served, served
from tests.web.test_connections import NAME, came, failed_job, loaded, sent, waits
from web.db import db

__all__ = ["loaded", "served"]

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("CARELANE_SCREENSHOTS")


def fill(served: Served) -> dict[str, str]:
    """A day's messages: good ones, a failing connection, a dead letter, two on the work list; the pages to look at."""
    visit = served.clinic.identified(NAME)
    session, now = db.session(), clock.now()
    titles = {"en": "Laboratory system", "zh": "检验系统"}
    book.put(
        session, "lis", "mllp", address={"host": "10.8.0.12", "port": 6661, "timeout": 10.0, "idempotent": True, "tls": True}, title=titles
    )
    book.put(
        session, "wechat", "wechat", address={"url": "https://api.mch.example"}, direction="both", title={"en": "WeChat Pay", "zh": "微信支付"}
    )
    book.switch(session, "wechat", "stopped", by="engineer")
    row = book.get(session, "lis")
    row.last_good, row.last_bad, row.last_error = now - timedelta(minutes=14), now, "10.8.0.12:6661 cannot be reached: Connection refused"
    row.circuit, row.circuit_since, row.expires, row.keep_days = "open", now, now + timedelta(days=12), 90
    for n in range(12):
        row_ = sent(visit, f"ORD-2026112200{n:02}", state="answered" if n % 4 else "failed")
        row_.seconds, row_.attempts, row_.answer = 0.02 * (n + 1), 1, "MSH|^~\\&|LIS|H|||20261122||ACK|1|P|2.5.1\rMSA|AA|C9\r"
    job = failed_job(visit)
    dead = sent(visit, "ORD-DEAD", state="unknown", key=job.key)
    dead.error = "10.8.0.12:6661 took the message and gave no answer: timed out"
    done = came("ORD-202611220002", "C7")
    came("ORD-NOBODY", "C8")
    waits(visit, "ORD-NOBODY-2")
    session.commit()
    again.edit(session, done.id, str(done.raw["text"]), by="engineer", why="检验科更正了单号")
    session.commit()
    item = session.scalars(select(WorkItem).where(WorkItem.state == "open")).first()
    assert item is not None
    return {
        "connections": "/connections", "connection": "/connections/lis", "new": "/connections/new?kind=http", "messages": "/messages",
        "dead": "/messages?state=dead", "message": f"/messages/{done.id}", "shown": f"/messages/{dead.id}?show=1", "worklist": "/worklist",
        "item": f"/worklist/{item.id}?q={visit.business_key}",
    }  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_has_an_accessibility_violation(served: Served, language: str) -> None:
    found = []
    for name, path in fill(served).items():
        page = served.open("engineer", path, language)
        page.wait_for_load_state("networkidle")
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{language}.png", full_page=True)
        page.evaluate(AXE.read_text())
        result = page.evaluate("() => axe.run()")
        found += [(name, v["id"], v["nodes"][0]["html"][:120]) for v in result["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is wider than the screen"
    assert found == []


def test_a_connection_is_stopped_and_a_message_corrected_by_hand(served: Served) -> None:
    fill(served)
    page = served.open("engineer", "/connections")
    page.get_by_role("button", name="Stop mllp").click()
    page.get_by_role("button", name="Start mllp").click()
    page.goto(f"{served.address}/messages?state=unmatched")
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    page.get_by_role("link", name="Show in full").click()
    page.get_by_text("Correct and replay").click()
    text = page.get_by_label("Corrected message")
    text.fill(text.input_value().replace("ORD-NOBODY", "ORD-202611220001"))
    page.locator("#why-edit").fill("the laboratory's typing error")
    page.get_by_role("button", name="Replay the corrected one").click()
    page.get_by_text("Done and recorded.").wait_for()
    made = db.session.scalars(select(MessageLog).where(MessageLog.origin_id.is_not(None)).order_by(MessageLog.id.desc())).first()
    assert made is not None
    assert made.state == "matched"
