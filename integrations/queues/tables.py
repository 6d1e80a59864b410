"""Queue tickets and appointments."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime, new_id


class QueueTicket(Base):
    """A number of a department's queue on one day of the clinic."""

    __tablename__ = "queue_ticket"
    __table_args__ = (UniqueConstraint("department", "day", "number"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(60), unique=True)
    department: Mapped[str] = mapped_column(String(50))
    day: Mapped[date] = mapped_column(Date)  # in the clinic's zone
    number: Mapped[int]
    ticket: Mapped[str] = mapped_column(String(20))
    acuity: Mapped[int | None]
    patient_id: Mapped[str] = mapped_column(String(40))
    instance_id: Mapped[str | None] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Appointment(Base):
    """A booked slot. Status values are FHIR's appointmentstatus."""

    __tablename__ = "appointment"
    __table_args__ = (Index("appointment_by_start", "department", "start"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(String(40), index=True)
    department: Mapped[str] = mapped_column(String(50))
    start: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(20), default="booked")
    instance_id: Mapped[str | None] = mapped_column(String(20))
    created: Mapped[datetime] = mapped_column(UtcDateTime)
