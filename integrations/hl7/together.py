"""Work that several threads bring at once, done together: one transaction, and one wait for the disk, for all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from engine.errors import CarelaneError

Given = TypeVar("Given")
Made = TypeVar("Made")


class _Ticket(Generic[Given, Made]):
    def __init__(self, given: Given) -> None:
        self.given = given
        self.made: Made | None = None
        self.error: Exception | None = None
        self.done = False


class Together(Generic[Given, Made]):
    """Whoever comes while the others are at it waits; the next in turn does the work of all that wait.

    `work` gets what was brought, in the order in which it came, and gives a result for each. When it fails with one of our errors
    or the database's, each is done alone, so that one does not cost the others theirs.
    """

    _passing = (CarelaneError, SQLAlchemyError)

    def __init__(self, work: Callable[[Sequence[Given]], Sequence[Made]], most: int = 64) -> None:
        self._work, self._most = work, most
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._waiting: list[_Ticket[Given, Made]] = []

    def do(self, given: Given) -> Made:
        """Brings one piece of work and returns its result, or raises its error, once it is done."""
        ticket: _Ticket[Given, Made] = _Ticket(given)
        with self._lock:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._round()
        if ticket.error is not None:
            raise ticket.error
        return ticket.made  # type: ignore[return-value]

    def _round(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            if len(batch) > 1 and self._all(batch):
                return
            for ticket in batch:
                self._alone(ticket)
        finally:
            for ticket in batch:
                if not ticket.done:  # this thread is ended by an error of another kind: nobody may wait for ever
                    ticket.error, ticket.done = ConnectionError("what others brought at the same moment failed"), True

    def _all(self, batch: Sequence[_Ticket[Given, Made]]) -> bool:
        try:
            made = self._work([ticket.given for ticket in batch])
        except self._passing:
            return False
        for ticket, result in zip(batch, made, strict=True):
            ticket.made, ticket.done = result, True
        return True

    def _alone(self, ticket: _Ticket[Given, Made]) -> None:
        try:
            (ticket.made,) = self._work([ticket.given])
        except self._passing as error:
            ticket.error = error
        ticket.done = True
