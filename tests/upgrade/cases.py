"""One process for each state in which an instance may wait, how it gets there and how it goes on.

`["park"]` divides the steps: what comes before is done by the old release, what comes after by the present one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.engine.build import (
    both,
    boundary,
    call,
    cancel,
    catch,
    compensate,
    compensation_boundary,
    condition,
    diagram,
    each,
    end,
    error,
    escalation,
    event_sub,
    message,
    note,
    pool,
    process,
    race,
    receive,
    repeat,
    script,
    send,
    service,
    signal,
    some,
    start,
    sub,
    tag,
    terminate,
    throw,
    timer,
    user,
    xor,
)  # fmt: skip
from tests.upgrade.hands import Step

HOUR, DAY = 3600, 86_400
PARK: Step = ["park"]


@dataclass(frozen=True)
class Case:
    """A process, and an instance's way through it."""

    name: str
    file: bytes
    steps: list[Step]
    variables: dict[str, Any] = field(default_factory=dict)
    starts: bool = True  # False: a message begins it


CASES: list[Case] = []


def case(name: str, *parts: str, flows: Any, steps: list[Step], variables: dict[str, Any] | None = None, starts: bool = True) -> None:
    """Adds a case of one process, whose id is the case's name."""
    CASES.append(Case(name, process(*parts, flows=flows, id=name), steps, variables or {}, starts))


LINE = "start -> a -> b -> end"
A: Step = ["complete", "a", {"seen": 1}]
B: Step = ["complete", "b"]
LATE = "late -> n -> e2"

# -- user tasks
case("task_open", start(), user("a", groups="nurse"), user("b"), end(), flows=LINE, steps=[PARK, A, B])
case("task_claimed", start(), user("a", groups="nurse"), user("b"), end(), flows=LINE, steps=[["claim", "a"], PARK, A, B])
case("task_draft", start(), user("a", groups="nurse"), end(), flows="start -> a -> end",
     steps=[["claim", "a"], ["draft", "a", {"pulse": 80}], PARK, ["complete", "a", {"pulse": 81}]])  # fmt: skip
case("task_mapped", start(), user("a", ext=tag("zeebe_taskSchedule", dueDate='=now() + duration("PT1H")') + tag("zeebe_priorityDefinition", priority="80"),
     inputs={"local": "=n * 2"}, outputs={"result": "=local + given"}), end(), flows="start -> a -> end",
     steps=[PARK, ["complete", "a", {"given": 5}]], variables={"n": 4})  # fmt: skip
case("values_typed", start(), user("a"), script("sum", "=price * 2", "double"), end(), flows="start -> a -> sum -> end", steps=[PARK, A],
     variables={"price": Decimal("12.50"), "born": date(1980, 5, 2), "seenAt": datetime(2026, 1, 5, 8, tzinfo=ZoneInfo("Asia/Shanghai")),
                "span": timedelta(minutes=90), "nested": {"list": [1, {"deep": Decimal("0.1")}], "zh": "发热"}, "nothing": None, "big": 2**70})  # fmt: skip
# -- calls
case("call_ready", start(), service("a"), user("b"), end(), flows=LINE, steps=[PARK, ["answer", "a", {"r": 1}], B])
case("call_running", start(), service("a"), end(), flows="start -> a -> end", steps=[["take", "a"], PARK, ["answer", "a", {"r": 1}]])
case("call_waits_for_next_try", start(), service("a", outputs={"x": "=r + 1"}), end(), flows="start -> a -> end",
     steps=[["fail", "a", "transient"], PARK, ["answer", "a", {"r": 1}]])  # fmt: skip
case("call_failed", start(), service("a", retries="1"), end(), flows="start -> a -> end",
     steps=[["fail", "a", "transient"], PARK, ["retry", "a"], ["answer", "a", {"r": 2}]])  # fmt: skip
