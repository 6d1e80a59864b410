"""The inbox: the right tasks in the right order, and what happens to them."""

from __future__ import annotations

import re
from datetime import timedelta

from engine import clock
from engine.execution import tasks
from tests.web.clinic import Clinic
from web.db import db


def tickets(page: str) -> list[str]:
    return re.findall(r"<td>(A\d{3})</td>", page)


def test_most_urgent_first_then_longest_waiting(clinic: Clinic) -> None:
    clinic.triaged("甲", 3, ticket="A003")
    clinic.triaged("乙", 1, ticket="A001")
    clinic.triaged("丙", 4, ticket="A004")
    clinic.triaged("丁", 2, ticket="A002")
    assert tickets(clinic.person("doctor").text("/inbox")) == ["A001", "A002", "A003", "A004"]


def test_each_role_sees_its_own_tasks_only(clinic: Clinic) -> None:
    clinic.identified(ticket="A007")
    assert tickets(clinic.person("nurse").text("/inbox")) == ["A007"]
    assert tickets(clinic.person("doctor").text("/inbox")) == []
    assert tickets(clinic.person("cashier").text("/inbox")) == []


def test_somebody_of_one_department_sees_that_department(clinic: Clinic) -> None:
    clinic.triaged(department="surgery", ticket="A001")
    clinic.triaged(department="paediatrics", ticket="A002")
    assert tickets(clinic.person("surgeon").text("/inbox")) == ["A001"]
    assert tickets(clinic.person("paediatrician").text("/inbox?department=surgery")) == []
    assert tickets(clinic.person("doctor").text("/inbox?department=paediatrics")) == ["A002"]


def test_a_visit_without_a_department_is_everybodys(clinic: Clinic) -> None:
    visit = clinic.visit(None)
    registrar = clinic.hire("desk", "registrar", "surgery")
    assert clinic.task(visit).id in registrar.text("/inbox")


def test_search_finds_names_and_tickets(clinic: Clinic) -> None:
    clinic.identified("王小明", ticket="A011")
    clinic.identified("李大力", ticket="A012")
    nurse = clinic.person("nurse")
    assert tickets(nurse.text("/inbox?text=小明")) == ["A011"]
    assert tickets(nurse.text("/inbox?text=a012")) == ["A012"]
    assert tickets(nurse.text("/inbox?text=nobody")) == []


def test_mine_shows_what_i_have_claimed(clinic: Clinic) -> None:
    first, _ = clinic.identified(ticket="A001"), clinic.identified("李四", ticket="A002")
    nurse = clinic.person("nurse")
    nurse.post(f"/tasks/{clinic.task(first).id}/claim")
    assert tickets(nurse.text("/inbox?mine=1")) == ["A001"]


def test_late_tasks_say_how_late(clinic: Clinic) -> None:
    with clock.at(clock.now() - timedelta(minutes=34)):
        clinic.identified()
    page = clinic.person("nurse").text("/inbox")
    assert "24 min late" in page
    assert "34 min" in page


def test_filters_are_kept_on_the_way_back(clinic: Clinic) -> None:
    visit = clinic.identified(department="surgery")
    nurse = clinic.person("nurse")
    nurse.get("/inbox?department=surgery&mine=1")
    answer = nurse.post(f"/tasks/{clinic.task(visit).id}/claim", {"stay": "1"})
    assert "department=surgery" in answer.location
    assert "mine=1" in answer.location


def test_claiming_opens_the_form(clinic: Clinic) -> None:
    visit = clinic.identified()
    task, nurse = clinic.task(visit), clinic.person("nurse")
    answer = nurse.post(f"/tasks/{task.id}/claim")
    assert answer.location == f"/tasks/{task.id}"
    page = nurse.text(answer.location)
    assert "Pulse" in page
    assert "Complete" in page
    assert clinic.task(visit).assignee == "nurse"


def test_an_unclaimed_task_can_be_looked_at_but_not_filled(clinic: Clinic) -> None:
    page = clinic.person("nurse").text(f"/tasks/{clinic.task(clinic.identified()).id}")
    assert "<fieldset disabled>" in page
    assert "Claim and begin" in page


def test_a_claim_that_came_second_is_told_who_was_first(clinic: Clinic) -> None:
    task = clinic.task(clinic.identified())
    tasks.claim(db.session(), task.id, user="nurse", roles=["triage_nurse"])
    db.session.commit()
    second = clinic.hire("nurse2", "triage_nurse", None)
    answer = second.post(f"/tasks/{task.id}/claim")
    assert "Li Na took this task 0 min ago" in second.text(answer.location)


def test_the_keyboards_claim_is_answered_in_place(clinic: Clinic) -> None:
    task = clinic.task(clinic.identified())
    clinic.person("nurse").post(f"/tasks/{task.id}/claim")
    second = clinic.hire("nurse2", "triage_nurse", None)
    answer = second.post(f"/tasks/{task.id}/claim", {"stay": "1"}, headers={"X-Carelane-Stay": "1"})
    assert answer.status_code == 409
    assert "Li Na" in answer.get_json()["message"]


