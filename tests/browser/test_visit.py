"""A full outpatient visit in Chromium, played by eight users who change places as people in a clinic do."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

import forms
from engine.errors import NotFound
from engine.execution import feel, tasks
from engine.execution.tables import Incident, Instance, Task
from tests.browser.demo_clinic import DemoClinic, running, wait_for
from tests.browser.people import Person
from tests.machines import found
from web.demo.people import patients

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.skipif(found("chromium") is None, reason="Chromium is not installed on this machine."),
]

SHOTS = os.environ.get("CARELANE_SCREENSHOTS")  # a folder to keep screenshots in; none are kept without it
PATIENT = next(patients(random.Random(7)))
STORY: dict[str, Any] = PATIENT.answers() | {  # what differs from the forms' example values, by field
    "disposition": "refer", "channel": "wechat", "visitType": "walk_in", "correctionDecision": "corrected", "department": "internal_medicine",
}  # fmt: skip
SHOWN = {  # the step of each role that the README shows
    "registrar": "Task_Identify", "triage_nurse": "Task_Vitals", "doctor": "Task_Diagnose", "lab_technician": "Task_CollectSpecimen",
    "imaging_technician": "Task_PerformImaging", "cashier": "Task_ChooseChannel", "pharmacist": "Task_Dispense",
    "referral_coordinator": "Task_Inform",
}  # fmt: skip
EIGHT = {
    "registrar", "triage_nurse", "doctor", "lab_technician", "imaging_technician", "cashier", "pharmacist", "referral_coordinator",
}  # fmt: skip


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoClinic]:
    """A demonstration clinic without a past."""
    with running(tmp_path_factory.mktemp("clinic"), "--no-past") as started:
        yield started


class Staff:
    """The eight at their screens, and the visit they work on."""

    def __init__(self, clinic: DemoClinic, browser: Browser, lang: str) -> None:
        self.clinic, self.browser, self.lang = clinic, browser, lang
        self.people: dict[str, Person] = {}
        self.done: list[tuple[str, str]] = []

    def person(self, role: str) -> Person:
        """The user of that role, signed in once."""
        if role not in self.people:
            self.people[role] = Person(self.browser, self.clinic.url, role, self.lang)
        return self.people[role]

    def begin(self) -> str:
        """The registrar begins a visit for a patient who walks in; returns the instance."""
        page = self.person("registrar").page
        before = self._instances()
        page.goto(f"{self.clinic.url}/visits/new")
        page.locator('select[name="department"]').select_option("internal_medicine") if page.locator(
            'select[name="department"]'
        ).count() else None
        page.locator("main form button").first.click()
        page.wait_for_load_state()
        (new,) = self._instances() - before
        return new

    def _instances(self) -> set[str]:
        with Session(self.clinic.engine) as session:
            return set(session.scalars(select(Instance.id)))

    def state(self, instance_id: str) -> str:
        """How the visit stands."""
        with Session(self.clinic.engine) as session:
            row = session.get(Instance, instance_id)
            assert row is not None
            return row.state

    def next_task(self, instance_id: str) -> tuple[str, str, str, dict[str, Any]] | None:
        """(id, role, element, values) of an open task of the visit."""
        with Session(self.clinic.engine) as session:
            query = select(Task).where(Task.instance_id == instance_id, Task.state == "open").order_by(Task.created)
            for task in session.scalars(query):
                if task.element_id != "Task_AwaitPayment":  # the patient pays on the phone; the window only watches
                    return task.id, task.role, task.element_id, self._values(session, task)
        return None

    def _values(self, session: Session, task: Task) -> dict[str, Any]:
        try:
            form, context = tasks.form_of(session, task), tasks.context(session, task)
        except NotFound:
            return {}
        if form is None:
            return {}
        example = forms.example(form, context, evaluate=feel.evaluate)
        return {**example, **{key: value for key, value in STORY.items() if key in example}}

    def work(self, instance_id: str, seconds: float = 150) -> None:
        """Each open task is done by its role's user, until the visit ends."""
        until = time.monotonic() + seconds
        while self.state(instance_id) == "running":
            assert time.monotonic() < until, f"the visit does not end: {self.stand(instance_id)}"
            task = self.next_task(instance_id)
            if task is None:
                time.sleep(0.3)
                continue
            task_id, role, element, values = task
            person = self.person(role)
            person.open_task(task_id)
            person.fill(values)
            if SHOTS and SHOWN.get(role) == element:
                person.page.screenshot(path=Path(SHOTS) / f"{role}.png")
            person.complete()
            self.done.append((role, element))

    def stand(self, instance_id: str) -> list[str]:
        """What holds the visit, for a failing test's message."""
        with Session(self.clinic.engine) as session:
            incidents = session.scalars(select(Incident).where(Incident.instance_id == instance_id, Incident.state == "open"))
            opened = session.scalars(select(Task).where(Task.instance_id == instance_id, Task.state == "open"))
            return [i.message for i in incidents] + [f"{t.role}: {t.name}" for t in opened] + [str(self.done)]


def test_eight_users_take_a_patient_through_a_whole_visit(clinic: DemoClinic, browser: Browser) -> None:
    staff = Staff(clinic, browser, "zh")
    visit = staff.begin()

    staff.work(visit)

    assert staff.state(visit) == "completed"
    assert {role for role, _ in staff.done} >= EIGHT, f"only {sorted({role for role, _ in staff.done})} had something to do: {staff.done}"


@pytest.mark.parametrize(("lang", "words"), [("zh", ("待办", "步骤")), ("en", ("Inbox", "Step"))])
def test_the_inbox_speaks_both_languages(clinic: DemoClinic, browser: Browser, lang: str, words: tuple[str, str]) -> None:
    staff = Staff(clinic, browser, lang)
    staff.begin()
    page = staff.person("registrar").page
    page.goto(f"{clinic.url}/inbox")

    expect(page.locator("html")).to_have_attribute("lang", "zh-CN" if lang == "zh" else "en")
    for word in words:
        expect(page.get_by_text(word, exact=True).first).to_be_visible()


def test_a_visit_goes_on_when_web_and_worker_are_killed(clinic: DemoClinic, browser: Browser) -> None:
    staff = Staff(clinic, browser, "en")
    visit = staff.begin()
    for _ in range(2):
        task = staff.next_task(visit)
        while task is None:
            time.sleep(0.2)
            task = staff.next_task(visit)
        person = staff.person(task[1])
        person.open_task(task[0])
        person.fill(task[3])
        person.complete()

    clinic.kill("serve")
    clinic.kill("worker")
    time.sleep(1)
    wait_for(clinic.url, clinic.process, clinic.log)
    staff.work(visit)

    assert staff.state(visit) == "completed"
