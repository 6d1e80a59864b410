"""Stored reconciliation: days balance, clear each other, change nothing when run again, and stay as they were signed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import Conflict, Refused
from engine.execution.tables import Instance, Job, Task
from engine.execution.worker import Worker
from engine.models import deploy
from integrations.connections import book
from integrations.payments import cases, ledger, sources, stored
from integrations.payments.bills import BEIJING, BillUnreadable, Line
from integrations.payments.reconcile import SIDES
from integrations.payments.tables import Payment, PaymentEntry, ReconciliationDay, ReconciliationDifference
from tests.integrations.conftest import World

PROCESS = Path(__file__).parents[2] / "processes/reconciliation_difference"
D1, D2, D3 = "2026-11-20", "2026-11-21", "2026-11-22"
NOON, LATE, EARLY = "12:00:00", "23:58:00", "00:01:00"
Row = tuple[str, str, int, str]  # kind, number, yuan, time


def table(*rows: Row, day: str = D1) -> bytes:
    """A file in our own plain format."""
    return ("kind,number,amount,time\n" + "".join(f"{k},{n},{a},{day} {t}\n" for k, n, a, t in rows)).encode()


def paid(session: Session, number: str, yuan: int, at: str, day: str = D1) -> Payment:
    """A payment in our ledger, paid at that Beijing time."""
    row = Payment(
        order_id=number, trade_no=number, channel="card", connection="card", amount=yuan * 100, currency="CNY", state="paid",
        transaction_id=f"T-{number}", patient_id="P1", created=moment(day, at),
    )  # fmt: skip
    session.add(row)
    session.flush()
    entry = PaymentEntry(payment_id=row.id, kind="paid", amount=yuan * 100, currency="CNY", reference=f"T-{number}", at=moment(day, at))
    session.add(entry)
    session.flush()
    return row


def moment(day: str, at: str) -> datetime:
    return datetime.fromisoformat(f"{day} {at}").replace(tzinfo=BEIJING)


def compare(session: Session, day: str, his: bytes, provider: bytes) -> ReconciliationDay:
    row = stored.opened(session, day, "card", by="test")
    sources.keep(session, row, "his", his, by="test")
    sources.keep(session, row, "provider", provider, by="test")
    return stored.run(session, day, "card", by="test")


def kinds(session: Session, row: ReconciliationDay) -> dict[str, tuple[str, str]]:
    return {item.key: (item.kind, item.state) for item in stored.differences(session, row)}


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One open transaction; the process of differences is deployed."""
    with sessions() as made:
        deploy.deploy(made, PROCESS, by="test")
        made.commit()
        yield made
        made.rollback()


PAY: Row = ("pay", "A", 10, NOON)


# ── a day ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_day_on_which_all_agree_balances_and_has_no_difference(session: Session) -> None:
    paid(session, "A", 10, NOON)
    row = compare(session, D1, table(PAY), table(PAY))
    assert row.classes == {"MATCH": {"count": 1, "his": 1000, "platform": 1000, "provider": 1000}}
    assert row.sides["his"] == {"lines": 1, "paid": 1000, "refunded": 0, "net": 1000, "carried_lines": 0, "carried": 0}
    assert stored.balanced(row)
    assert stored.differences(session, row) == []


def test_a_difference_knows_its_payment_what_to_do_and_its_sides(session: Session) -> None:
    payment = paid(session, "A", 10, NOON)
    row = compare(session, D1, table(), table(PAY))
    (item,) = stored.differences(session, row)
    assert (item.kind, item.state, item.payment_id) == ("PROVIDER_LONG", "open", payment.id)
    assert (item.his, item.platform, item.provider) == (None, 1000, 1000)
    assert cases.feasible(item) == ("refund", "repost", "accept")
    assert (cases.suggested(item), cases.suggested_amount(item)) == ("repost", 1000)


def test_a_fee_that_is_not_the_contracts_is_a_difference_of_its_own(session: Session) -> None:
    book.put(session, "card", "gateway", address={"fee_rate": "0.006"})
    paid(session, "A", 10, NOON)
    assert kinds(session, compare(session, D1, table(PAY), table(PAY))) == {"A": ("FEE_MISMATCH", "open")}


