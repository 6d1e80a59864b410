"""What runs. The instance's state is the truth; the rows beside it are what the outside may see, claim and fire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class Instance(Base):
    """One running or ended process instance, called processes inside included.

    `rev` grows by one with every step; a step that finds another rev than it loaded changes nothing (`Stale`).
    `subject`, `ticket`, `acuity` and `department` follow the root variables patientId, ticket, acuity and department.
    """

    __tablename__ = "instance"
    __table_args__ = (
        Index("instance_by_process", "process_id", "state", "started"),
        Index("instance_by_key", "business_key"),
        Index("instance_by_subject", "subject"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    definition_id: Mapped[str] = mapped_column(ForeignKey("definition.id"), index=True)
    process_id: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="running")  # running, suspended, incident, completed, cancelled
    rev: Mapped[int] = mapped_column(default=0)
    business_key: Mapped[str | None] = mapped_column(String(100))
    subject: Mapped[str | None] = mapped_column(String(40))
    ticket: Mapped[str | None] = mapped_column(String(20))
    acuity: Mapped[int | None]
    department: Mapped[str | None] = mapped_column(String(50), index=True)
    arm: Mapped[str | None] = mapped_column(String(20))  # as-is, to-be; None outside a programme
    started: Mapped[datetime] = mapped_column(UtcDateTime)
    started_by: Mapped[str] = mapped_column(String(100), default="")
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_element: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[Any] = mapped_column(Encrypted("instance.body"))  # tokens, scopes, variables


class Task(Base):
    """A user task in somebody's inbox."""

    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("instance_id", "token"),
        Index("task_inbox", "state", "role", "priority", "due"),
        Index("task_by_assignee", "state", "assignee"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    instance_id: Mapped[str] = mapped_column(ForeignKey("instance.id"), index=True)
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
    assignee: Mapped[str | None] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(10), default="open")  # open, completed, cancelled
    priority: Mapped[int] = mapped_column(default=50)  # 0 to 100, 100 first
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    follow_up: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(100))
    draft: Mapped[Any | None] = mapped_column(Encrypted("task.draft"))  # values saved before completion
    department: Mapped[str | None] = mapped_column(String(50))
    subject: Mapped[str | None] = mapped_column(String(40), index=True)
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
    __table_args__ = (Index("event_by_instance", "instance_id", "id"), Index("event_by_time", "at"), Index("event_by_tag", "tag", "kind", "at"))

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