case(
    "call_unknown_outcome",
    start(),
    service("a"),
    end(),
    flows="start -> a -> end",
    steps=[["fail", "a", "unknown"], PARK, ["skip", "a", {"r": 3}]],
)
case("call_with_error_boundary", start(), service("a"), boundary("late", "a", error("E1")), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, ["error", "a", "E1"]])  # fmt: skip
case("sending", start(), user("x"), send("a", "sent_elsewhere", '="k"'), end(), flows="start -> x -> a -> end", steps=[PARK, ["complete", "x"]])
# -- incidents of the model
case("incident_expression", start(), catch("a", timer("Duration", "=span")), end(), flows="start -> a -> end",
     steps=[PARK, ["change", {"span": "PT1H"}], ["retry", "a"], ["later", HOUR + 1]])  # fmt: skip
case("incident_no_flow", start(), xor("g"), user("a"), user("b"), end(), flows=["start -> g", "g -> a : n > 10", "g -> b : n > 5", "a -> end", "b -> end"],
     steps=[PARK, ["change", {"n": 7}], ["retry", "g"], B], variables={"n": 1})  # fmt: skip
case("incident_uncaught_error", start(), service("a"), end(), flows="start -> a -> end",
     steps=[["error", "a", "E9"], PARK, ["retry", "a"], ["answer", "a", {"r": 1}]])  # fmt: skip
# -- timers
case("timer_duration", start(), catch("a", timer("Duration", "PT1H")), end(), flows="start -> a -> end", steps=[PARK, ["later", HOUR + 1]])
case(
    "timer_date",
    start(),
    catch("a", timer("Date", "2026-01-07T08:00:00+08:00")),
    end(),
    flows="start -> a -> end",
    steps=[PARK, ["later", 3 * DAY]],
)
case("timer_cycle", start(), catch("a", timer("Cycle", "R3/PT1H")), note("n"), end(), flows="start -> a -> n -> end",
     steps=[["later", HOUR + 1], PARK, ["later", 4 * HOUR]])  # fmt: skip
case("timer_boundary", start(), user("a"), boundary("late", "a", timer("Duration", "PT2H")), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, ["later", 3 * HOUR]])  # fmt: skip
case("timer_boundary_left", start(), user("a"), boundary("late", "a", timer("Duration", "PT2H")), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, A, ["later", 3 * HOUR]])  # fmt: skip
case("timer_boundary_cycle", start(), user("a"), boundary("late", "a", timer("Cycle", "R/PT1H"), interrupting=False), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[["later", HOUR + 1], PARK, ["later", 2 * HOUR], A])  # fmt: skip
case("timer_boundary_cron", start(), user("a"), boundary("late", "a", timer("Cycle", "0 0 9 * * *"), interrupting=False), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, ["later", 2 * DAY], A])  # fmt: skip
# -- messages, signals, conditions
case("message", start(), catch("a", message("message_came", "=order")), end(), flows="start -> a -> end",
     steps=[PARK, ["publish", "message_came", "7", {"result": "ok"}]], variables={"order": 7})  # fmt: skip
case("message_receive", start(), receive("a", "receive_came", "=order", outputs={"got": "=result"}), end(), flows="start -> a -> end",
     steps=[PARK, ["publish", "receive_came", "x1", {"result": "ok", "more": 1}]], variables={"order": "x1"})  # fmt: skip
case("message_early", start(), user("a"), catch("m", message("early_came", "=order")), end(), flows="start -> a -> m -> end",
     steps=[["publish", "early_came", "9", {"result": "early"}], PARK, A], variables={"order": "9"})  # fmt: skip
case("message_boundary", start(), user("a"), boundary("late", "a", message("boundary_came", "=k")), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, ["publish", "boundary_came", "b", {"why": "left"}]], variables={"k": "b"})  # fmt: skip
case("message_boundary_beside", start(), user("a"), boundary("late", "a", message("beside_came", "=k"), interrupting=False), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[["publish", "beside_came", "b", {}], ["later", 1], PARK, ["publish", "beside_came", "b", {}], A],
     variables={"k": "b"})  # fmt: skip
