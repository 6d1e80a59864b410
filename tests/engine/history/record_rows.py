"""Events written by hand: what execution would have recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy.orm import Session

from engine.execution.tables import Event

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # nine in the morning in Shanghai
_numbers = count(1)


class Told:
    """Tells one visit's story: minutes after arrival, what happened where."""

    def __init__(self, session: Session, at: datetime = MONDAY, *, arm: str | None = None, department: str | None = None) -> None:
        self.session, self.at, self.arm, self.department = session, at, arm, department
        self.id = f"{next(_numbers):020d}"
        self.write(0, "started")

    def write(self, minute: float, kind: str, element: str | None = None, token: str | None = None, **more: str | None) -> None:
        row = {"process_id": "outpatient_visit", "version": 1, "arm": self.arm, "department": self.department, **more}
        at = self.at + timedelta(minutes=minute)
        self.session.add(Event(instance_id=self.id, at=at, kind=kind, element_id=element, token=token, **row))

    def step(
        self, element: str, entered: float, claimed: float | None, left: float | None, *, tag: str | None = None, type_: str = "userTask"
    ) -> None:
        token = f"t{next(_numbers)}"
        more = {"tag": tag, "element_type": type_, "role": "doctor"}
        self.write(entered, "entered", element, token, **more)
        if claimed is not None:
            self.write(claimed, "claimed", element, token, **more)
        if left is not None:
            self.write(left, "completed", element, token, **more)

    def end(self, minute: float, kind: str = "ended") -> None:
        self.write(minute, kind)
