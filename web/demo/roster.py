"""Who is on duty, and when somebody is free: the first gap that is long enough, as people really work."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

STAFF = {
    "registrar": 2, "triage_nurse": 2, "doctor": 3, "lab_technician": 2, "imaging_technician": 2, "cashier": 2, "pharmacist": 1,
    "referral_coordinator": 1,
}  # fmt: skip
OPENS = time(7, 45)
Span = tuple[datetime, datetime]


class Roster:
    """A calendar for each person on duty. `login` names them as the record shows them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.busy: dict[tuple[str, str, int], list[Span]] = defaultdict(list)

    def book(self, role: str, department: str, ready: datetime, minutes: float) -> tuple[datetime, str]:
        """Books the person of that role who can begin first, not before `ready`; returns when, and who."""
        place = department if role == "doctor" else ""
        needed = timedelta(minutes=minutes)
        options = [(self._gap((role, place, n), ready, needed), n) for n in range(STAFF.get(role, 1))]
        start, number = min(options)
        insort(self.busy[role, place, number], (start, start + needed))
        return start, f"{role}-{number + 1}"

    def _gap(self, who: tuple[str, str, int], ready: datetime, needed: timedelta) -> datetime:
        start = self._on_duty(ready)
        for begins, ends in self.busy[who]:
            if start + needed <= begins:
                break
            start = max(start, ends)
        return start

    def _on_duty(self, moment: datetime) -> datetime:
        local = moment.astimezone(self.zone)
        if local.time() < OPENS:
            local = datetime.combine(local.date(), OPENS, self.zone)
        return local