def test_a_day_without_a_bill_waits_and_says_why(session: Session) -> None:
    row = stored.wait(session, D1, "card", "the bill is not made yet", by="worker")
    assert (row.state, row.error) == ("waiting", "the bill is not made yet")
    with pytest.raises(BillUnreadable, match="no bill"):
        stored.run(session, D1, "card", by="worker")


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"kind,number,amount,time\npay,,1,2026-11-20 10:00:00\n", table(("pay", "A", 1, "late"))])
def test_a_file_that_is_none_is_refused_and_not_kept(session: Session, content: bytes) -> None:
    row = stored.opened(session, D1, "card", by="test")
    with pytest.raises(BillUnreadable):
        sources.keep(session, row, "his", content, by="test")


def test_what_the_his_acknowledged_is_its_side_when_no_file_is_given(world: World) -> None:
    made = world.call("payment.order", "k1", patientId=world.patient_id, orderId="ORDER-0001", amount=1250, channel="card")
    with world.sessions() as session:
        payment = ledger.get(session, str(made["paymentId"]))
        ledger.settle(session, payment, "paid", transaction_id="42", amount=1250, source="notification")
        session.commit()
    item = {"code": "1", "name": "挂号费", "amount": 1250}
    world.call("hl7.dft_p03", "k2", patientId=world.patient_id, visitNumber="V1", paymentId=made["paymentId"], items=[item])
    with world.sessions() as session:
        today = stored.day_of(datetime.now(BEIJING))
        row = stored.opened(session, today, "card", by="test")
        line: Row = ("pay", "ORDER-0001", 0, NOON)
        sources.keep(session, row, "provider", table(line, day=today).replace(b",0,", b",12.50,"), by="test")
        assert stored.run(session, today, "card", by="test").classes["MATCH"]["his"] == 1250


# ── the next day ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cross_day_case_clears_itself_and_is_shown_as_cleared(session: Session) -> None:
    paid(session, "A", 10, LATE)
    late: Row = ("pay", "A", 10, LATE)
    first = compare(session, D1, table(late), table())
    assert kinds(session, first) == {"A": ("CROSS_DAY", "carried")}
    second = compare(session, D2, table(day=D2), table(("pay", "A", 10, EARLY), day=D2))
    assert second.classes == {"MATCH": {"count": 1, "his": 1000, "platform": 1000, "provider": 1000}}
    assert kinds(session, first) == {"A": ("CROSS_DAY", "cleared")}
    assert stored.differences(session, first)[0].cleared_day == D2
    assert stored.balanced(first)
    assert stored.balanced(second)


def test_a_cross_day_case_that_does_not_clear_becomes_the_next_days_difference(session: Session) -> None:
    paid(session, "A", 10, LATE)
    first = compare(session, D1, table(("pay", "A", 10, LATE)), table())
    second = compare(session, D2, table(day=D2), table(day=D2))
    assert kinds(session, first) == {"A": ("CROSS_DAY", "moved")}
    assert kinds(session, second) == {"A": ("PROVIDER_SHORT", "open")}


def test_running_a_day_again_changes_nothing(session: Session) -> None:
    paid(session, "A", 10, NOON)
    row = compare(session, D1, table(), table(PAY))
    cases.begin_open(session, actor="worker")
    before = picture(session)
    assert stored.run(session, D1, "card", by="somebody else") is row
    assert compare(session, D1, table(), table(PAY)) is row
    cases.begin_open(session, actor="worker")
    assert picture(session) == before


def test_a_new_bill_compares_an_unsigned_day_and_those_after_it_afresh(session: Session) -> None:
    paid(session, "A", 10, LATE)
    paid(session, "B", 20, NOON)
    both = table(("pay", "A", 10, LATE), ("pay", "B", 20, NOON))
    first = compare(session, D1, both, table())
    second = compare(session, D2, table(day=D2), table(("pay", "A", 10, EARLY), day=D2))
    cases.begin_open(session, actor="worker")
    assert kinds(session, first) == {"A": ("CROSS_DAY", "cleared"), "B": ("PROVIDER_SHORT", "open")}
    compare(session, D1, both, both)  # the corrected bill has both on the first day: the second day's line is a second payment
    assert kinds(session, first) == {}
    assert {key: kind for key, (kind, _) in kinds(session, second).items()} == {"A": "PROVIDER_LONG"}
    assert [i.state for i in session.scalars(select(Instance))] == ["cancelled"]
    assert stored.balanced(first)
    assert stored.balanced(second)


