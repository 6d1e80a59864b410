"""`/api/v1`: tokens with scopes, problems in RFC 9457, answers that repeat with their key."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from engine.clock import now
from engine.execution.tables import Instance
from tests.web.clinic import Clinic
from web.api import tokens
from web.db import db

ALL = tokens.SCOPES


def token(scopes: tuple[str, ...] = ALL) -> dict[str, str]:
    _, text = tokens.create(db.session(), "his", scopes, by="admin")
    db.session.commit()
    return {"Authorization": f"Bearer {text}"}


def call(clinic: Clinic, method: str, path: str, headers: dict[str, str], json: Any = None) -> Any:
    return clinic.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, json=json)


def visits() -> int:
    return db.session.scalar(select(func.count()).select_from(Instance)) or 0


def test_a_program_starts_looks_and_completes(clinic: Clinic) -> None:
    his = token()
    made = call(clinic, "POST", "/instances", his, {"processId": "outpatient_visit", "businessKey": "X-1", "department": "ent"}).get_json()
    assert made["state"] == "running"
    task = call(clinic, "GET", "/tasks", his).get_json()["items"][0]
    assert (task["instanceId"], task["formId"]) == (made["id"], "identify")
    done = call(clinic, "POST", f"/tasks/{task['id']}/complete", his, {"values": {"patientName": "张三", "payer": "self"}})
    assert done.status_code == 200
    assert call(clinic, "GET", f"/instances/{made['id']}", his).get_json()["variables"]["patientName"] == "张三"


def test_wrong_values_are_named(clinic: Clinic) -> None:
    task = clinic.task(clinic.visit())
    answer = call(clinic, "POST", f"/tasks/{task.id}/complete", token(), {"values": {"payer": "nobody"}})
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert set(answer.get_json()["errors"]) == {"patientName", "payer"}


def test_unknown_fields_are_refused(clinic: Clinic) -> None:
    assert call(clinic, "POST", "/instances", token(), {"processId": "outpatient_visit", "nonsense": 1}).status_code == 422


def test_the_same_key_starts_one_visit(clinic: Clinic) -> None:
    his = {**token(), "Idempotency-Key": "abc"}
    first = call(clinic, "POST", "/instances", his, {"processId": "outpatient_visit"})
    again = call(clinic, "POST", "/instances", his, {"processId": "outpatient_visit"})
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert visits() == 1
    assert call(clinic, "POST", "/instances", his, {"processId": "outpatient_visit", "department": "ent"}).status_code == 409


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer cl_wrong"}, {"Authorization": "Basic abc"}])
def test_without_a_live_token_nothing_opens(clinic: Clinic, headers: dict[str, str]) -> None:
    answer = call(clinic, "GET", "/instances", headers)
    assert answer.status_code == 401
    assert answer.get_json()["status"] == 401


def test_a_revoked_token_is_dead_at_once(clinic: Clinic) -> None:
    row, text = tokens.create(db.session(), "his", ALL, by="admin")
    db.session.commit()
    headers = {"Authorization": f"Bearer {text}"}
    assert call(clinic, "GET", "/instances", headers).status_code == 200
    row.revoked = now()
    db.session.commit()
    assert call(clinic, "GET", "/instances", headers).status_code == 401


def test_each_operation_needs_its_own_scope(clinic: Clinic) -> None:
    document = call(clinic, "GET", "/openapi.json", {}).get_json()
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            scope = about["description"].removeprefix("Scope: ")
            others = token(tuple(s for s in ALL if s != scope))
            answer = clinic.app.test_client().open(path.replace("{", "").replace("}", ""), method=method.upper(), headers=others, json={})
            assert answer.status_code == 403, f"{method} {path}"


def test_lists_page_by_cursor(clinic: Clinic) -> None:
    for _ in range(5):
        clinic.visit()
    his, seen, cursor = token(), [], ""
    while cursor is not None:
        answer = call(clinic, "GET", f"/instances?limit=2&cursor={cursor}", his).get_json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next"]
    assert len(seen) == len(set(seen)) == 5


def test_a_messages_second_copy_counts_once(clinic: Clinic) -> None:
    his, sent = token(), {"name": "lab_result", "key": "o-1", "messageId": "m-1", "payload": {"status": "final"}}
    assert call(clinic, "POST", "/messages", his, sent).get_json()["buffered"] is True
    assert call(clinic, "POST", "/messages", his, sent).get_json()["duplicate"] is True


def test_the_document_is_readable_for_people(clinic: Clinic) -> None:
    assert "/api/v1/tasks/{task_id}/complete" in clinic.app.test_client().get("/api/v1/docs").get_data(as_text=True)
