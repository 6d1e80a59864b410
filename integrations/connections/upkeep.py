"""What a connection needs now and then: deletes payloads after its retention, looks at certificates, tells engineers of alarms.

The worker runs `forever` in a thread of its own.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from engine import clock
from engine.errors import CarelaneError
from integrations import runtime
from integrations.connections import book, certificates, history
from integrations.messages import again, figures
from integrations.messages.tables import MessageLog, WorkItem
from integrations.notices import board

SECONDS = 2.0
ALARMS_EVERY, PURGE_EVERY, CERTIFICATES_EVERY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BATCH = 500

logger = structlog.get_logger(__name__)


def forever(stop: threading.Event) -> None:
    """Sends replays that wait, raises alarms, deletes what is too old and looks at certificates, until `stop` is set."""
    told = purged = clock.now() - PURGE_EVERY
    looked = clock.now() - CERTIFICATES_EVERY
    while not stop.wait(SECONDS):
        now = clock.now()
        try:
            again.send_queued()
            if now - told >= ALARMS_EVERY:
                told = now
                settle()
                tell()
            if now - purged >= PURGE_EVERY:
                purged = now
                purge_all()
            if now - looked >= CERTIFICATES_EVERY:
                looked = now
                certificates.look()
        except (SQLAlchemyError, CarelaneError) as error:
            logger.warning("upkeep_failed", error=type(error).__name__)


def settle() -> int:
    """Settles sendings that a crash cut short, as of unknown outcome: a person looks at them among the dead letters."""
    with runtime.transaction() as session:
        return again.settle(session)


def tell() -> None:
    """Puts each alarm on the integration engineers' strip: once an hour while it lasts."""
    with runtime.transaction() as session:
        for alarm in figures.alarms(session):
            key = f"c:{alarm.kind}:{alarm.connection[:30]}:{clock.now():%m%d%H}"
            board.raise_alert(session, words(alarm), key=key, level="warning", role="integration_engineer")


def words(alarm: figures.Alarm) -> str:
    """An alarm in both languages: the strip shows one text to everybody."""
    name, minutes = alarm.connection, alarm.minutes
    return {
        "failing": f"{name}：已持续失败 {minutes} 分钟 / still failing after {minutes} minutes",
        "queue": f"{name}：最早的消息已等待 {minutes} 分钟 / its oldest message has waited for {minutes} minutes",
        "circuit": f"{name}：连续失败，已暂停发送 / failed five times in a row, sending rests",
        "certificate": f"{name}：证书于 {alarm.since:%Y-%m-%d} 到期 / its certificate ends on {alarm.since:%Y-%m-%d}",
    }[alarm.kind]


def purge_all() -> int:
    """Deletes payloads by each connection's retention; returns of how many messages."""
    with runtime.reading() as session:
        names = [row.name for row in book.listed(session) if row.keep_days]
    count = 0
    for name in names:
        while True:
            with runtime.transaction() as session:
                done = purge(session, name)
            count += done
            if done < BATCH:
                break
    return count


def purge(session: Session, name: str, *, by: str = "system") -> int:
    """Deletes the payloads of at most 500 messages older than the connection's retention; what it was, when and how it ended stays.

    What is still under way, or on the work list, is kept until somebody has decided it.
    """
    row = book.get(session, name)
    if not row.keep_days:
        return 0
    limit = clock.now() - timedelta(days=row.keep_days)
    open_items = select(WorkItem.message_id).where(WorkItem.state == "open")
    old = select(MessageLog.id).where(
        MessageLog.connection == name, MessageLog.at < limit, MessageLog.purged.is_(None), MessageLog.id.not_in(open_items),
        MessageLog.state.not_in(("stored", "queued", "sending", "failed")),
        or_(*(column.is_not(None) for column in (MessageLog.raw, MessageLog.mapped, MessageLog.sent, MessageLog.answer))),
    )  # fmt: skip
    ids = list(session.scalars(old.order_by(MessageLog.at).limit(BATCH)))
    if ids:
        gone = {"raw": None, "mapped": None, "sent": None, "answer": None, "purged": clock.now()}
        session.execute(update(MessageLog).where(MessageLog.id.in_(ids)).values(**gone))
        history.note(session, name, "purged", {"messages": [len(ids), 0], "older than": [limit.isoformat(), ""]}, by=by)
    return len(ids)
