"""The clinic's own entries of the dictionary, and what each was before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class DictionaryField(Base):
    """A field that the clinic added or changed. Fields that nobody changed are in shipped.csv and have no row."""

    __tablename__ = "dictionary_field"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    revision: Mapped[int] = mapped_column(default=1)


class DictionaryRevision(Base):
    """What a field was made at one time, by whom and why. Never changed."""

    __tablename__ = "dictionary_revision"
    __table_args__ = (UniqueConstraint("key", "number"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(80))
    number: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    comment: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