case("message_starts", start("start", message("starts_it")), user("a"), end(), flows="start -> a -> end",
     steps=[PARK, ["publish", "starts_it", "", {"from": "far"}], A], starts=False)  # fmt: skip
case(
    "signal",
    start(),
    catch("a", signal("signal_came")),
    end(),
    flows="start -> a -> end",
    steps=[PARK, ["signal", "signal_came", {"loud": True}]],
)
case("signal_boundary", start(), user("a"), boundary("late", "a", signal("signal_beside"), interrupting=False), note("n"), end(), end("e2"),
     flows=["start -> a -> end", LATE], steps=[PARK, ["signal", "signal_beside", {}], A])  # fmt: skip
case("condition", start(), both("f"), catch("a", condition("=n > 3")), user("b"), both("j"), end(),
     flows=["start -> f", "f -> a -> j", "f -> b -> j", "j -> end"], steps=[PARK, ["complete", "b", {"n": 4}]], variables={"n": 0})  # fmt: skip
case("condition_boundary", start(), both("f"), user("a"), boundary("late", "a", condition("=n > 3")), note("n1"), user("b"), end(), end("e2"), end("e3"),
     flows=["start -> f", "f -> a -> end", "f -> b -> e2", "late -> n1 -> e3"], steps=[PARK, ["complete", "b", {"n": 4}]], variables={"n": 0})  # fmt: skip
RACE = (start(), race("g"), catch("soon", timer("Duration", "PT1H")), catch("m", message("race_came", "=k")), catch("later", timer("Duration", "PT2H")),
        end("e1"), end("e2"), end("e3"))  # fmt: skip
RACE_FLOWS = ["start -> g", "g -> soon -> e1", "g -> m -> e2", "g -> later -> e3"]
case("race_message", *RACE, flows=RACE_FLOWS, steps=[PARK, ["publish", "race_came", "rm", {"x": 1}]], variables={"k": "rm"})
case("race_timer", *RACE, flows=RACE_FLOWS, steps=[PARK, ["later", HOUR + 1]], variables={"k": "rt"})
case("several_events", start(), catch("a", timer("Duration", "PT1H"), message("several_came", "=k")), end(), flows="start -> a -> end",
     steps=[PARK, ["publish", "several_came", "se", {"x": 1}]], variables={"k": "se"})  # fmt: skip
# -- gateways
case("join_half", start(), both("f"), user("a"), user("b"), both("j"), user("after"), end(),
     flows=["start -> f", "f -> a -> j", "f -> b -> j", "j -> after -> end"], steps=[A, PARK, B, ["complete", "after"]])  # fmt: skip
case("inclusive_half", start(), some("f", default="f_c"), user("a"), user("b"), user("c"), some("j"), note("n"), end(),
     flows=["start -> f", "f -> a : n > 1", "f -> b : n > 2", "f -> c", "a -> j", "b -> j", "c -> j", "j -> n -> end"],
     steps=[A, PARK, B], variables={"n": 5})  # fmt: skip
# -- loops
case("each_parallel", start(), user("a", each("=items", out="answers", of="=item + answer")), end(), flows="start -> a -> end",
     steps=[["complete", "a", {"answer": 1}], PARK, ["complete", "a", {"answer": 2}], ["complete", "a", {"answer": 3}]],
     variables={"items": [10, 20, 30]})  # fmt: skip
case("each_sequential", start(), user("a", each("=items", sequential=True, out="answers", of="=item * answer")), end(), flows="start -> a -> end",
     steps=[["complete", "a", {"answer": 1}], PARK, ["complete", "a", {"answer": 2}], ["complete", "a", {"answer": 3}]],
     variables={"items": [10, 20, 30]})  # fmt: skip
case("each_until", start(), user("a", each("=[1,2,3,4]", until="=numberOfCompletedInstances >= 2")), end(), flows="start -> a -> end",
     steps=[["complete", "a"], PARK, ["complete", "a"]])  # fmt: skip
