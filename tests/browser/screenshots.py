"""Takes the README's screenshots: `CARELANE_SCREENSHOTS=FOLDER pytest tests/browser/test_visit.py -k eight` for the eight roles of the
clinic, and this for those who look at many visits, at connections and at accounts:

    python -m tests.browser.screenshots URL FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.people import Person
from tests.machines import CHROMIUM_FLAGS, found


def take(url: str, folder: Path) -> None:
    """The studio with a process open, the programme, connections and accounts of a demonstration clinic that runs at `url`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found("chromium"), args=CHROMIUM_FLAGS)
        owner = Person(browser, url, "process_owner", "en").page
        owner.goto(f"{url}/studio/process/triage/1")
        owner.wait_for_timeout(6000)
        owner.screenshot(path=folder / "process_owner.png")
        manager = Person(browser, url, "project_manager", "zh").page
        manager.goto(f"{url}/rollout")
        manager.locator('main a[href*="/rollout/"]').first.click()
        manager.wait_for_timeout(2000)
        manager.screenshot(path=folder / "project_manager.png")
        engineer = Person(browser, url, "integration_engineer", "en").page
        engineer.goto(f"{url}/connections")
        engineer.screenshot(path=folder / "integration_engineer.png")
        admin = Person(browser, url, "admin", "zh").page
        admin.goto(f"{url}/admin/people")
        admin.screenshot(path=folder / "admin.png")
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2]))
