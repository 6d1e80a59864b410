"""What runs. The instance's state is the truth; the rows beside it are what the outside may see, claim and fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


def _where(name: str, *columns: str, having: str) -> Index:
    """An index of the rows that are still looked for: what is over costs it nothing."""
    return Index(name, *columns, sqlite_where=text(having), postgresql_where=text(having))


class Instance(Base):
    """One running or ended process instance, called processes inside included.

    `rev` grows by one with every step; a step that finds another rev than it loaded changes nothing (`Stale`).
    `subject`, `ticket`, `acuity` and `department` follow the root variables patientId, ticket, acuity and department.
    """

    __tablename__ = "instance"
    __table_args__ = (
        Index("instance_by_process", "process_id", "state", "started"),
        _where("instance_with_key", "business_key", having="business_key IS NOT NULL"),
        _where("instance_of_subject", "subject", having="subject IS NOT NULL"),
        _where("instance_in_department", "department", having="department IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    definition_id: Mapped[str] = mapped_column(ForeignKey("definition.id"))
    process_id: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="running")  # running, suspended, incident, completed, cancelled
    rev: Mapped[int] = mapped_column(default=0)
    business_key: Mapped[str | None] = mapped_column(String(100))
    subject: Mapped[str | None] = mapped_column(String(40))
    ticket: Mapped[str | None] = mapped_column(String(20))
    acuity: Mapped[int | None]
    department: Mapped[str | None] = mapped_column(String(50))
    arm: Mapped[str | None] = mapped_column(String(20))  # as-is, to-be; None outside a programme
    started: Mapped[datetime] = mapped_column(UtcDateTime)
    started_by: Mapped[str] = mapped_column(String(100), default="")
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_element: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[Any] = mapped_column(Encrypted("instance.body"))  # tokens, scopes, variables


def urgency(acuity: int | None, priority: int = 0, due: datetime | None = None) -> str:
    """What open tasks are sorted by: acuity (1 first, none last), then priority (100 first), then due time (none last)."""
    level = 9 if acuity is None else min(max(acuity, 0), 9)
    return f"{level}{100 - priority:03d}{due.astimezone(UTC):%Y%m%d%H%M%S}" if due else f"{level}{100 - priority:03d}9"


def offer(roles: Sequence[str], users: Sequence[str]) -> str:
    """The group that a task is offered to alone, else `*`: most inboxes are one walk along an index of this."""
    return roles[0] if len(roles) == 1 and not users else "*"


class Task(Base):
    """A user task in somebody's inbox."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("instance_id", "token"),
        _where("task_offered", "offer", "urgency", "id", "department", having="state = 'open'"),
        _where("task_of_assignee", "assignee", "urgency", "id", having="state = 'open' AND assignee IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    token: Mapped[str] = mapped_column(String(40))
    process_id: Mapped[str] = mapped_column(String(200))
    definition_id: Mapped[str] = mapped_column(String(20))
    element_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(300))
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # by language
    form_id: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(100), default="")  # first candidate group
    roles: Mapped[list[str]] = mapped_column(JSON, default=list)  # all candidate groups
    users: Mapped[list[str]] = mapped_column(JSON, default=list)  # candidate users
    offer: Mapped[str] = mapped_column(String(100), default="*", server_default="*")  # the one group it is for; * when otherwise
    assignee: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(10), default="open")  # open, completed, cancelled
    priority: Mapped[int] = mapped_column(default=50)  # 0 to 100, 100 first
    urgency: Mapped[str] = mapped_column(String(20), default="", server_default="")  # what open tasks are sorted by, see `urgency`
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    follow_up: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(100))
    draft: Mapped[Any | None] = mapped_column(Encrypted("task.draft"))  # values saved before completion
    department: Mapped[str | None] = mapped_column(String(50))
    subject: Mapped[str | None] = mapped_column(String(40))
    ticket: Mapped[str | None] = mapped_column(String(20))
    acuity: Mapped[int | None]


