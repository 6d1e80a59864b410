"""What the worker does for money by itself: the daily comparison, questions about open outcomes, late money back.

Every part may run twice, or in two workers at once: days are compared once over the same sides, refunds have stable numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from threading import Event

from sqlalchemy import exists, select
from sqlalchemy.exc import OperationalError

from engine import clock
from engine.errors import CarelaneError
from engine.execution import connectors
from engine.execution.connectors import Call
from integrations import runtime
from integrations.connections import book
from integrations.connections.book import Link
from integrations.messages.tables import MessageLog
from integrations.payments import cases, ledger, providers, sources, stored
from integrations.payments.bills import BEIJING
from integrations.payments.tables import Payment, PaymentEntry, ReconciliationDay

log = logging.getLogger("carelane.money")
KINDS = ("wechat", "alipay", "intents", "gateway")
EVERY_SECONDS = 60
AGAIN = timedelta(minutes=10)  # between two tries to get a bill
CATCH_UP = 7  # days that are compared after the fact, when nobody ran for a while
ASK_AFTER, ASK_UNTIL = timedelta(minutes=3), timedelta(days=2)
GRACE = timedelta(minutes=10)  # a process that still watches gives late money back itself
MOST = 50


def forever(stop: Event) -> None:
    """Works until `stop` is set."""
    while not stop.wait(EVERY_SECONDS):
        once()


def once() -> None:
    """One round; what fails is said in the log and does not keep the rest from being done."""
    for part in (daily, ask_open, ask_refunds, give_back_late, open_cases):
        try:
            part()
        except CarelaneError as error:
            log.warning("%s: %s", part.__name__, error.message)
        except OperationalError as error:
            log.warning("%s: the database did not answer: %s", part.__name__, type(error).__name__)


# ── the daily comparison ─────────────────────────────────────────────────────────────────────────────────────────────────


def daily() -> None:
    """Compares the days whose hour has come: `reconcile_at` (HH:MM, Beijing) of a payment connection says when."""
    now = clock.now().astimezone(BEIJING)
    for link in _links():
        hour = str(link.address.get("reconcile_at", ""))
        if hour and now.strftime("%H:%M") >= hour:
            for day in _due(link.name, now):
                compare(link.name, day, by="worker")


def compare(connection: str, day: str, *, by: str) -> str:
    """Fetches the bill of a day, unless a file is kept, and compares. Gives the day's id; a day without a bill waits."""
    with runtime.transaction() as session:
        row = stored.opened(session, day, connection, by=by)
        id_, kept = row.id, sources.has_bill(session, row)
    problem, content = "", b""
    if not kept:
        try:
            content = sources.fetched(book.link(connection), day)
        except CarelaneError as error:
            problem = error.message
    with runtime.transaction() as session:
        if problem:
            stored.wait(session, day, connection, problem, by=by)
            return id_
        if content:
            sources.keep(session, stored.get(session, id_), "provider", content, by=by)
        stored.run(session, day, connection, by=by)
        cases.begin_open(session, actor=by)
    return id_


def _due(connection: str, now: datetime) -> Iterable[str]:
    """Days up to yesterday that are not compared yet, after the newest that is; for a new connection yesterday only."""
    yesterday = (now - timedelta(days=1)).date()
    with runtime.reading() as session:
        query = select(ReconciliationDay).filter_by(connection=connection).order_by(ReconciliationDay.day.desc()).limit(CATCH_UP + 1)
        known = {row.day: row for row in session.scalars(query)}
    done = [date.fromisoformat(day) for day, row in known.items() if row.state != "waiting"]
    first = max(max(done) + timedelta(days=1) if done else yesterday, yesterday - timedelta(days=CATCH_UP - 1))
    for offset in range((yesterday - first).days + 1):
        day = (first + timedelta(days=offset)).isoformat()
        if day not in known or known[day].ran < clock.now() - AGAIN:
            yield day


def open_cases() -> None:
    """Starts the processes of differences that have none yet, in portions."""
    with runtime.transaction() as session:
        cases.begin_open(session, actor="worker")


