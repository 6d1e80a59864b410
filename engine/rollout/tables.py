"""What a change programme is made of. Decisions and routes are only ever added: what was decided stays readable."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.db import Base, UtcDateTime, new_id


class Programme(Base):
    """The move of some departments from one version of a process to another."""

    __tablename__ = "programme"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(300))
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # by language
    goal: Mapped[str] = mapped_column(Text, default="")
    goals: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # the goal, by language
    process_id: Mapped[str] = mapped_column(String(200))
    from_tag: Mapped[str] = mapped_column(String(100), default="as-is")
    to_tag: Mapped[str] = mapped_column(String(100), default="to-be")
    owner: Mapped[str] = mapped_column(String(100))  # login
    measured_from: Mapped[date] = mapped_column(Date)  # visits from this clinic day on are evidence
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    phases: Mapped[list[Phase]] = relationship(order_by="Phase.position", lazy="selectin", cascade="all, delete-orphan")
    milestones: Mapped[list[Milestone]] = relationship(order_by="Milestone.due", lazy="selectin", cascade="all, delete-orphan")


class Phase(Base):
    """A stretch of a programme. Its progress is the share of its actions that are done."""

    __tablename__ = "phase"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    programme_id: Mapped[str] = mapped_column(ForeignKey("programme.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    name: Mapped[str] = mapped_column(String(300))
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    department: Mapped[str | None] = mapped_column(String(50))  # None: the whole programme
    starts: Mapped[date] = mapped_column(Date)
    ends: Mapped[date] = mapped_column(Date)  # the last day that still belongs to it
    actions: Mapped[list[Action]] = relationship(order_by="Action.due", lazy="selectin", cascade="all, delete-orphan")

    @property
    def progress(self) -> float:
        """The share of actions done; nought without actions."""
        return sum(a.done is not None for a in self.actions) / len(self.actions) if self.actions else 0.0


class Action(Base):
    """Something that somebody has to do in a phase."""

    __tablename__ = "action"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    phase_id: Mapped[str] = mapped_column(ForeignKey("phase.id"), index=True)
    name: Mapped[str] = mapped_column(String(300))
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    owner: Mapped[str] = mapped_column(String(100))
    due: Mapped[date] = mapped_column(Date)
    done: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_by: Mapped[str | None] = mapped_column(String(100))


class Milestone(Base):
    """A date by which something must be shown. Its state is computed; only decisions about it are stored."""

    __tablename__ = "milestone"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    programme_id: Mapped[str] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str] = mapped_column(String(300))
    names: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    due: Mapped[date] = mapped_column(Date)
    owner: Mapped[str] = mapped_column(String(100))
    criteria: Mapped[list[Criterion]] = relationship(order_by="Criterion.position", lazy="selectin", cascade="all, delete-orphan")
    decisions: Mapped[list[Decision]] = relationship(order_by="Decision.at, Decision.id", lazy="selectin", cascade="all, delete-orphan")


class Criterion(Base):
    """An acceptance criterion: a KPI of some visits, held against a threshold.

    `basis` value: the figure itself (minutes, count, share). `basis` change: its change against the other arm, as a
    proportion (-0.2 is a fifth less). `rule` median: the figure alone decides. `rule` interval: the whole 95 % interval must
    lie beyond the threshold. Below `min_n` visits or `min_days` clinic days there is no verdict.
    """

    __tablename__ = "criterion"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    milestone_id: Mapped[str] = mapped_column(ForeignKey("milestone.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    kpi: Mapped[str] = mapped_column(String(100))
    arm: Mapped[str] = mapped_column(String(20), default="to-be")
    department: Mapped[str | None] = mapped_column(String(50))
    operator: Mapped[str] = mapped_column(String(2), default="<=")  # <= or >=
    threshold: Mapped[float]
    basis: Mapped[str] = mapped_column(String(10), default="value")  # value, change
    rule: Mapped[str] = mapped_column(String(10), default="median")  # median, interval
    min_n: Mapped[int] = mapped_column(default=30)
    min_days: Mapped[int] = mapped_column(default=5)


class Decision(Base):
    """What a person decided about a milestone, with what was computed at that moment. Never changed, never removed."""

    __tablename__ = "milestone_decision"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    milestone_id: Mapped[str] = mapped_column(ForeignKey("milestone.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(10))  # reached; green, amber, red (override); computed (override withdrawn)
    computed: Mapped[str] = mapped_column(String(10))  # what the figures said at that moment
    why: Mapped[str] = mapped_column(Text)
    figures: Mapped[Any] = mapped_column(JSON, default=list)


class RouteRule(Base):
    """From `since` on, new visits of a department take this version. The latest rule whose time has come holds."""

    __tablename__ = "route_rule"
    __table_args__ = (Index("route_rule_by_process", "process_id", "department", "since"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    programme_id: Mapped[str | None] = mapped_column(ForeignKey("programme.id"))
    process_id: Mapped[str] = mapped_column(String(200))
    department: Mapped[str | None] = mapped_column(String(50))  # None: every department without a rule of its own
    version_tag: Mapped[str] = mapped_column(String(100))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(100))
    why: Mapped[str] = mapped_column(Text)
