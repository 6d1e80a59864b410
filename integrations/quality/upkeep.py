"""What the worker does for data quality and the patient index: it runs `forever` in a thread of its own."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.errors import CarelaneError
from integrations import runtime
from integrations.patients import review
from integrations.quality import scorecard

SECONDS = 10.0
AT_ONCE = 25  # messages or patients in a transaction

logger = structlog.get_logger(__name__)


def forever(stop: threading.Event) -> None:
    """Looks at new messages, renews the scorecard and compares new patients with the others, until `stop` is set."""
    while not stop.wait(SECONDS):
        try:
            while once() and not stop.wait(0.1):
                continue
        except (SQLAlchemyError, CarelaneError) as error:
            logger.warning("quality_failed", error=type(error).__name__)


def once() -> int:
    """One round, in short transactions so that nobody waits for it; returns how much there was to do."""
    done = 0
    for part in (scorecard.tend, review.screen):
        with runtime.transaction() as session:
            done += part(session, runtime.settings(), AT_ONCE)
    return done