# ── open outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def ask_open() -> None:
    """Asks the provider about payments whose notification has not come."""
    now = clock.now()
    links = {link.name: link for link in _links()}
    with runtime.reading() as session:
        query = select(Payment).where(
            Payment.state == ledger.PENDING, Payment.created < now - ASK_AFTER, Payment.created > now - ASK_UNTIL, Payment.connection.in_(links)
        )
        waiting = [(row.id, row.trade_no, row.connection) for row in session.scalars(query.order_by(Payment.created.desc()).limit(MOST))]
    for id_, number, connection in waiting:
        _quietly(number, lambda id_=id_, number=number, link=links[connection]: _ask(link, id_, number))  # type: ignore[misc]


def _ask(link: Link, payment_id: str, number: str) -> None:
    found = providers.provider(link).query(number)
    if found.state == "pending":
        return
    with runtime.transaction() as session:
        payment = ledger.get(session, payment_id)
        if found.state == "paid" and found.amount != payment.amount:
            ledger.note(session, payment, "refused", f"query-{found.transaction_id}", source="query", detail={"amount": found.amount})
            return
        ledger.settle(session, payment, found.state, transaction_id=found.transaction_id, amount=found.amount, source="query")


def ask_refunds() -> None:
    """Asks the provider about refunds that were asked for and neither made nor refused."""
    now = clock.now()
    links = {link.name: link for link in _links()}
    with runtime.reading() as session:
        query = (
            select(Payment)
            .join(PaymentEntry, PaymentEntry.payment_id == Payment.id)
            .where(PaymentEntry.kind == "ask_refund", PaymentEntry.at < now - ASK_AFTER, PaymentEntry.at > now - timedelta(days=CATCH_UP))
            .where(Payment.connection.in_(links))
            .distinct()
        )
        open_ = [
            (row.id, row.trade_no, row.connection, number, amount)
            for row in session.scalars(query)
            for number, amount in ledger.asked(session, row).items()
        ]
    for id_, trade, connection, number, amount in open_[:MOST]:
        _quietly(number, lambda a=(links[connection], id_, trade, number, amount): _ask_refund(*a))  # type: ignore[misc]


def _ask_refund(link: Link, payment_id: str, trade_no: str, number: str, amount: int) -> None:
    state = providers.provider(link).refund_state(trade_no, number)
    with runtime.transaction() as session:
        payment = ledger.get(session, payment_id)
        if state == "refunded":
            ledger.refund(session, payment, number, amount, source="query")
        elif state == "failed":
            ledger.note(session, payment, "no_refund", number, source="query", detail={"why": "the provider says failed"})


def give_back_late() -> None:
    """Refunds money that came for an order after it was closed or had failed, when no process did and the HIS has no posting of it."""
    over = exists().where(PaymentEntry.payment_id == Payment.id, PaymentEntry.kind.in_((ledger.CLOSED, ledger.FAILED))).correlate(Payment)
    posted = exists().where(MessageLog.reference == Payment.id, MessageLog.kind == "DFT^P03", MessageLog.state == "answered")
    with runtime.reading() as session:
        query = select(Payment).where(
            Payment.state == ledger.PAID, Payment.refunded == 0, Payment.settled < clock.now() - GRACE, Payment.connection != "", over, ~posted
        )
        late = [(row.id, row.trade_no, row.amount) for row in session.scalars(query.limit(MOST)) if not ledger.asked(session, row)]
    for id_, number, amount in late:
        given = {"paymentId": id_, "refundId": f"LATE-{number}"[:32], "amount": amount, "reason": "paid after closing 关闭后到账"}
        call = Call(type="payment.refund", input=given, headers={}, key=f"late-{id_}", instance_id="", element_id="", subject="")
        _quietly(number, lambda call=call: connectors.get("payment.refund").call(call))  # type: ignore[misc]


def _quietly(number: str, act: Callable[[], object]) -> None:
    """One payment's trouble is not the next one's."""
    try:
        act()
    except CarelaneError as error:
        log.info("payment %s: %s", number, error.message)


def _links() -> list[Link]:
    with runtime.reading() as session:
        return [book.copy(row) for row in book.listed(session) if row.kind in KINDS and row.state == "started"]
