"""The inbox's rows: whose turn it is, in the order of urgency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.clock import now
from engine.execution import tasks
from engine.execution.tables import Task
from web import patients
from web.access import may, scope_of
from web.accounts.user import User
from web.db import db

MOST = 200  # rows on one page; a longer queue says so


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person chose to see."""

    role: str = ""
    mine: bool = False
    department: str = ""
    text: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], user: User) -> Choice:
        """From a query string; a role that the person does not hold counts as none."""
        role = given.get("role", "")
        return cls(
            role=role if role in user.role_names else "",
            mine=given.get("mine") == "1",
            department=given.get("department", ""),
            text=given.get("text", "").strip(),
        )

    def query(self) -> dict[str, str]:
        """As a query string's parts, without what is not chosen."""
        parts = {"role": self.role, "mine": "1" if self.mine else "", "department": self.department, "text": self.text}
        return {key: value for key, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the inbox."""

    task: Task
    patient: str
    waited: float  # seconds
    left: float | None  # seconds until due, negative when late
    mine: bool

    @property
    def late(self) -> bool:
        """Whether it should have been done by now."""
        return self.left is not None and self.left < 0


def rows(user: User, choice: Choice) -> list[Row]:
    """The open tasks that this person may do, most urgent first."""
    found = _tasks(user, choice)
    if choice.text:
        subjects = patients.named(choice.text) if may("patient.identity") else []
        # Part of a name is looked for among the most urgent only: names are encrypted, so that the database cannot search them.
        near = [row.task for row in _as_rows(found.values(), user) if _matches(row, choice.text)]
        found = {task.id: task for task in near} | _tasks(user, choice, text=choice.text, subjects=subjects)
    return sorted(_as_rows(found.values(), user), key=_urgency)[:MOST]


def _tasks(user: User, choice: Choice, **search: Any) -> dict[str, Task]:
    found: dict[str, Task] = {}
    for role in sorted([choice.role] if choice.role else user.role_names):
        asked = {"departments": _where(user, role, choice), "mine": choice.mine, "limit": MOST, **search}
        found |= {task.id: task for task in tasks.inbox(db.session(), user=user.login, roles=[role], **asked)}
    return found


def visible(user: User, task: Task) -> bool:
    """Whether a task is one of theirs: by role and department, by name, or because they hold it."""
    if task.assignee == user.login or user.login in task.users:
        return True
    offered = set(task.roles or [task.role]) - {""}
    held = user.role_names.intersection(offered) if offered or task.users else user.role_names
    if not held:
        return False
    departments = user.departments(held)
    return departments is None or task.department is None or task.department in departments


def _where(user: User, role: str, choice: Choice) -> list[str] | None:
    own = user.departments([role]) if scope_of(user, "inbox.view") is not None else None
    if choice.department:
        return [choice.department] if own is None or choice.department in own else []
    return None if own is None else sorted(own)


def _as_rows(found: Iterable[Task], user: User) -> list[Row]:
    found = list(found)
    known = patients.names(task.subject for task in found)
    instant = now()
    return [
        Row(
            task=task,
            patient=known.get(task.subject or "", ""),
            waited=(instant - task.created).total_seconds(),
            left=(task.due - instant).total_seconds() if task.due else None,
            mine=task.assignee == user.login,
        )
        for task in found
    ]


def _matches(row: Row, text: str) -> bool:
    text = text.casefold()
    return text in row.patient.casefold() or text in (row.task.ticket or "").casefold()


def _urgency(row: Row) -> tuple[str, str]:
    return row.task.urgency, row.task.id
