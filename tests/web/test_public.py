"""What needs no sign-in: the queue board, health, metrics, hooks; and alerts and far ends for those who are signed in."""

from __future__ import annotations

import re

import pytest

from integrations.notices import board
from tests.web.clinic import Clinic
from web.db import db


def test_the_board_shows_tickets_and_rooms_never_names(clinic: Clinic) -> None:
    called = clinic.triaged("欧阳锋", ticket="W001", department="surgery")
    clinic.triaged("郭靖", ticket="W002", department="surgery")
    clinic.triaged("黄蓉", ticket="E001", department="paediatrics")
    clinic.person("surgeon").post(f"/tasks/{clinic.task(called).id}/claim")
    page = clinic.stranger().text("/board/surgery")
    assert re.search(r'data-ticket="W001".*5 诊室', page)
    assert "W002" in page
    assert "E001" not in page
    for name in ("欧阳锋", "郭靖", "黄蓉", "Zhou Lei", "周磊"):
        assert name not in page


def test_a_board_of_no_department_is_not_there(clinic: Clinic) -> None:
    assert clinic.stranger().get("/board/mars").status_code == 404


def test_alive_and_ready(clinic: Clinic) -> None:
    assert clinic.stranger().get("/health/live").status_code == 200
    assert clinic.stranger().get("/health/ready").get_json() == {"ready": True}


def test_not_ready_without_the_schema(clinic: Clinic) -> None:
    from sqlalchemy import text

    db.session.execute(text("ALTER TABLE definition RENAME TO gone"))
    db.session.commit()
    assert clinic.stranger().get("/health/ready").status_code == 503
    assert clinic.stranger().get("/health/live").status_code == 200


def test_metrics_count_and_name_nobody(clinic: Clinic) -> None:
    clinic.triaged("欧阳锋")
    clinic.person("doctor").text("/inbox")
    figures = clinic.stranger().text("/metrics")
    assert 'carelane_open_tasks{role="doctor"} 1.0' in figures
    assert 'carelane_http_requests_total{method="GET",route="/inbox",status="200"} 1.0' in figures
    assert "欧阳锋" not in figures


@pytest.mark.parametrize("path", ["/hooks/nobody", "/fhir/Task"])
def test_a_caller_without_proof_changes_nothing(clinic: Clinic, path: str) -> None:
    answer = clinic.app.test_client().post(path, json={"resourceType": "Task"})
    assert answer.status_code in (401, 403, 404)
    assert "json" in answer.content_type


def test_alerts_reach_their_role_and_go_when_seen(clinic: Clinic) -> None:
    found = board.raise_alert(db.session(), "Ⅰ级患者直接就诊", key="k1", level="alert", role="doctor", department="surgery")
    db.session.commit()
    assert "Ⅰ级患者直接就诊" in clinic.person("surgeon").text("/inbox")
    assert "Ⅰ级患者直接就诊" not in clinic.person("paediatrician").text("/inbox")
    assert "Ⅰ级患者直接就诊" not in clinic.person("nurse").text("/inbox")
    clinic.person("surgeon").post(f"/alerts/{found.id}/seen")
    assert "Ⅰ级患者直接就诊" not in clinic.person("doctor").text("/inbox")


def test_an_alert_about_a_visit_that_has_ended_is_gone(clinic: Clinic) -> None:
    visit = clinic.triaged()
    board.raise_alert(db.session(), "无人接诊", key="k2", level="alert", role="doctor", department="surgery", instance_id=visit.id)
    db.session.commit()
    assert "无人接诊" in clinic.person("doctor").text("/inbox")
    clinic.person("registrar").post(f"/visits/{visit.id}/cancel", {"reason": "left"})
    assert "无人接诊" not in clinic.person("doctor").text("/inbox")


def test_many_alerts_fold(clinic: Clinic) -> None:
    for number in range(5):
        board.raise_alert(db.session(), f"alert {number}", key=f"k{number}", level="alert", role="doctor")
    db.session.commit()
    assert "3 more alerts" in clinic.person("doctor").text("/inbox")


def test_far_ends_say_when_they_do_not_run(clinic: Clinic) -> None:
    assert "not running" in clinic.person("engineer").text("/far-ends")


def test_a_real_clinic_has_no_far_ends_to_play(clinic: Clinic) -> None:
    from dataclasses import replace

    clinic.app.config["CARELANE"] = replace(clinic.app.config["CARELANE"], simulators=False)
    assert clinic.person("engineer").get("/far-ends").status_code == 404
    assert "Far ends" not in clinic.person("engineer").text("/inbox")