case("each_call", start(), service("a", each("=items", out="results", of="=r"), inputs={"n": "=item"}, outputs={"r": "=n * 10"}), end(),
     flows="start -> a -> end", steps=[["answer", "a", {}], PARK, ["answer", "a", {}]], variables={"items": [1, 2]})  # fmt: skip
case("each_subprocess", start(), sub("box", start("s"), user("a"), script("times", "=item * answer", "double"), end("e"), flows="s -> a -> times -> e",
     loop=each("=[1,2,3]", out="doubles", of="=double"), inputs={"double": "=null"}), end(), flows="start -> box -> end",
     steps=[["complete", "a", {"answer": 2}], PARK, ["complete", "a", {"answer": 2}], ["complete", "a", {"answer": 2}]])  # fmt: skip
case("repeat", start(), user("a", repeat("=not(ok)")), end(), flows="start -> a -> end",
     steps=[["complete", "a", {"ok": False}], PARK, ["complete", "a", {"ok": False}], ["complete", "a", {"ok": True}]])  # fmt: skip
case("circle", start(), xor("m"), user("a"), xor("g", default="g_m"), end(), flows=["start -> m -> a -> g", "g -> end : n > 2", "g -> m"],
     steps=[["complete", "a", {"n": 1}], PARK, ["complete", "a", {"n": 2}], ["complete", "a", {"n": 3}]])  # fmt: skip
# -- scopes
case("subprocess", start(), sub("box", start("s"), user("a"), end("e"), flows="s -> a -> e", inputs={"local": "=1"}, outputs={"out": "=local + seen"}),
     user("b"), end(), flows="start -> box -> b -> end", steps=[PARK, A, B])  # fmt: skip
case("subprocess_nested", start(), sub("box", start("s"), sub("inner", start("s2"), user("a"), service("c"), end("e2"), flows="s2 -> a -> c -> e2"), end("e"),
     flows="s -> inner -> e"), boundary("late", "box", timer("Duration", "PT2H")), note("n"), end(), end("e3"),
     flows=["start -> box -> end", "late -> n -> e3"], steps=[A, PARK, ["answer", "c", {"r": 1}]])  # fmt: skip
case("subprocess_interrupted", start(), sub("box", start("s"), user("a"), end("e"), flows="s -> a -> e"), boundary("late", "box", timer("Duration", "PT2H")),
     note("n"), end(), end("e2"), flows=["start -> box -> end", LATE], steps=[PARK, ["later", 3 * HOUR]])  # fmt: skip
case("subprocess_escalates", start(), sub("box", start("s"), user("a"), throw("up", escalation("X")), user("b"), end("e"), flows="s -> a -> up -> b -> e"),
     boundary("late", "box", escalation("X"), interrupting=False), note("n"), end(), end("e2"), flows=["start -> box -> end", LATE], steps=[PARK, A, B])  # fmt: skip
case("event_subprocess_armed", start(), user("a"), event_sub("h", start("hs", message("armed_came", "=k")), user("b"), end("he"), flows="hs -> b -> he"),
     end(), flows="start -> a -> end", steps=[PARK, ["publish", "armed_came", "ar", {"why": "now"}], B], variables={"k": "ar"})  # fmt: skip
case("event_subprocess_beside", start(), user("a"),
     event_sub("h", start("hs", message("runs_came", "=k"), interrupting=False), user("b"), end("he"), flows="hs -> b -> he"), end(), flows="start -> a -> end",
     steps=[["publish", "runs_came", "ru", {}], ["later", 1], PARK, ["publish", "runs_came", "ru", {}], B, B, A], variables={"k": "ru"})  # fmt: skip
case("event_subprocess_timer", start(), user("a"), event_sub("h", start("hs", timer("Duration", "PT1H")), note("n"), end("he"), flows="hs -> n -> he"), end(),
     flows="start -> a -> end", steps=[PARK, ["later", 2 * HOUR]])  # fmt: skip
