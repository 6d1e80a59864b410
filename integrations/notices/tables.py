"""Alerts shown to a role or a department."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base, Encrypted, UtcDateTime, new_id


class Alert(Base):
    """A line that a process or a monitor wants somebody to see now."""

    __tablename__ = "alert"
    __table_args__ = (Index("alert_open", "seen", "role", "at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(60), unique=True)  # the call's key: raised once however often it is tried
    role: Mapped[str | None] = mapped_column(String(50))
    department: Mapped[str | None] = mapped_column(String(50))
    level: Mapped[str] = mapped_column(String(10))  # info, warning, alert
    text: Mapped[str] = mapped_column(Encrypted("alert.text"))
    instance_id: Mapped[str | None] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[str | None] = mapped_column(String(100))
