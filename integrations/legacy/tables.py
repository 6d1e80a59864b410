"""Migrations from old systems: what was to be moved, row by row, what became of it, and who checked and signed it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class LegacyMigration(Base):
    """A department's cases of one old system. `origin` says where the rows came from, `profile` what they look like."""

    __tablename__ = "legacy_migration"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    source: Mapped[str] = mapped_column(String(40))  # the old system: by this name its numbers are known
    department: Mapped[str] = mapped_column(String(50))
    process_id: Mapped[str] = mapped_column(String(200))
    definition_id: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    arm: Mapped[str] = mapped_column(String(20), default="as-is")
    mapping_key: Mapped[str] = mapped_column(String(60))
    mapping_version: Mapped[int]
    origin: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    profile: Mapped[Any | None] = mapped_column(Encrypted("legacy_migration.profile"))
    rows: Mapped[int] = mapped_column(default=0)
    checked: Mapped[bool] = mapped_column(default=False)  # every row has a verdict by the present mapping version
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(String(100))


class LegacyRow(Base):
    """One row of the source. States: staged, valid, rejected, moved, skipped (it was here already), refused (by the batch), returned."""

    __tablename__ = "legacy_row"
    __table_args__ = (UniqueConstraint("migration_id", "number"), Index("legacy_row_state", "migration_id", "state"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    migration_id: Mapped[str] = mapped_column(ForeignKey("legacy_migration.id"))
    number: Mapped[int]
    line: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default="staged")
    stratum: Mapped[str] = mapped_column(String(20), default="")  # open, completed, cancelled
    case_key: Mapped[str] = mapped_column(String(120), default="")
    raw: Mapped[Any] = mapped_column(Encrypted("legacy_row.raw"))
    record: Mapped[Any | None] = mapped_column(Encrypted("legacy_row.record"))
    reasons: Mapped[Any | None] = mapped_column(Encrypted("legacy_row.reasons"))  # [{rule, text, severity}]
    batch_id: Mapped[str | None] = mapped_column(String(20), index=True)
    instance_id: Mapped[str | None] = mapped_column(String(20))
    patient_id: Mapped[str | None] = mapped_column(String(20), index=True)
    made: Mapped[Any | None] = mapped_column(Encrypted("legacy_row.made"))  # what to take back: patient new, or its fields before


class LegacyCase(Base):
    """A case of an old system that is here: by this the same case is known in any later file."""

    __tablename__ = "legacy_case"
    __table_args__ = (UniqueConstraint("source", "case_key"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(40))
    case_key: Mapped[str] = mapped_column(String(120))
    digest: Mapped[str] = mapped_column(String(64))
    row_id: Mapped[str] = mapped_column(ForeignKey("legacy_row.id"))
    instance_id: Mapped[str] = mapped_column(String(20))


class LegacyRun(Base):
    """A pass over the rows: check, dry (run), move (a batch), back (of a batch). `cursor` is the checkpoint: rows up to it are done."""

    __tablename__ = "legacy_run"
    __table_args__ = (Index("legacy_run_open", "state", "at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    migration_id: Mapped[str] = mapped_column(ForeignKey("legacy_migration.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10), default="running")  # running, done
    target_id: Mapped[str | None] = mapped_column(String(20))  # back: the batch
    cursor: Mapped[int] = mapped_column(default=0)
    most: Mapped[int | None]  # a batch of so many rows; None: all
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    samples: Mapped[Any | None] = mapped_column(Encrypted("legacy_run.samples"))
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner: Mapped[str | None] = mapped_column(String(20))  # the process that is at it, and when it last was
    seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seed: Mapped[int | None]  # of the acceptance sample
    signed: Mapped[datetime | None] = mapped_column(UtcDateTime)
    signed_by: Mapped[str | None] = mapped_column(String(100))
    accepted: Mapped[bool | None]
    note: Mapped[str | None] = mapped_column(Text)


class LegacySample(Base):
    """A row of a batch's acceptance sample, and what the person who checked it says."""

    __tablename__ = "legacy_sample"
    __table_args__ = (UniqueConstraint("run_id", "row_id"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(ForeignKey("legacy_run.id"))
    row_id: Mapped[str] = mapped_column(ForeignKey("legacy_row.id"))
    stratum: Mapped[str] = mapped_column(String(20))
    good: Mapped[bool | None]
    note: Mapped[str | None] = mapped_column(Encrypted("legacy_sample.note"))
    by: Mapped[str | None] = mapped_column(String(100))
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)