def picture(session: Session) -> Any:
    """All that is stored about reconciliation."""
    tables = (ReconciliationDay.__table__, ReconciliationDifference.__table__, Instance.__table__)
    session.flush()
    return [sorted(map(repr, session.execute(select(table)).all())) for table in tables]


# ── differences as cases ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_difference_has_its_own_process_and_an_owner(session: Session) -> None:
    paid(session, "A", 10, NOON)
    paid(session, "B", 10, NOON)
    row = compare(session, D1, table(), table(PAY, ("pay", "B", 10, NOON)))
    assert cases.begin_open(session, actor="worker") == 2
    one, other = stored.differences(session, row)
    assert len({one.instance_id, other.instance_id, None}) == 3
    cases.take(session, one, "cashier", by="lead")
    assert (one.owner, other.owner) == ("cashier", None)
    assert tasks_of(session, one) == ["Task_Act"]
    assert tasks_of(session, other) == ["Task_Assign"]


def tasks_of(session: Session, item: ReconciliationDifference) -> list[str]:
    return list(session.scalars(select(Task.element_id).where(Task.instance_id == item.instance_id, Task.state == "open")))


def test_a_decision_needs_a_reason_and_must_be_possible(session: Session) -> None:
    row = compare(session, D1, table(), table(PAY))
    (item,) = stored.differences(session, row)
    with pytest.raises(Refused, match="reason"):
        cases.act(session, item, "accept", "  ", by="cashier")
    with pytest.raises(Refused, match="cannot be done here"):
        cases.act(session, item, "refund", "why not", by="cashier")


def test_a_decision_is_recorded_once_and_not_replaced(session: Session) -> None:
    row = compare(session, D1, table(), table(PAY))
    (item,) = stored.differences(session, row)
    cases.decided(session, item.id, "accept", "checked", by="cashier")
    cases.decided(session, item.id, "accept", "again", by="other")
    assert (item.state, item.reason, item.decided_by) == ("decided", "checked", "cashier")
    with pytest.raises(Conflict, match="decided already"):
        cases.decided(session, item.id, "refund", "no", by="other")


def acted(world: World, action: str, number: str = "ORDER-0009") -> tuple[str, str]:
    """A paid order that the HIS does not know, its difference decided so, and the worker's jobs done: difference and payment."""
    made = world.call("payment.order", "k1", patientId=world.patient_id, orderId=number, amount=1000, channel="card")
    (far,) = world.desk.of("card")
    far.data |= {"state": "paid", "transaction_id": "42", "notices": []}
    far.state = "answered"
    with world.sessions() as session:
        deploy.deploy(session, PROCESS, by="test")
        payment = ledger.get(session, str(made["paymentId"]))
        ledger.settle(session, payment, "paid", transaction_id="42", amount=1000, source="notification")
        session.commit()
        today = stored.day_of(datetime.now(BEIJING))
        row = compare(session, today, table(), table(("pay", number, 10, NOON), day=today))
        (item,) = stored.differences(session, row)
        cases.act(session, item, action, "found by the cashier", by="cashier")
        session.commit()
        found = item.id
    worker = Worker(world.sessions, world.settings)
    for _ in range(20):
        if not worker.run_once():
            break
    return found, str(made["paymentId"])


def test_repost_posts_to_the_his_and_the_decision_stands(world: World) -> None:
    difference, _ = acted(world, "repost")
    with world.sessions() as session:
        item = cases.get(session, difference)
        assert (item.state, item.action, item.decided_by, item.owner) == ("decided", "repost", "cashier", "cashier")
        assert session.get_one(Instance, item.instance_id).state == "completed"
    assert [item.kind for item in world.desk.of("his")] == ["charge"]


