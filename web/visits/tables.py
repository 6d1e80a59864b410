"""The running number of a day's visits."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Mapped, mapped_column

from engine.db import Base


class VisitCounter(Base):
    """How many visit numbers a day has given out. A row of its own, so that two registrars never get the same number."""

    __tablename__ = "visit_counter"

    day: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)
