"""Rules, what they found, and the scorecard."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class QualityRule(Base):
    """A rule that the clinic added, or changed against the shipped one of the same id."""

    __tablename__ = "quality_rule"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(100))


class QualityInspection(Base):
    """That a message, or a batch of records, was looked at: what the scorecard counts."""

    __tablename__ = "quality_inspection"
    __table_args__ = (UniqueConstraint("message_id"), Index("quality_inspection_day", "day", "source"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(60))
    message_id: Mapped[str | None] = mapped_column(ForeignKey("message_log.id", ondelete="SET NULL"))
    reference: Mapped[str] = mapped_column(String(120), default="")
    day: Mapped[str] = mapped_column(String(10))  # the clinic's day on which it came
    records: Mapped[int]
    failed: Mapped[int]  # records with at least one error
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class QualityFinding(Base):
    """One value that broke a rule. `detail` is masked: a finding shows nobody's data."""

    __tablename__ = "quality_finding"
    __table_args__ = (Index("quality_finding_day", "day", "source"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    inspection_id: Mapped[str] = mapped_column(ForeignKey("quality_inspection.id", ondelete="CASCADE"), index=True)
    rule_id: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(60))
    day: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(12))
    field: Mapped[str] = mapped_column(String(120))
    place: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(String(8))


class QualityValue(Base):
    """A keyed hash of a value that must not come twice, and when it came last."""

    __tablename__ = "quality_value"
    __table_args__ = (UniqueConstraint("source", "rule_id", "digest"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(60))
    rule_id: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class QualityScore(Base):
    """The scorecard's row of one source and day, made by the worker. `counts`: errors and warnings by kind."""

    __tablename__ = "quality_score"
    __table_args__ = (UniqueConstraint("source", "day"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(60))
    day: Mapped[str] = mapped_column(String(10), index=True)
    records: Mapped[int]
    failed: Mapped[int]
    warnings: Mapped[int]
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    made: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def share(self) -> float:
        """The share of records without an error."""
        return 1 - self.failed / self.records if self.records else 1.0
