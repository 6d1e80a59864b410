"""The access record: one row each time that somebody was shown a patient's data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, UtcDateTime


class AccessRecord(Base):
    """`action` is the access table's action (task.open, visit.view …); `kind` is C, R, U, D or E as in FHIR AuditEvent."""

    __tablename__ = "access_record"
    __table_args__ = (Index("access_by_patient", "patient", "at"), Index("access_by_actor", "actor", "at"))

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(1))
    patient: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(60), default="")  # the address that the request came from
