"""ISO 8601 timers and cron cycles: from a timer's value to the instant it is due."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from engine.errors import ExpressionFailed
from engine.execution.feel import YearMonthDuration

_DURATION = re.compile(
    r"^(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)
_CYCLE = re.compile(r"^R(?P<count>-?\d*)/(?:(?P<start>[^/P][^/]*)/)?(?P<duration>P[^/]+)(?:/(?P<end>[^/]+))?$")
_CRON_NAMES = {
    "@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}  # fmt: skip


def due_date(value: Any, zone: ZoneInfo) -> datetime:
    """The instant of a `timeDate`: ISO 8601 text or a FEEL date and time; one without a zone is the clinic's local time."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
    else:
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError as error:
            raise ExpressionFailed(f"{value!r} is no ISO 8601 date and time.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def after(value: Any, start: datetime) -> datetime:
    """`start` plus a duration: ISO 8601 text, a FEEL days-time or a years-months duration."""
    if isinstance(value, timedelta):
        return start + value
    if isinstance(value, YearMonthDuration):
        return _add_months(start, value.months)
    match = _DURATION.match(str(value).strip())
    if match is None or str(value).strip() in ("P", "PT", "-P"):
        raise ExpressionFailed(f"{value!r} is no ISO 8601 duration such as PT30M or P1D.")
    part = {key: float(text) for key, text in match.groupdict().items() if text and key != "sign"}
    sign = -1 if match["sign"] else 1
    moved = _add_months(start, sign * int(part.get("years", 0) * 12 + part.get("months", 0)))
    return moved + sign * timedelta(
        weeks=part.get("weeks", 0), days=part.get("days", 0), hours=part.get("hours", 0), minutes=part.get("minutes", 0),
        seconds=part.get("seconds", 0),
    )  # fmt: skip


def next_of_cycle(value: Any, start: datetime, fired: int, zone: ZoneInfo) -> datetime | None:
    """The next instant of a `timeCycle` that has fired `fired` times, after `start`; None when it is used up.

    Accepts ISO 8601 repeating intervals (R3/PT10M, R/PT1H, R2/2026-01-01T08:00:00Z/P1D) and cron with five or six fields.
    """
    text = str(value).strip()
    if (match := _CYCLE.match(text)) is None:
        return _next_of_cron(text, start, zone)
    count = int(match["count"]) if match["count"] not in ("", None) else -1
    if count >= 0 and fired >= count:
        return None
    if match["start"] and fired == 0:
        return max(due_date(match["start"], zone), start)
    due = after(match["duration"], start)
    return None if match["end"] and due > due_date(match["end"], zone) else due


def counted(value: Any) -> bool:
    """True for a cycle that says how often it comes: R3/PT10M."""
    match = _CYCLE.match(str(value).strip())
    return match is not None and match["count"].isdigit()


def _next_of_cron(text: str, start: datetime, zone: ZoneInfo) -> datetime:
    fields = _CRON_NAMES.get(text, text).replace("?", "*").split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise ExpressionFailed(f"{text!r} is neither an ISO 8601 cycle such as R/PT10M nor cron with five or six fields.")
    second, minute, hour, day, month, weekday = fields
    try:
        trigger = CronTrigger(
            second=second, minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=zone
        )  # fmt: skip
    except ValueError as error:
        raise ExpressionFailed(f"{text!r} is no valid cron expression: {error}") from error
    due: datetime = trigger.get_next_fire_time(None, start + timedelta(seconds=1))
    return due.astimezone(UTC)


def _weekdays(field: str) -> str:
    """A cron field of weekdays in APScheduler's count: cron begins with Sunday (0 or 7), APScheduler with Monday."""
    if field == "*":
        return field
    chosen: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        begin = _weekday(first)
        end = _weekday(last) if last else (6 if step else begin)
        end += 7 if end < begin else 0  # fri-mon
        chosen |= {day % 7 for day in range(begin, end + 1, int(step or 1))}
    return ",".join(str((day - 1) % 7) for day in sorted(chosen))


def _weekday(name: str) -> int:
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    number = names.index(name) if name in names else int(name)
    if not 0 <= number <= 7:
        raise ValueError(f"{name} is no day of the week")
    return number


def _add_months(start: datetime, months: int) -> datetime:
    if not months:
        return start
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    for day in range(start.day, 27, -1):
        try:
            return start.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return start.replace(year=year, month=month + 1)
