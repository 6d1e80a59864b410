"""The pages of a migration: an engineer moves, another person checks and signs; nobody else, and nothing personal to those who may not see it."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import integrations
from engine.db import sessions as session_factory
from integrations.legacy import acceptance, runs
from integrations.legacy.tables import LegacyMigration, LegacyRow, LegacyRun
from integrations.mappings import book as mappings
from tests.web.clinic import Clinic
from tests.web.test_browser import AXE, Served, served
from web.db import db

__all__ = ["served"]

SHOTS = os.environ.get("CARELANE_SCREENSHOTS")
MAPPING = """{"legacyCase": 病例号, "legacyPatient": 患者号, "legacyState": 离院 = "" ? "open" : "completed", "legacyElement": 离院 = "" ? "Task_Vitals" : null,
 "legacyStarted": $date(挂号), "legacyEnded": 离院 = "" ? null : $date(离院), "name": 姓名, "sex": "male", "birthDate": $date(生日)}"""


def table(count: int) -> bytes:
    rows = [
        f"C{n},P{n},张{chr(0x5200 + n * 17)},19{60 + n}-03-12,2026-03-02 08:00,{'' if n % 4 == 0 else '2026-03-02 09:00'}"
        for n in range(1, count + 1)
    ]
    bad = ["C98,P98,,1985-03-12,2026-03-02 08:00,", "C99,P99,李雷,1985-03-12,2026-03-02 08:00,2026-03-02 07:00"]
    return "\r\n".join(["病例号,患者号,姓名,生日,挂号,离院", *rows, *bad]).encode("gb18030")


@pytest.fixture
def begun(clinic: Clinic) -> str:
    """A migration whose rows were uploaded over the page."""
    integrations.load(sessions=session_factory(db.engine), settings=clinic.app.config["CARELANE"])
    mappings.create(
        db.session(), "old.case", "fields", name_en="Old case", name_zh="旧病例", by="e", body={"format": "csv", "expression": MAPPING}
    )
    mappings.publish(db.session(), "old.case", comment="1", by="e")
    db.session.commit()
    engineer = clinic.person("engineer")
    process = clinic.identified("张伟").process_id
    form = {"name": "儿科旧 HIS 迁移", "source": "oldhis", "department": "paediatrics", "process_id": process, "mapping": "old.case"}
    assert engineer.post("/legacy", data=form).status_code == 302
    row = db.session.scalars(select(LegacyMigration)).one()
    upload = {"file": (io.BytesIO(table(12)), "cases.csv"), "encoding": "gb18030", "format": "csv"}
    engineer.post(f"/legacy/{row.id}/source", data=upload)
    return row.id


def go(clinic: Clinic, migration: str, kind: str, **more: str) -> LegacyRun:
    clinic.person("engineer").post(f"/legacy/{migration}/runs", data={"kind": kind, **more})
    for run_id in runs.waiting():
        runs.finish(run_id)
    db.session.expire_all()
    return runs.of(db.session(), migration)[0]


def test_an_engineer_moves_and_another_person_checks_and_signs(clinic: Clinic, begun: str) -> None:
    engineer, manager = clinic.person("engineer"), clinic.person("pm")
    assert go(clinic, begun, "check").counts == {"valid": 12, "rejected": 2}
    assert go(clinic, begun, "dry").counts["created"] == 12
    moved = go(clinic, begun, "move")
    assert moved.counts["open"] == 3
    page = manager.get(f"/legacy/{begun}").text
    assert "cases created" in page or "已建病例" in page
    engineer.post(f"/legacy/batches/{moved.id}/sample", data={"size": "4"})
    assert acceptance.samples(db.session(), moved) == [], "an engineer may not draw it"
    manager.post(f"/legacy/batches/{moved.id}/sample", data={"size": "4", "seed": "5"})
    drawn = acceptance.samples(db.session(), moved)
    for one in drawn:
        manager.post(f"/legacy/batches/{moved.id}/sample/{one.id}", data={"good": "yes"})
    manager.post(f"/legacy/batches/{moved.id}/sign", data={"accepted": "yes"})
    db.session.expire_all()
    assert (moved.signed_by, moved.accepted, len(drawn)) == (manager.login, True, 6)
    assert go(clinic, begun, "back", target=moved.id).counts == {"returned": 12}


def test_rejected_rows_come_as_csv_with_content_only_for_those_who_may_see_patients(clinic: Clinic, begun: str) -> None:
    go(clinic, begun, "check")
    own = clinic.person("pm").get(f"/legacy/{begun}/rejected.csv")
    full = clinic.person("engineer").get(f"/legacy/{begun}/rejected.csv")
    assert own.data.startswith(b"\xef\xbb\xbf")
    assert "C99" in own.text
    assert "李雷" not in own.text
    assert "李雷" in full.text


def test_a_sample_is_masked_until_somebody_who_may_asks_to_see_it(clinic: Clinic, begun: str) -> None:
    for kind in ("check", "dry", "move"):
        run = go(clinic, begun, kind)
    clinic.person("pm").post(f"/legacy/batches/{run.id}/sample", data={"size": "12", "seed": "1"})
    row = db.session.scalars(select(LegacyRow).where(LegacyRow.state == "moved")).first()
    assert row is not None
    name = str(row.raw["姓名"])
    for login, query, seen in (("pm", "", False), ("pm", "?show=1", False), ("engineer", "", False), ("engineer", "?show=1", True)):
        assert (name in clinic.person(login).get(f"/legacy/batches/{run.id}{query}").text) is seen


def test_what_cannot_be_done_is_said_in_the_readers_language(clinic: Clinic, begun: str) -> None:
    person = clinic.person("engineer")
    person.post(f"/legacy/{begun}/runs", data={"kind": "move"})
    page = person.get(f"/legacy/{begun}").text
    assert re.search("Check the rows by the present mapping first|请先按当前映射检查数据行", page)
    person.post("/legacy", data={"name": "", "source": "X", "process_id": "none", "mapping": "none"})
    assert db.session.scalars(select(LegacyMigration)).one().id == begun


def test_others_have_no_way_in(clinic: Clinic, begun: str) -> None:
    for login in ("nurse", "doctor"):
        assert clinic.person(login).get(f"/legacy/{begun}").status_code == 403


@pytest.mark.browser
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_has_an_accessibility_violation(served: Served, begun: str, language: str) -> None:
    found: list[Any] = []
    paths = {"fresh": ("engineer", f"/legacy/{begun}"), "list": ("engineer", "/legacy")}
    paths |= {
        "rows": ("pm", f"/legacy/{begun}/rows?state=rejected"),
        "batch": ("pm", ""),
        "moved": ("pm", f"/legacy/{begun}"),
        "signed": ("engineer", ""),
    }
    for name, (login, path) in paths.items():
        if name == "rows":
            for kind in ("check", "dry", "move"):
                run = go(served.clinic, begun, kind)
            served.clinic.person("pm").post(f"/legacy/batches/{run.id}/sample", data={"size": "4", "seed": "5"})
        page = served.open(login, path or f"/legacy/batches/{run.id}", language)
        page.wait_for_load_state("networkidle")
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"legacy-{name}-{language}.png", full_page=True)
        page.evaluate(AXE.read_text())
        found += [(name, v["id"], v["nodes"][0]["html"][:140]) for v in page.evaluate("() => axe.run()")["violations"]]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is wider than the screen"
    assert found == []
