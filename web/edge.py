"""The edge: the one place where a request's work is committed, tried again, or undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError

from engine import faults
from engine.db import overtaken, write_lock
from engine.errors import Stale
from web.db import db
from web.records.keep import keep_reads

TRIES = 4  # the first and three more, when another step was faster on the same instance
View = TypeVar("View", bound=Callable[..., Any])
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Then:
    """What an `outside` view has left to write once the other system has answered; `write` gives the response."""

    write: Callable[[], ResponseReturnValue]


class EdgeFlask(Flask):
    """Flask whose views run in one transaction each.

    A writing request takes the write lock before it reads, and commits once, after its view returned. A reading request never
    commits what its view did; only the record of whose data was read is written, afterwards (`web.records`).
    """

    def dispatch_request(self) -> ResponseReturnValue:
        """Runs the view; commits what a writing view did, rolls back everything else."""
        if request.method in SAFE or getattr(self.view_functions.get(request.endpoint or ""), "outside", False):
            return self._read_once()
        return self._write(super().dispatch_request)

    def _read_once(self) -> ResponseReturnValue:
        try:
            given: Any = super().dispatch_request()
            response = self.make_response(given) if not isinstance(given, Then) else None
        finally:
            db.session.rollback()
        if response is None:
            return self._write(given.write)
        if response.status_code < 400 and (reads := g.pop("reads", None)):
            keep_reads(db.session(), reads)
            with faults.around("edge.reads"):
                db.session.commit()
        return response

    def _write(self, work: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        for left in reversed(range(TRIES)):
            try:
                return self._write_once(work)
            except Stale:
                if not left:
                    raise
            except DBAPIError as error:
                if not left or not overtaken(error):
                    raise
        raise AssertionError("unreachable")

    def _write_once(self, work: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        try:
            write_lock(db.session())
            response = self.make_response(work())
            if response.status_code < 400 or g.get("commit_anyway"):
                with faults.around("edge.write"):
                    db.session.commit()
            return response
        finally:
            db.session.rollback()


def outside(view: View) -> View:
    """Marks a view that asks another system, and must not hold the write lock meanwhile; what it then writes it returns as `Then`."""
    view.outside = True  # type: ignore[attr-defined]
    return view


def commit_anyway() -> None:
    """Commits this request although it answers with an error (a failed sign-in must be counted)."""
    g.commit_anyway = True
