"""New visits take the version that was decided for their department; nothing else is touched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import clock
from engine.errors import Refused
from engine.rollout import routing
from engine.rollout.routing import Route, route, switch
from tests.engine.history.record_rows import MONDAY

VISIT = "outpatient_visit"
pytestmark = pytest.mark.usefixtures("versions")


def test_without_a_decision_everybody_takes_as_is(session) -> None:
    assert route(session, VISIT, "surgery") == Route("as-is", "as-is")


def test_a_process_without_versions_is_not_routed(session) -> None:
    assert route(session, "triage", "surgery") == Route(None, None)


def test_a_switch_moves_one_department_only(session) -> None:
    switch(session, VISIT, "surgery", "to-be", why="pilot", by="pm")
    assert route(session, VISIT, "surgery") == Route("to-be", "to-be")
    assert route(session, VISIT, "internal_medicine").arm == "as-is"
    assert route(session, VISIT, None).arm == "as-is"


def test_rolling_back_is_another_decision_and_both_stay_readable(session) -> None:
    with clock.at(MONDAY):
        switch(session, VISIT, "surgery", "to-be", why="pilot", by="pm")
    with clock.at(MONDAY + timedelta(hours=1)):
        switch(session, VISIT, "surgery", "as-is", why="queue at the deposit desk", by="pm")
        assert route(session, VISIT, "surgery").arm == "as-is"
        assert [(r.version_tag, r.why) for r in routing.rules(session, VISIT)] == [
            ("as-is", "queue at the deposit desk"),
            ("to-be", "pilot"),
        ]


def test_a_rule_for_all_departments_yields_to_a_departments_own(session) -> None:
    switch(session, VISIT, "surgery", "to-be", why="pilot", by="pm")
    switch(session, VISIT, None, "to-be", why="everybody", by="pm")
    switch(session, VISIT, "surgery", "as-is", why="not ready", by="pm")
    assert route(session, VISIT, "paediatrics").arm == "to-be"
    assert route(session, VISIT, "surgery").arm == "as-is"


def test_a_rule_waits_for_its_time(session) -> None:
    with clock.at(MONDAY):
        switch(session, VISIT, "surgery", "to-be", why="from Tuesday", by="pm", since=MONDAY + timedelta(days=1))
        assert route(session, VISIT, "surgery").arm == "as-is"
    with clock.at(MONDAY + timedelta(days=1)):
        assert route(session, VISIT, "surgery").arm == "to-be"


@pytest.mark.parametrize(("tag", "why"), [("to-be", "  "), ("dreamt", "why not"), ("as-is", "again")])
def test_a_switch_without_reason_target_or_effect_is_refused(session, tag: str, why: str) -> None:
    with pytest.raises(Refused):
        switch(session, VISIT, "surgery", tag, why=why, by="pm")
    assert routing.rules(session, VISIT) == []
