"""Carries out passes over migrations. The worker runs `forever` in a thread of its own."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from engine.errors import CarelaneError
from integrations.legacy import runs

SECONDS = 2.0
PAUSE = 0.05  # between two chunks, so that the clinic's own work comes through

logger = structlog.get_logger(__name__)


def forever(stop: threading.Event) -> None:
    """Does chunk after chunk of what is under way until `stop` is set."""
    while not stop.wait(SECONDS):
        try:
            for run_id in runs.waiting():
                while runs.chunk(run_id) and not stop.wait(PAUSE):
                    continue
        except (SQLAlchemyError, CarelaneError) as error:
            logger.warning("legacy_failed", error=type(error).__name__)
