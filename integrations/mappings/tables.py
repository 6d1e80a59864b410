"""Mappings and code tables: a head with its draft, and published versions that never change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class MappingHead(Base):
    """A field mapping or a code table. `latest` is the number of its newest published version, 0 before the first.

    Body of a mapping: {format, expression}; of a code table: {rows: [{code, value, note}], otherwise}.
    """

    __tablename__ = "mapping"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))  # fields, codes
    name_en: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    draft: Mapped[dict[str, Any]] = mapped_column(JSON)
    latest: Mapped[int] = mapped_column(default=0)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(100))


class MappingVersion(Base):
    """One published version. `pinned` names the version of each code table that its expression uses."""

    __tablename__ = "mapping_version"
    __table_args__ = (UniqueConstraint("mapping_key", "number"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    mapping_key: Mapped[str] = mapped_column(ForeignKey("mapping.key"))
    number: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    pinned: Mapped[dict[str, int]] = mapped_column(JSON)
    comment: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    restored: Mapped[int | None]  # the older version whose content this one brings back
