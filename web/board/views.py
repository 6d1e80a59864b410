"""The board that hangs in the waiting area. Public: it holds ticket numbers and rooms only."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from engine.clock import now
from engine.errors import NotFound
from engine.execution.tables import Task
from web.access import public
from web.accounts.tables import Account, Department
from web.db import db

bp = Blueprint("board", __name__, template_folder="templates")

ROLES = ("triage_nurse", "doctor")
MOST_CALLED, MOST_WAITING = 6, 24


class Called(NamedTuple):
    """A ticket that somebody has called, and where to."""

    ticket: str
    room: str | None


@bp.get("/board/<department>")
@public
def show(department: str) -> ResponseReturnValue:
    """The whole page, in both languages at once: the people who read it have no account."""
    return render_template("board/show.html", **_content(department))


@bp.get("/board/<department>/tickets")
@public
def tickets(department: str) -> ResponseReturnValue:
    """Only what changes."""
    return render_template("board/tickets.html", **_content(department))


def _content(code: str) -> dict[str, object]:
    department = db.session.get(Department, code)
    if department is None or not department.active:
        raise NotFound
    query = select(Task).where(Task.state == "open", Task.department == code, Task.role.in_(ROLES), Task.ticket.is_not(None))
    found = list(db.session.scalars(query.order_by(Task.priority.desc(), Task.acuity.is_(None), Task.acuity, Task.created)))
    rooms = {row.login: row.room for row in db.session.execute(select(Account.login, Account.room))}
    taken = sorted((t for t in found if t.claimed), key=lambda t: t.claimed or now(), reverse=True)
    called = list(dict.fromkeys(Called(str(t.ticket), rooms.get(t.assignee or "")) for t in taken))
    inside = {c.ticket for c in called}
    waiting = [ticket for ticket in dict.fromkeys(str(t.ticket) for t in found if not t.claimed) if ticket not in inside]
    return {
        "department": department,
        "called": called[:MOST_CALLED],
        "waiting": waiting[:MOST_WAITING],
        "more": max(len(waiting) - MOST_WAITING, 0),
        "at": now(),
    }