case("event_subprocess_error", start(), service("a"), event_sub("h", start("hs", error("E1")), user("b"), end("he"), flows="hs -> b -> he"), end(),
     flows="start -> a -> end", steps=[PARK, ["error", "a", "E1"], B])  # fmt: skip
CASES.append(Case("called", diagram(
    pool(start(), call("c", "called_child", outputs={"back": "=result"}), user("b"), end(), flows="start -> c -> b -> end", id="called"),
    pool(start("s"), user("a"), script("r", "=seen + 1", "result"), end("e"), flows="s -> a -> r -> e", id="called_child")), [PARK, A, B]))  # fmt: skip
CASES.append(Case("called_each", diagram(
    pool(start(), call("c", "called_each_child", each("=[1,2]", out="squares", of="=square")), end(), flows="start -> c -> end", id="called_each"),
    pool(start("s"), user("a"), script("r", "=item * item", "square"), end("e"), flows="s -> a -> r -> e", id="called_each_child")), [A, PARK, A]))  # fmt: skip
CASES.append(Case("called_interrupted", diagram(
    pool(start(), call("c", "called_slow"), boundary("late", "c", timer("Duration", "PT1H")), note("n"), end(), end("e2"),
         flows=["start -> c -> end", LATE], id="called_interrupted"),
    pool(start("s"), service("a"), end("e"), flows="s -> a -> e", id="called_slow")), [PARK, ["later", 2 * HOUR]]))  # fmt: skip
# -- undoing
UNDO = (note("a"), compensation_boundary("a", "una"), note("una", isForCompensation=True), note("b"), compensation_boundary("b", "unb"),
        note("unb", isForCompensation=True))  # fmt: skip
case(
    "compensation_registered",
    start(),
    *UNDO,
    user("x"),
    end("back", compensate()),
    flows="start -> a -> b -> x -> back",
    steps=[PARK, ["complete", "x"]],
)
case("compensation_under_way", start(), note("a"), compensation_boundary("a", "una"), user("una", isForCompensation=True), throw("back", compensate()),
     note("after"), end(), flows="start -> a -> back -> after -> end", steps=[PARK, ["complete", "una"]])  # fmt: skip
case("compensation_of_subprocess", start(), sub("box", start("s"), script("charge", "=amount", "charged"), compensation_boundary("charge", "refund"),
     script("refund", "=charged", "refunded", isForCompensation=True), end("e"), flows="s -> charge -> e", inputs={"amount": "=30"}), user("x"),
     end("back", compensate()), flows="start -> box -> x -> back", steps=[PARK, ["complete", "x"]])  # fmt: skip
case("transaction", start(), sub("box", start("s"), *UNDO, user("ask"), end("stop", cancel()), flows="s -> a -> b -> ask -> stop", type_="transaction"),
     boundary("late", "box", cancel()), note("n"), end(), end("e2"), flows=["start -> box -> end", LATE], steps=[PARK, ["complete", "ask"]])  # fmt: skip
# -- held, over
case("suspended_task", start(), user("a"), user("b"), end(), flows=LINE, steps=[["suspend"], PARK, ["resume"], A, B])
case("suspended_timer", start(), catch("a", timer("Duration", "PT1H")), end(), flows="start -> a -> end",
     steps=[["suspend"], PARK, ["later", 2 * HOUR], ["resume"], ["later", 1]])  # fmt: skip
case("ended", start(), user("a"), end(), flows="start -> a -> end", steps=[A, PARK])
case("cancelled", start(), user("a"), end(), flows="start -> a -> end", steps=[["cancel"], PARK])
case(
    "terminated",
    start(),
    both("f"),
    user("a"),
    user("b"),
    end("t", terminate()),
    end(),
    flows=["start -> f", "f -> a -> t", "f -> b -> end"],
    steps=[PARK, A],
)