def test_refund_gives_the_money_back_once_and_the_next_run_knows_it(world: World) -> None:
    difference, payment_id = acted(world, "refund")
    number = cases.refund_number(difference)
    (far,) = world.desk.of("card")
    assert far.data["refunds"] == {number: 1000}
    with world.sessions() as session:
        assert ledger.get(session, payment_id).state == "refunded"
        today = stored.day_of(datetime.now(BEIJING))
        rows: list[Row] = [("pay", "ORDER-0009", 10, NOON), ("refund", number, 10, NOON)]
        row = compare(session, today, table(), table(*rows, day=today))
        states = {item.key: (item.kind, item.state, item.action) for item in stored.differences(session, row)}
        assert states[number] == ("REFUND_MISSING", "decided", "accept")
        assert states["ORDER-0009"][1:] == ("decided", "refund")


def test_no_job_of_a_decision_is_left_over(world: World) -> None:
    acted(world, "accept")
    with world.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Job).where(Job.state != "done", Job.kind == "call")) == 0


# ── the signature ────────────────────────────────────────────────────────────────────────────────────────────────────────


def signed(session: Session) -> ReconciliationDay:
    paid(session, "A", 10, NOON)
    row = compare(session, D1, table(), table(PAY))
    with pytest.raises(Refused, match="1 differences have no decision"):
        cases.sign(session, row, by="lead")
    cases.decided(session, stored.differences(session, row)[0].id, "accept", "checked", by="cashier")
    return cases.sign(session, row, by="lead", note="fine")


def test_a_day_is_signed_when_all_is_decided_and_says_who_when_and_what(session: Session) -> None:
    row = signed(session)
    assert (row.state, row.signed_by, row.signed_note) == ("signed", "lead", "fine")
    assert row.signed is not None
    assert row.signed["classes"]["PROVIDER_LONG"]["provider"] == 1000
    assert [item["reason"] for item in row.signed["differences"]] == ["checked"]
    with pytest.raises(Conflict, match="lead has signed"):
        cases.sign(session, row, by="other")


def test_a_day_that_waits_for_its_bill_is_not_signed(session: Session) -> None:
    with pytest.raises(Refused, match="no bill"):
        cases.sign(session, stored.wait(session, D1, "card", "not yet", by="worker"), by="lead")


def test_a_signed_day_stays_as_it_is(session: Session) -> None:
    row = signed(session)
    session.commit()
    with pytest.raises(Conflict, match="is signed by lead"):
        compare(session, D1, table(PAY), table(PAY))
    session.rollback()
    assert stored.run(session, D1, "card", by="again").id == row.id
    for statement in (
        "UPDATE reconciliation_day SET signed_by = 'x'", "DELETE FROM reconciliation_day", "UPDATE reconciliation_difference SET his = 1",
        "DELETE FROM reconciliation_difference",
    ):  # fmt: skip
        with pytest.raises(IntegrityError, match="never changed"):
            session.execute(text(statement))
        session.rollback()


def test_a_day_before_a_signed_one_is_not_compared_afresh(session: Session) -> None:
    compare(session, D1, table(), table())
    cases.sign(session, compare(session, D2, table(day=D2), table(day=D2)), by="lead")
    with pytest.raises(Conflict, match="2026-11-21 is signed already"):
        compare(session, D1, table(PAY), table(PAY))


def test_the_database_itself_keeps_the_ledger(session: Session) -> None:
    paid(session, "A", 10, NOON)
    session.commit()
    for statement in ("UPDATE payment_entry SET amount = 1", "DELETE FROM payment_entry"):
        with pytest.raises(IntegrityError, match="append-only"):
            session.execute(text(statement))
        session.rollback()


# ── always ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

TIMES = st.sampled_from([EARLY, NOON, LATE, "23:50:00", "00:00:00"])
ROWS = st.lists(st.tuples(st.sampled_from(["pay", "refund"]), st.sampled_from("ABCD"), st.integers(1, 3), TIMES), max_size=6)
DAYS = st.tuples(ROWS, ROWS, ROWS)