class Job(Base):
    """Something to be done later or elsewhere: a connector call, a timer. Claimed with a lease, completed fenced."""

    __tablename__ = "job"
    __table_args__ = (Index("job_due", "state", "due"), Index("job_by_instance", "instance_id", "token"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(10))  # call, timer
    state: Mapped[str] = mapped_column(String(10), default="ready")  # ready, running, done, failed, cancelled
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"))
    token: Mapped[str] = mapped_column(String(40))
    element_id: Mapped[str] = mapped_column(String(200))
    process_id: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(200), default="")  # connector type of a call
    key: Mapped[str] = mapped_column(String(60), unique=True)  # idempotency key: instance, token, round
    input: Mapped[Any | None] = mapped_column(Encrypted("job.input"))
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    priority: Mapped[int] = mapped_column(default=50)
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    owner: Mapped[str | None] = mapped_column(String(60))
    lease: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    attempts_left: Mapped[int] = mapped_column(default=5)
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Subscription(Base):
    """A token that waits for a message or a signal, or a start event that does."""

    __tablename__ = "subscription"
    __table_args__ = (Index("subscription_match", "kind", "name", "key"), Index("subscription_by_token", "instance_id", "token"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(10))  # message, signal
    name: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(200), default="")
    instance_id: Mapped[str | None] = mapped_column(ForeignKey("instance.id"))  # None: a start event
    token: Mapped[str | None] = mapped_column(String(40))
    definition_id: Mapped[str | None] = mapped_column(String(20))
    element_id: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class Message(Base):
    """A message that came in: kept until its receiver waits for it or its time is up; recognised when it comes twice."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("name", "message_id"), Index("message_waiting", "state", "name", "key"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(200), default="")
    message_id: Mapped[str] = mapped_column(String(200))
    payload: Mapped[Any] = mapped_column(Encrypted("message.payload"))
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, correlated, expired
    instance_id: Mapped[str | None] = mapped_column(String(20))
    received: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime] = mapped_column(UtcDateTime)


class Incident(Base):
    """Something that a person must look at: what, where, why, and what may be done."""

    __tablename__ = "incident"
    __table_args__ = (Index("incident_open", "state", "created"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), index=True)
    token: Mapped[str] = mapped_column(String(40))
    job_id: Mapped[str | None] = mapped_column(String(20))
    process_id: Mapped[str] = mapped_column(String(200))
    element_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(30))  # expression, job, unknown_outcome, no_flow, uncaught_error …
    message: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), default="open")  # open, resolved
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_by: Mapped[str | None] = mapped_column(String(100))
    resolution: Mapped[str | None] = mapped_column(Text)


class Event(Base):
    """The append-only record: one row for each thing that happened. Figures and event logs are read from it.

    kind: started, ended, entered, claimed, unclaimed, completed, cancelled, failed, message, incident, resolved,
    variables, suspended, resumed, migrated, moved.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("event_by_instance", "instance_id", "id"),
        Index("event_by_time", "at"),
        _where("event_with_tag", "tag", "kind", "at", having="tag IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    instance_id: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(12))
    process_id: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    element_id: Mapped[str | None] = mapped_column(String(200))
    element_type: Mapped[str | None] = mapped_column(String(40))
    token: Mapped[str | None] = mapped_column(String(40))
    scope: Mapped[str | None] = mapped_column(String(40))
    via: Mapped[str | None] = mapped_column(String(200))  # the sequence flow that led here
    role: Mapped[str | None] = mapped_column(String(100))
    actor: Mapped[str | None] = mapped_column(String(100))
    tag: Mapped[str | None] = mapped_column(String(40))  # carelane:tag of the element
    department: Mapped[str | None] = mapped_column(String(50))
    arm: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[Any | None] = mapped_column(Encrypted("event.detail"))  # values, reasons
