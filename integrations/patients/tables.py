"""The patient index. Demographics are encrypted; exact search goes through blind indexes (keyed hashes)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class Patient(Base):
    """A person known to the clinic. `body`: name, sex, birthDate, idCard, medicalCard, phone, address, allergies."""

    __tablename__ = "patient"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    record_number: Mapped[str] = mapped_column(String(20), unique=True)
    body: Mapped[dict[str, Any]] = mapped_column(Encrypted("patient.body"))
    merged_into: Mapped[str | None] = mapped_column(ForeignKey("patient.id"), index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    changed: Mapped[datetime] = mapped_column(UtcDateTime)


class PatientIdentifier(Base):
    """A keyed hash of something that a patient may be found by.

    `system`: id_card, medical_card, phone, name, name_sound, birth_date; or the name of another system (his, lis …) for its own number.
    """

    __tablename__ = "patient_identifier"
    __table_args__ = (UniqueConstraint("patient_id", "system", "digest"), Index("patient_identifier_search", "system", "digest"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), index=True)
    system: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))


class PatientMerge(Base):
    """The history of merging two records of one person, and of taking that back."""

    __tablename__ = "patient_merge"

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kept_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), index=True)
    merged_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), index=True)
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    undone: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_by: Mapped[str | None] = mapped_column(String(100))
    undone_why: Mapped[str | None] = mapped_column(Text)


class PatientScreening(Base):
    """That a record was compared with the others, and when: one that changed since is compared again."""

    __tablename__ = "patient_screening"

    patient_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PatientReview(Base):
    """Two records that may be one person, for a person to decide. `first_id` is the smaller id.

    States: open, merged, different, gone (they are not alike any more, or one was merged elsewhere).
    """

    __tablename__ = "patient_review"
    __table_args__ = (UniqueConstraint("first_id", "second_id"), Index("patient_review_state", "state", "score"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    first_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), index=True)
    second_id: Mapped[str] = mapped_column(ForeignKey("patient.id"), index=True)
    grade: Mapped[str] = mapped_column(String(16))
    score: Mapped[float]
    state: Mapped[str] = mapped_column(String(10), default="open")
    found: Mapped[datetime] = mapped_column(UtcDateTime)
    decided: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(100))
    why: Mapped[str] = mapped_column(Text, default="")
    merge_id: Mapped[str | None] = mapped_column(ForeignKey("patient_merge.id"))
