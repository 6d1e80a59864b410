"""Instants of timers: ISO 8601 dates, durations and cycles, cron."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.errors import ExpressionFailed
from engine.execution.timers import after, due_date, next_of_cycle

SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "result"),
    [
        ("PT90S", "2026-01-31T00:01:30"), ("P1W", "2026-02-07T00:00"), ("P1M", "2026-02-28T00:00"), ("P1Y1M", "2027-02-28T00:00"),
        ("P1DT0.5H", "2026-02-01T00:30"), ("-PT1H", "2026-01-30T23:00"), ("P13M", "2027-02-28T00:00"),
    ],
)  # fmt: skip
def test_durations(span: str, result: str) -> None:
    assert after(span, utc("2026-01-31T00:00")) == utc(result)


@pytest.mark.parametrize("text", ["", "P", "PT", "1h", "soon", "P1H", "PT1D"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="no ISO 8601 duration"):
        after(text, utc("2026-01-01T00:00"))


def test_a_date_without_a_zone_is_the_clinics_own() -> None:
    assert due_date("2026-01-05T08:00", SHANGHAI) == utc("2026-01-05T00:00")
    assert due_date("2026-01-05T08:00Z", SHANGHAI) == utc("2026-01-05T08:00")


@pytest.mark.parametrize(
    ("cron", "result"),
    [
        ("0 9 * * *", "2026-01-05T01:00"),  # nine in Shanghai
        ("0 0 9 * * *", "2026-01-05T01:00"),
        ("0 0 9 * * 0", "2026-01-11T01:00"),  # Sunday is 0 …
        ("0 0 9 * * 7", "2026-01-11T01:00"),  # … and 7
        ("0 0 9 * * 1-5", "2026-01-05T01:00"),
        ("0 0 7 * * 1-5", "2026-01-05T23:00"),  # Tuesday, for Monday's seven has passed
        ("0 0 9 * * 6,0", "2026-01-10T01:00"),
        ("0 0 9 * * FRI-MON", "2026-01-05T01:00"),
        ("0 0 9 * * TUE", "2026-01-06T01:00"),
        ("0 */15 * * * ?", "2026-01-05T00:15"),
        ("@daily", "2026-01-05T16:00"),
        ("@weekly", "2026-01-10T16:00"),
        ("R/PT1H", "2026-01-05T01:00"),
        ("R3/2026-01-05T10:00:00+08:00/PT1H", "2026-01-05T02:00"),
    ],
)
def test_the_next_of_a_cycle(cron: str, result: str) -> None:
    assert next_of_cycle(cron, utc("2026-01-05T00:00"), 0, SHANGHAI) == utc(result)


def test_a_cycle_is_used_up() -> None:
    now = utc("2026-01-05T00:00")
    assert next_of_cycle("R2/PT1H", now, 2, SHANGHAI) is None
    assert next_of_cycle("R-1/PT1H", now, 99, SHANGHAI) is not None
    assert next_of_cycle("R/PT1H/2026-01-05T08:30", now, 0, SHANGHAI) is None


@pytest.mark.parametrize("text", ["often", "0 0 25 * * *", "0 0 9 * * 9", "* * *", "0 0 9 * * SOON"])
def test_what_is_no_cycle_is_named(text: str) -> None:
    with pytest.raises(ExpressionFailed):
        next_of_cycle(text, utc("2026-01-05T00:00"), 0, SHANGHAI)