def test_giving_back_frees_the_task(clinic: Clinic) -> None:
    visit = clinic.identified()
    nurse = clinic.person("nurse")
    nurse.post(f"/tasks/{clinic.task(visit).id}/claim")
    nurse.post(f"/tasks/{clinic.task(visit).id}/release")
    assert clinic.task(visit).assignee is None


def test_wrong_values_come_back_filled_with_the_error_at_the_field(clinic: Clinic) -> None:
    visit = clinic.identified()
    task, nurse = clinic.task(visit), clinic.person("nurse")
    nurse.post(f"/tasks/{task.id}/claim")
    answer = nurse.post(f"/tasks/{task.id}/complete", {"pulse": "999", "acuity": "2", "complaint": "胸闷"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'value="999"' in page
    assert "胸闷" in page
    assert 'aria-invalid="true"' in page
    assert clinic.task(visit).state == "open"


def test_completing_goes_on_to_the_next_task(clinic: Clinic) -> None:
    visit, other = clinic.identified(), clinic.identified("李四", ticket="A002")
    task, nurse = clinic.task(visit), clinic.person("nurse")
    nurse.post(f"/tasks/{task.id}/claim")
    answer = nurse.post(f"/tasks/{task.id}/complete", {"pulse": "90", "acuity": "2"})
    assert f"focus={clinic.task(other).id}" in answer.location
    assert "Done: Vital signs, A001." in nurse.text(answer.location)
    assert clinic.task(visit).role == "doctor"
    assert clinic.task(visit).acuity == 2


def test_completing_twice_is_told_in_words(clinic: Clinic) -> None:
    task, nurse = clinic.task(clinic.identified()), clinic.person("nurse")
    nurse.post(f"/tasks/{task.id}/claim")
    nurse.post(f"/tasks/{task.id}/complete", {"pulse": "90", "acuity": "2"})
    again = nurse.post(f"/tasks/{task.id}/complete", {"pulse": "91", "acuity": "3"})
    assert "Li Na has finished this task already" in nurse.text(again.location)


def test_a_task_in_somebody_elses_hands_cannot_be_completed(clinic: Clinic) -> None:
    visit = clinic.identified()
    task = clinic.task(visit)
    clinic.person("nurse").post(f"/tasks/{task.id}/claim")
    other = clinic.hire("nurse2", "triage_nurse", None)
    other.post(f"/tasks/{task.id}/complete", {"pulse": "90", "acuity": "2"})
    assert clinic.task(visit).state == "open"


def test_a_draft_waits_for_its_writer(clinic: Clinic) -> None:
    task, nurse = clinic.task(clinic.identified()), clinic.person("nurse")
    nurse.post(f"/tasks/{task.id}/claim")
    answer = nurse.post(f"/tasks/{task.id}/draft", {"pulse": "abc", "complaint": "头晕"}, headers={"X-Carelane-Autosave": "1"})
    assert answer.get_json() == {"saved": True}
    page = nurse.text(f"/tasks/{task.id}")
    assert 'value="abc"' in page
    assert "头晕" in page


def test_the_task_page_shows_patient_allergies_and_what_was_recorded(clinic: Clinic) -> None:
    visit = clinic.triaged("张伟", 1, allergies="青霉素")
    page = clinic.person("doctor").text(f"/tasks/{clinic.task(visit).id}")
    assert "张伟" in page
    assert "青霉素" in page
    assert "头痛三天" in page
    assert "Self" in page


def test_no_page_of_staff_shows_an_id(clinic: Clinic) -> None:
    visit = clinic.triaged()
    doctor = clinic.person("doctor")
    for path in ("/inbox", f"/tasks/{clinic.task(visit).id}", "/visits", f"/visits/{visit.id}", f"/visits/{visit.id}/timeline"):
        shown = re.sub(r"<[^>]*>", " ", doctor.text(path))
        shown = re.sub(r"patientId\s+[0-9a-f]{20}", "", shown)  # the list of values is for those who look behind
        assert re.findall(r"\b[0-9a-f]{20}\b", shown) == [], path


def test_both_languages(clinic: Clinic) -> None:
    clinic.identified()
    assert 'lang="zh-CN"' in (chinese := clinic.person("nurse", "zh").text("/inbox"))
    assert "生命体征" in chinese
    assert "待办" in chinese
    assert "Vital signs" in clinic.person("nurse", "en").text("/inbox")


def test_the_refresh_brings_only_the_list_and_keeps_no_session_alive(clinic: Clinic) -> None:
    clinic.identified()
    part = clinic.person("nurse").text("/inbox/rows")
    assert "<html" not in part
    assert tickets(part) == ["A001"]
