"""An event whose throwing takes its own token away is in the record all the same: no step of a visit may be missing."""

from __future__ import annotations

from tests.engine.build import boundary, end, error, escalation, process, start, sub
from tests.engine.world import Stored


def test_an_escalation_end_that_interrupts_its_own_scope_is_recorded(stored: Stored) -> None:
    inner = sub("inner", start("s"), end("worse", escalation("W")), flows="s -> worse")
    stored.deploy(
        process(
            start(),
            inner,
            boundary("caught", "inner", escalation("W")),
            end(),
            end("other"),
            flows=["start -> inner -> end", "caught -> other"],
        )
    )
    stored.start()
    assert stored.over
    assert stored.trace.index("worse") < stored.trace.index("caught")


def test_an_error_end_is_recorded_before_what_it_ends(stored: Stored) -> None:
    inner = sub("inner", start("s"), end("broke", error("E")), flows="s -> broke")
    stored.deploy(
        process(
            start(), inner, boundary("caught", "inner", error("E")), end(), end("other"), flows=["start -> inner -> end", "caught -> other"]
        )
    )
    stored.start()
    assert stored.trace.index("broke") < stored.trace.index("caught")
