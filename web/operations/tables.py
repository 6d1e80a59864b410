"""Batches that move running instances to another version: what is left to do, and what came of the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class MigrationBatch(Base):
    """One batch. It is carried out piece by piece, each piece committed, so that it can stop and go on."""

    __tablename__ = "migration_batch"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    process_id: Mapped[str] = mapped_column(String(200))
    from_version: Mapped[int]
    target_id: Mapped[str] = mapped_column(ForeignKey("definition.id"))
    to_version: Mapped[int]
    mapping: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # old → new element ids
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(100))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime)
    todo: Mapped[list[str]] = mapped_column(JSON, default=list)  # instance ids
    moved: Mapped[int] = mapped_column(default=0)
    refused: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # instance, number, problems

    @property
    def total(self) -> int:
        """How many instances the batch is about."""
        return len(self.todo) + self.done

    @property
    def done(self) -> int:
        """How many of them have an answer."""
        return self.moved + len(self.refused)
