"""Literal timers are ISO 8601 or cron, and what is neither is told with an example."""

from __future__ import annotations

import pytest

from engine.models.rules.expressions import is_cron, timer_fault

GOOD = {
    "date": ["2026-01-31", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00+08:00", "2015-12-24T20:00:00", "2026-01-31T08:00Z[Asia/Shanghai]"],
    "duration": ["PT15M", "P1D", "P1Y2M3DT4H5M6S", "PT0.5S", "P2W", "-PT1M"],
    "cycle": ["R3/PT10M", "R/PT1H", "R2/2026-01-01T00:00:00Z/PT1H", "R-1/PT1H", "0 0 9 * * MON-FRI", "*/5 * * * *", "@daily", "0 0 0 1 1 ?"],
}
BAD = {
    "date": ["tomorrow", "2026-13-01", "2026-01-32", "2026-01-31T25:00:00Z", "PT1H", "31.01.2026"],
    "duration": ["P", "PT", "15M", "PT15", "P1DT", "five minutes", "PT-5M", "2026-01-31"],
    "cycle": ["R3", "R3/", "R3/soon", "3/PT1M", "61 * * * *", "* * * *", "0 0 24 * * *", "* * * * * * *", "*/0 * * * *"],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in GOOD.items() for t in texts])
def test_what_can_be_a_timer(kind: str, text: str) -> None:
    assert timer_fault(kind, text) is None


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in BAD.items() for t in texts])
def test_what_cannot(kind: str, text: str) -> None:
    fault = timer_fault(kind, text)
    assert fault is not None
    assert repr(text) in fault


def test_cron_numbers_stay_within_their_field() -> None:
    assert is_cron("59 23 31 12 7")
    assert not any(is_cron(text) for text in ("60 0 1 1 0", "0 24 1 1 0", "0 0 32 1 0", "0 0 1 13 0", "0 0 1 1 8", "0 0 0 1 0"))
