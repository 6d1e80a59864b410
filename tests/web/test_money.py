"""The money pages: days with their state, a day's classes and differences, what can be decided, the signature."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest

import integrations
from engine import db as database
from engine.execution.worker import Worker
from engine.models import deploy
from integrations.connections import book
from integrations.payments import cases, sources, stored
from integrations.payments.tables import ReconciliationDay, ReconciliationDifference
from tests.integrations.test_stored_reconciliation import D1, NOON, PAY, Row, paid, table
from tests.web.clinic import Clinic
from web.db import db

PROCESS = Path(__file__).parents[2] / "processes/reconciliation_difference"


@pytest.fixture
def day(clinic: Clinic) -> str:
    """A compared day with one match and two differences; one number would be a formula."""
    session = db.session()
    deploy.deploy(session, PROCESS, by="test")
    book.put(
        session, "card", "gateway", address={"url": "http://127.0.0.1:9"}, secrets={"shared_key": "k"}, title={"en": "Card", "zh": "银行卡"}
    )
    paid(session, "A", 10, NOON)
    paid(session, "B", 1234, NOON)
    row = stored.opened(session, D1, "card", by="test")
    sources.keep(session, row, "his", table(PAY), by="test")
    others: list[Row] = [PAY, ("pay", "B", 1234, NOON), ("pay", "=1+1", 3, NOON)]
    sources.keep(session, row, "provider", table(*others), by="test")
    stored.run(session, D1, "card", by="worker")
    cases.begin_open(session, actor="worker")
    session.commit()
    return row.id


def difference(key: str) -> ReconciliationDifference:
    db.session.rollback()
    db.session.expire_all()
    found: ReconciliationDifference = db.session.query(ReconciliationDifference).filter_by(key=key).one()
    return found


def work(clinic: Clinic) -> None:
    """The worker's turn."""
    settings = clinic.app.config["CARELANE"]
    engine = database.open_engine(settings)
    integrations.load(sessions=database.sessions(engine), settings=settings)
    worker = Worker(database.sessions(engine), settings)
    for _ in range(10):
        if not worker.run_once():
            break
    engine.dispose()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_list_and_the_day_show_sums_classes_and_differences(clinic: Clinic, day: str, language: str) -> None:
    cashier = clinic.person("cashier", language)
    listed = cashier.text("/money")
    assert f"/money/{day}" in listed
    assert ("2 to decide" if language == "en" else "2 笔待处理") in listed
    shown = cashier.text(f"/money/{day}")
    for text in ("1,234.00", "1,247.00", "PROVIDER_LONG", "=1+1", "Post to HIS" if language == "en" else "补记 HIS"):
        assert text in shown
    assert ("cannot be signed" if language == "en" else "无法签字") in shown


def test_a_cashier_decides_and_the_worker_does_it(clinic: Clinic, day: str) -> None:
    cashier = clinic.person("cashier")
    item = difference("=1+1")
    refused = cashier.post(f"/money/{day}/differences/{item.id}/act", {"action": "accept", "reason": " "}, follow_redirects=True)
    assert "Say why" in refused.get_data(as_text=True)
    cashier.post(f"/money/{day}/differences/{item.id}/act", {"action": "accept", "reason": "counted twice by hand"})
    assert "being done" in cashier.text(f"/money/{day}")
    work(clinic)
    assert (difference("=1+1").state, difference("=1+1").decided_by, difference("=1+1").owner) == ("decided", "cashier", "cashier")
    assert "counted twice by hand" in cashier.text(f"/money/{day}/differences/{item.id}")


def test_a_difference_is_given_to_somebody_who_handles_money(clinic: Clinic, day: str) -> None:
    cashier, item = clinic.person("cashier"), difference("B")
    assert cashier.post(f"/money/{day}/differences/{item.id}/owner", {"owner": "doctor"}).status_code == 404
    assert cashier.post(f"/money/{day}/differences/{item.id}/owner", {"owner": "cashier"}).status_code == 302
    assert difference("B").owner == "cashier"