def ours(session: Session, day: str, rows: list[Row]) -> None:
    """Our ledger's side of a day, however strange."""
    for number, (kind, key, yuan, at) in enumerate(rows):
        owner = session.scalar(select(Payment).filter_by(trade_no=key)) or paid_shell(session, key, day)
        reference = f"T{day}{number}" if kind == "pay" else f"{key}-{day}-{number}"
        amount = yuan * 100 if kind == "pay" else -yuan * 100
        session.add(
            PaymentEntry(payment_id=owner.id, kind="paid" if kind == "pay" else "refund", amount=amount, currency="CNY", reference=reference,
                         at=moment(day, at))
        )  # fmt: skip
    session.flush()


def paid_shell(session: Session, number: str, day: str) -> Payment:
    row = Payment(
        order_id=number, trade_no=number, channel="card", connection="card", amount=100, currency="CNY", state="paid", patient_id="P1",
        created=moment(day, NOON),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


@hypothesis(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DAYS, min_size=1, max_size=3), st.permutations([D1, D2, D3]))
def test_stored_totals_always_balance(session: Session, days: list[tuple[list[Row], list[Row], list[Row]]], order: list[str]) -> None:
    """Over any sides, in any order of the days, with the next day's clearing, and again: not one fen is lost or counted twice."""
    given_ = dict(zip((D1, D2, D3), days, strict=False))
    for day, (_, platform, _) in given_.items():
        ours(session, day, platform)
    for day in (day for day in order if day in given_):
        compare(session, day, table(*given_[day][0], day=day), table(*given_[day][2], day=day))
    for day, (his, platform, provider) in given_.items():
        row = stored.find(session, day, "card")
        assert row is not None
        assert stored.balanced(row)
        for side, rows in zip(SIDES, (his, platform, provider), strict=True):
            assert row.sides[side]["net"] == sum((1 if kind == "pay" else -1) * yuan * 100 for kind, _, yuan, _ in rows)
            assert row.sides[side]["lines"] == len(rows)
        assert all((item.state in ("carried", "cleared", "moved")) == (item.kind == "CROSS_DAY") for item in stored.differences(session, row))
    before = picture(session)
    for day in given_:
        stored.run(session, day, "card", by="again")
    assert picture(session) == before
    session.rollback()


def test_a_hundred_thousand_stored_lines_take_less_than_ten_seconds(session: Session, record_property: Any) -> None:
    """Both files are read, compared and kept; our side comes from the ledger's table."""
    count = 100_000 // 3
    at = moment(D1, NOON)
    session.execute(Payment.__table__.insert(), [
        {"id": f"p{n:019}", "order_id": f"O{n}", "trade_no": f"O{n}", "channel": "card", "connection": "card", "amount": n % 90 * 100 + 100,
         "currency": "CNY", "refunded": 0, "state": "paid", "patient_id": "P", "created": at} for n in range(count)
    ])  # fmt: skip
    session.execute(PaymentEntry.__table__.insert(), [
        {"id": f"e{n:019}", "payment_id": f"p{n:019}", "kind": "paid", "amount": n % 90 * 100 + 100, "currency": "CNY", "reference": f"T{n}",
         "source": "", "at": at} for n in range(count)
    ])  # fmt: skip
    rows: list[Row] = [("pay", f"O{n}", n % 90 + 1, NOON) for n in range(count)]
    his, provider = table(*rows), table(*rows[:-7])
    started, cpu = time.perf_counter(), time.process_time()
    row = compare(session, D1, his, provider)
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    record_property("seconds", took)
    print(f"\n{count * 3} lines: {took:.1f} s, {cpu:.1f} s of CPU")
    assert cpu < 10
    assert {kind: found["count"] for kind, found in row.classes.items()} == {"MATCH": count - 7, "PROVIDER_SHORT": 7}


def test_lines_are_what_the_page_says_they_are() -> None:
    assert sources.plain(table(PAY)) == [Line("pay", "A", 1000, moment(D1, NOON))]
    assert moment(D1, NOON) + timedelta(hours=12) == stored.span(D1)[1]
