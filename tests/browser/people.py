"""People at the screens: each in a browser context of their own, doing only what the page offers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

LOGINS = {
    "registrar": "registrar", "triage_nurse": "nurse", "doctor": "doctor", "lab_technician": "lab", "imaging_technician": "imaging",
    "cashier": "cashier", "pharmacist": "pharmacist", "referral_coordinator": "referral", "process_owner": "owner",
    "project_manager": "pm", "integration_engineer": "engineer", "admin": "admin",
}  # fmt: skip


class Person:
    """One user, signed in."""

    def __init__(self, browser: Browser, url: str, role: str, lang: str = "zh") -> None:
        self.url, self.role = url, role
        self.page: Page = browser.new_context(locale="zh-CN", viewport={"width": 1440, "height": 900}).new_page()
        self.page.set_default_timeout(15_000)
        self.page.context.add_cookies([{"name": "carelane_language", "value": lang, "url": url}])
        self.page.goto(f"{url}/")
        self.page.fill('input[name="login"]', LOGINS[role])
        self.page.fill('input[name="password"]', "carelane")
        self.page.locator('form:has(input[name="password"]) button').first.click()
        self.page.wait_for_url(lambda where: "/login" not in where and "/sign-in" not in where)

    def open_task(self, task_id: str) -> None:
        """From the inbox, claims and opens a task."""
        self.page.goto(f"{self.url}/inbox")
        row = self.page.locator(f"#t-{task_id}")
        expect(row).to_be_visible()
        row.locator(".open").first.click()
        expect(self.page.locator("#task-form")).to_be_visible()

    def fill(self, values: Mapping[str, Any]) -> None:
        """Types values into the form that is open, field by field; a field that is not there or hidden is left out."""
        for name, value in values.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                self._rows(name, value)
            elif value is not None and not isinstance(value, dict):
                fields = self.page.locator(f'#task-form [name="{name}"]')
                if fields.count():
                    self._fill(fields, value)

    def _rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        for number, row in enumerate(rows):
            if not self.page.locator(f'#task-form [name^="{name}-{number}-"]').count():
                self.page.locator(f'#task-form button[name="_add:{name}"]').click()
                self.page.locator(f'#task-form [name^="{name}-{number}-"]').first.wait_for(state="attached")
            self.fill({f"{name}-{number}-{key}": value for key, value in row.items()})

    def _fill(self, fields: Locator, value: Any) -> None:
        kind = fields.first.get_attribute("type")
        if kind in ("checkbox", "radio"):
            wanted = {str(v) for v in value} if isinstance(value, list) else {"true" if value is True else str(value)}
            for field in fields.all():
                if field.is_visible():
                    field.set_checked(field.get_attribute("value") in wanted) if kind == "checkbox" else self._choose(field, wanted)
        elif fields.first.is_visible() and not isinstance(value, list):
            if fields.first.evaluate("field => field.tagName") == "SELECT":
                fields.first.select_option(str(value))
            elif kind == "datetime-local":
                fields.first.fill(str(value)[:16])
            else:
                fields.first.fill(str(value) if not isinstance(value, Decimal) else f"{value:f}")

    def _choose(self, field: Locator, wanted: set[str]) -> None:
        if field.get_attribute("value") in wanted:
            field.check()

    def complete(self) -> None:
        """Completes the open task; fails with the page's own words when the form is not accepted."""
        self.page.locator('button[name="_complete"]').click()
        self.page.wait_for_load_state()
        summary = self.page.locator(".cl-errors, .cl-summary")
        assert not summary.count(), f"{self.role}: {summary.first.inner_text()}"
