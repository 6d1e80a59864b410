"""Pairing: whatever the order in which tokens interleave, each stay is found again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.history.record import Row, pair

START = datetime(2026, 3, 2, tzinfo=UTC)


def row(minute: int, kind: str, token: str, element: str = "Task_A", instance: str = "i1", type_: str = "userTask") -> Row:
    at = START + timedelta(minutes=minute)
    return Row(instance, at, kind, "p", 1, element, type_, token, None, None, "wang", None, None, None)


@st.composite
def stays(draw: st.DrawFn) -> list[list[Row]]:
    """Some stays, each a list of rows in order of time; one (instance, token) may stay several times, one after the other."""
    told: list[list[Row]] = []
    for instance in ("i1", "i2"):
        for token in ("t1", "t2", "t3"):
            clock = 0
            for _ in range(draw(st.integers(0, 3))):
                kinds = ["entered", *draw(st.sampled_from([[], ["claimed"], ["claimed", "unclaimed", "claimed"], ["claimed", "unclaimed"]]))]
                kinds += draw(st.sampled_from([["completed"], ["cancelled"], []]))
                element = draw(st.sampled_from(["Task_A", "Task_B"]))
                rows = []
                for kind in kinds:
                    clock += draw(st.integers(0, 5))
                    rows.append(row(clock, kind, token, element, instance))
                told.append(rows)
    return told


def outcome(rows: list[Row]) -> tuple[object, ...]:
    """What must be found again of one stay."""
    kinds = {r.kind: r.at for r in rows}
    left = kinds.get("completed") or kinds.get("cancelled")
    held = next((r for r in reversed(rows) if r.kind in ("claimed", "unclaimed")), None)
    first = rows[0]
    return first.instance_id, first.token, first.element_id, first.at, held.at if held and held.kind == "claimed" else None, left


@given(stays(), st.randoms())
def test_every_stay_is_found_with_its_own_times(told: list[list[Row]], random) -> None:
    lines: dict[tuple[str, str], list[Row]] = {}
    for rows in told:
        lines.setdefault((rows[0].instance_id, rows[0].token), []).extend(rows)
    order = list(lines.values())
    random.shuffle(order)
    mixed = sorted((r for line in order for r in line), key=lambda r: r.at)  # stable: a token keeps its own order
    found = pair(mixed)
    assert Counter((o.instance_id, o.token, o.element_id, o.entered, o.claimed, o.left) for o in found) == Counter(map(outcome, told))
    for stay in found:
        assert stay.wait is None or stay.wait >= timedelta()
        assert stay.service is None or stay.service >= timedelta()


def test_a_claim_that_was_given_back_does_not_start_service() -> None:
    (stay,) = pair(
        [row(0, "entered", "t"), row(2, "claimed", "t"), row(3, "unclaimed", "t"), row(9, "claimed", "t"), row(12, "completed", "t")]
    )
    assert stay.wait == timedelta(minutes=9)
    assert stay.service == timedelta(minutes=3)


def test_work_finished_without_a_claim_starts_at_its_completion() -> None:
    (stay,) = pair([row(0, "entered", "t"), row(12, "completed", "t")])
    assert (stay.wait, stay.service) == (timedelta(minutes=12), timedelta())


def test_what_needs_no_person_starts_when_it_is_entered() -> None:
    (stay,) = pair([row(0, "entered", "t", type_="callActivity"), row(12, "completed", "t", type_="callActivity")])
    assert (stay.wait, stay.service) == (timedelta(), timedelta(minutes=12))


def test_a_stay_that_lasts_has_no_end_and_no_service() -> None:
    (stay,) = pair([row(0, "entered", "t"), row(4, "claimed", "t")])
    assert (stay.outcome, stay.wait, stay.service) == (None, timedelta(minutes=4), None)


def test_a_record_that_begins_late_gives_no_wait() -> None:
    (stay,) = pair([row(4, "completed", "t")])
    assert stay.entered is None
    assert stay.wait is None