def test_what_cannot_be_done_is_refused(clinic: Clinic, day: str) -> None:
    item = difference("=1+1")
    answer = clinic.person("cashier").post(f"/money/{day}/differences/{item.id}/act", {"action": "refund", "reason": "x"})
    assert answer.status_code == 409
    assert difference("=1+1").state == "open"


def settle_all() -> None:
    for item in db.session.query(ReconciliationDifference).all():
        cases.decided(db.session(), item.id, "accept", "checked", by="cashier")
    db.session.commit()


def test_a_day_is_signed_once_all_is_decided_and_stays(clinic: Clinic, day: str) -> None:
    owner = clinic.person("owner")
    early = owner.post(f"/money/{day}/sign", follow_redirects=True).get_data(as_text=True)
    assert "Without a decision: 2." in early
    settle_all()
    owner.post(f"/money/{day}/sign", {"note": "as counted"})
    row = db.session.get_one(ReconciliationDay, day, populate_existing=True)
    assert (row.state, row.signed_by, row.signed_note) == ("signed", "owner", "as counted")
    assert owner.post(f"/money/{day}/sign").status_code == 409
    shown = owner.text(f"/money/{day}")
    assert row.signed is not None
    assert row.signed["digest"] in shown
    assert "Compare again" not in shown
    assert "as counted" in owner.text(f"/money/{day}/print")


def test_the_table_to_take_away_has_no_formulas(clinic: Clinic, day: str) -> None:
    answer = clinic.person("cashier").get(f"/money/{day}/table.csv")
    text = answer.get_data(as_text=True)
    assert answer.content_type.startswith("text/csv")
    assert "PROVIDER_LONG,pay,'=1+1,,,3.00" in text
    assert "MATCH,1,10.00,10.00,10.00" in text


def test_a_file_given_by_hand_is_compared(clinic: Clinic, day: str) -> None:
    engineer = clinic.person("engineer")
    rows: list[Row] = [PAY, ("pay", "B", 1234, NOON), ("pay", "=1+1", 3, NOON)]
    answer = upload(engineer, day, "his", gzip.compress(table(*rows)))
    assert "compared with it" in answer
    assert db.session.query(ReconciliationDifference).count() == 1  # what the ledger alone lacks stays
    assert "cannot be read" in upload(engineer, day, "his", b"nonsense")
    assert "cannot be read" in upload(engineer, day, "his", b"\x1f\x8bdamaged")
    assert "Choose a file" in upload(engineer, day, "platform", b"x")


def upload(person: Any, day: str, side: str, content: bytes) -> str:
    data = {"side": side, "file": (io.BytesIO(content), "file.csv")}
    text: str = person.post(f"/money/{day}/files", data, follow_redirects=True).get_data(as_text=True)
    return text


def test_a_day_whose_bill_cannot_be_had_waits_and_says_so(clinic: Clinic, day: str) -> None:
    settings = clinic.app.config["CARELANE"]
    integrations.load(sessions=database.sessions(db.engine), settings=settings)
    answer = clinic.person("cashier").post("/money/run", {"day": "2026-11-19", "connection": "card"}, follow_redirects=True)
    assert "gives no bill; upload its file" in answer.get_data(as_text=True)
    assert clinic.person("cashier").post("/money/run", {"day": "2026-11-19", "connection": "his"}).status_code == 404
    assert clinic.person("cashier").post("/money/run", {"day": "never", "connection": "card"}).status_code == 404


@pytest.mark.parametrize("login", ["doctor", "registrar", "admin"])
def test_others_see_no_money(clinic: Clinic, day: str, login: str) -> None:
    assert clinic.person(login).get("/money").status_code == 403
    assert clinic.person(login).post(f"/money/{day}/sign").status_code == 403
