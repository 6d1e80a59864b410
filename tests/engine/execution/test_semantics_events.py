"""Events in company: errors, escalations, messages, signals, timers, conditions, links and event subprocesses, inside each other."""

from __future__ import annotations

from tests.engine.build import (
    both,
    boundary,
    call,
    catch,
    condition,
    end,
    error,
    escalation,
    event_sub,
    link,
    message,
    note,
    process,
    race,
    receive,
    script,
    service,
    signal,
    start,
    sub,
    throw,
    timer,
    user,
    xor,
)  # fmt: skip
from tests.engine.execution.case import Case, play, table
from tests.engine.world import World


def failing(code: str = "E") -> bytes:
    """A process q that ends in an error."""
    return process(start("qs"), end("qe", error(code)), id="q", flows="qs -> qe")


def caller(*more: str, flows: tuple[str, ...]) -> bytes:
    return process(start(), call("x", "q"), end(), *more, flows=["start -> x -> end", *flows])


HANDLED = (note("n"), end("e2"))

ERRORS = [
    Case("an error in a call is caught outside by its code", (caller(boundary("b", "x", error("E")), *HANDLED, flows=("b -> n -> e2",)), failing()), path=["n"],
         at=[]),
    Case("an error in a call is caught outside without a code", (caller(boundary("b", "x", error()), *HANDLED, flows=("b -> n -> e2",)), failing()), path=["n"],
         has={"errorCode": None}, at=[]),
    Case("an error in a call with another code is an incident where it was thrown", (caller(boundary("b", "x", error("F")), *HANDLED, flows=("b -> n -> e2",)),
         failing()),
         at=["qe"], incidents=(("qe", "uncaught_error"),)),
    Case("an error in a call is caught by an event subprocess of the caller",
         (caller(event_sub("h", start("hs", error("E")), note("n"), end("he"), flows="hs -> n -> he"), flows=()), failing()), path=["n"], did={"end": 0}, at=[]),
    Case("the code wins over catch-all wherever both sit on one activity",
         (caller(boundary("all", "x", error()), note("a"), end("e3"), boundary("b", "x", error("E")), *HANDLED, flows=("all -> a -> e3", "b -> n -> e2")),
         failing()),
         path=["n"], at=[]),
    Case("an error thrown by an event subprocess for errors is not caught by itself",
         process(start(), sub("x", start("is"), service("s"), end("ie"),
                              event_sub("h", start("hs", error("E")), note("n"), end("he", error("E")), flows="hs -> n -> he"), flows="is -> s -> ie"),
                 boundary("b", "x", error("E")), note("m"), end("e2"), end(), flows=["start -> x -> end", "b -> m -> e2"]),
         "answer s !E", path=["n", "m"], at=[]),
    Case("an error ends the parallel branches of the subprocess that it leaves",
         process(start(), sub("x", start("is"), both("g"), user("u"), service("s"), end("e1"), end("ie"), flows=["is -> g -> u -> e1", "g -> s -> ie"]),
                 boundary("b", "x", error("E")), note("n"), end("e2"), end(), flows=["start -> x -> end", "b -> n -> e2"]),
         "answer s !E", path=["n"], at=[]),
    Case("an error's variables reach who catches it", process(start(), service("s"), boundary("b", "s", error("E")), script("k", "=why", "kept"), end("e2"), end(),
         flows=["start -> s -> end", "b -> k -> e2"]), 'answer s !E why="no"', has={"kept": "no"}, at=[]),
    Case("a boundary error maps what it needs", process(start(), service("s"), boundary("b", "s", error(), outputs={"kept": "=errorCode"}), end("e2"), end(),
         flows=["start -> s -> end", "b -> e2"]), "answer s !E", has={"kept": "E"}, at=[]),
    Case("an escalation end in an event subprocess goes outwards",
         process(start(), sub("x", start("is"), user("u"), end("ie"),
                              event_sub("h", start("hs", message("m", '="k"'), interrupting=False), end("he", escalation("up")), flows="hs -> he"),
                              flows="is -> u -> ie"),
                 boundary("b", "x", escalation("up"), interrupting=False), note("n"), end("e2"), end(), flows=["start -> x -> end", "b -> n -> e2"]),
         "publish m k; publish m k; complete u", path=["n", "n"], did={"end": 1}, at=[]),
    Case("an interrupting escalation ends what threw it",
         process(start(), sub("x", start("is"), throw("t", escalation("up")), note("never"), end("ie"), flows="is -> t -> never -> ie"),
                 boundary("b", "x", escalation()), note("n"), end("e2"), end(), flows=["start -> x -> end", "b -> n -> e2"]), path=["n"], did={"end": 0}, at=[]),
    Case("an escalation is caught once, by the innermost",
         process(start(), sub("o", start("os"), sub("x", start("is"), throw("t", escalation("up")), end("ie"), flows="is -> t -> ie"),
                                  boundary("in", "x", escalation(), interrupting=False), note("inner"), end("e1"), end("oe"), flows=["os -> x -> oe",
                                  "in -> inner -> e1"]),
                 boundary("b", "o", escalation("up"), interrupting=False), note("outer"), end("e2"), end(), flows=["start -> o -> end", "b -> outer -> e2"]),
         path=["inner"], at=[]),
    Case("an escalation inside a call is caught by the caller's event subprocess and the call goes on",
         (caller(event_sub("h", start("hs", escalation("up"), interrupting=False), note("n"), end("he"), flows="hs -> n -> he"), flows=()),
          process(start("qs"), throw("t", escalation("up")), user("u"), end("qe"), id="q", flows="qs -> t -> u -> qe")), "complete u", path=["n"],
          did={"end": 1}, at=[]),
]  # fmt: skip


@table(*ERRORS)
def test_errors_and_escalations(world: World, case: Case) -> None:
    play(case, world)


def around(*inner: str, flows: tuple[str, ...] = (), more: tuple[str, ...] = (), outer: tuple[str, ...] = ()) -> bytes:
    """A subprocess x with a user task u and what else is given."""
    return process(
        start(),
        sub("x", start("is"), user("u"), end("ie"), *inner, flows=["is -> u -> ie", *flows]),
        end(),
        *more,
        flows=["start -> x -> end", *outer],
    )


LISTENING = [
    Case("a timer event subprocess cycles inside a subprocess while that runs",
         around(event_sub("h", start("hs", timer("Cycle", "R3/PT1M"), interrupting=False), note("n"), end("he"), flows="hs -> n -> he")),
         "later 150s; complete u; later 1h", path=["n", "n"], at=[]),
    Case("an endless cycle stops with its subprocess",
         around(event_sub("h", start("hs", timer("Cycle", "R/PT1M"), interrupting=False), note("n"), end("he"), flows="hs -> n -> he")),
         "later 10m; complete u; later 1h", path=["n"] * 10, at=[]),
    Case("R3/PT1S at a boundary fires three times", process(start(), user("u"), boundary("b", "u", timer("Cycle", "R3/PT1S"), interrupting=False), *HANDLED, end(),
         flows=["start -> u -> end", "b -> n -> e2"]), "later 1m; complete u", path=["n"] * 3, at=[]),
    Case("cron at a boundary fires every five minutes", process(start(), user("u"), boundary("b", "u", timer("Cycle", "0 0/5 * * * *"), interrupting=False),
         *HANDLED, end(),
         flows=["start -> u -> end", "b -> n -> e2"]), "later 16m; complete u", path=["n"] * 3, at=[]),
    Case("cron on weekdays at eight in the clinic's zone", process(start(), catch("c", timer("Cycle", "0 8 * * 1-5")), note("n"), end(),
         flows="start -> c -> n -> end"),
         "later 23h; later 2h", path=["n"], at=[]),
    Case("a cycle with a start date", process(start(), user("u"), boundary("b", "u", timer("Cycle", "R2/2026-01-05T10:00:00+08:00/PT1H"), interrupting=False),
         *HANDLED, end(),
         flows=["start -> u -> end", "b -> n -> e2"]), "later 119m; later 2m; later 5h; complete u", path=["n", "n"], at=[]),
    Case("a date in the past is due at once", process(start(), catch("c", timer("Date", "2020-01-01T00:00:00Z")), note("n"), end(), flows="start -> c -> n -> end"),
         "later 1s", path=["n"], at=[]),
    Case("a FEEL duration", process(start(), catch("c", timer("Duration", "=duration(\"PT\" + string(n) + \"M\")")), end(), flows="start -> c -> end"),
         "later 6m; later 2m", {"n": 7}, at=[]),
    Case("a FEEL date and time", process(start(), catch("c", timer("Date", '=date and time("2026-01-05T09:00:00")')), end(), flows="start -> c -> end"),
         "later 59m; later 2m", at=[]),
    Case("an interrupting event subprocess ends the subprocess only, and the process goes on after it",
         around(event_sub("h", start("hs", message("m", '="k"')), note("n"), end("he"), flows="hs -> n -> he")), "publish m k", path=["n"], did={"x": 1,
         "end": 1, "u": 0}, at=[]),
    Case("an interrupting event subprocess listens no more once it runs",
         around(event_sub("h", start("hs", message("m", '="k"')), user("v"), end("he"), flows="hs -> v -> he")), "publish m k; publish m k; complete v",
         did={"v": 1, "end": 1}, at=[]),
    Case("a non-interrupting one keeps its subprocess open until it is done",
         around(event_sub("h", start("hs", message("m", '="k"'), interrupting=False), user("v"), end("he"), flows="hs -> v -> he")),
         "publish m k; complete u", at=["v"], did={"end": 0}),
    Case("two event subprocesses: the interrupting one ends the other",
         around(event_sub("h", start("hs", message("m", '="k"'), interrupting=False), user("v"), end("he"), flows="hs -> v -> he"),
                event_sub("i", start("js", signal("stop")), note("n"), end("je"), flows="js -> n -> je")), "publish m k; signal stop", path=["n"], did={"v": 0,
                "end": 1}, at=[]),
    Case("an event subprocess in an event subprocess", around(event_sub("h", start("hs", signal("one")), user("v"), end("he"),
                event_sub("i", start("js", signal("two")), note("n"), end("je"), flows="js -> n -> je"), flows="hs -> v -> he")), "signal one; signal two",
                path=["n"], at=[]),
    Case("a boundary event ends a subprocess whose event subprocess runs",
         around(event_sub("h", start("hs", message("m", '="k"'), interrupting=False), user("v"), end("he"), flows="hs -> v -> he"),
                more=(boundary("b", "x", timer("Duration", "PT1H")), *HANDLED), outer=("b -> n -> e2",)), "publish m k; later 1h", path=["n"], did={"v": 0,
                "end": 0}, at=[]),
    Case("a non-interrupting boundary event on a call activity", (caller(boundary("b", "x", signal("s"), interrupting=False), *HANDLED, flows=("b -> n -> e2",)),
         process(start("qs"), user("u"), end("qe"), id="q", flows="qs -> u -> qe")), "signal s; signal s; complete u; signal s", path=["n", "n"],
         did={"end": 1}, at=[]),
    Case("a boundary conditional event on a subprocess sees what is set inside",
         process(start(), sub("x", start("is"), user("u"), user("v"), end("ie"), flows="is -> u -> v -> ie"), boundary("b", "x", condition("hot > 38")),
         *HANDLED, end(),
                 flows=["start -> x -> end", "b -> n -> e2"]), "complete u hot=39", path=["n"], at=[]),
    Case("a conditional event subprocess fires once for each rise",
         around(event_sub("h", start("hs", condition("hot > 38"), interrupting=False), note("n"), end("he"), flows="hs -> n -> he")),
         "change hot=39; change hot=40; change hot=36; change hot=41; complete u", path=["n", "n"], at=[]),
    Case("an interrupting boundary that leads back runs the activity anew", process(start(), xor("m"), user("u"), boundary("b", "u", timer("Duration", "PT1H")),
         note("n"), end(),
         flows=["start -> m -> u -> end", "b -> n -> m"]), "later 1h; later 1h; complete u", path=["n", "n"], did={"end": 1}, at=[]),
    Case("two boundary events: the first that happens disarms the other", process(start(), user("u"), boundary("b", "u", timer("Duration", "PT1H")),
         boundary("c", "u", signal("s")),
         note("n"), note("m"), end("e2"), end("e3"), end(), flows=["start -> u -> end", "b -> n -> e2", "c -> m -> e3"]), "signal s; later 2h", path=["m"], at=[]),
    Case("several definitions on one boundary event", process(start(), user("u"), boundary("b", "u", timer("Duration", "PT1H"), signal("s")), *HANDLED, end(),
         flows=["start -> u -> end", "b -> n -> e2"]), "signal s; later 2h", path=["n"], at=[]),
    Case("an event subprocess may start by either of two triggers", around(event_sub("h", start("hs", message("m", '="k"'), signal("s")), note("n"), end("he"),
         flows="hs -> n -> he")),
         "signal s", path=["n"], at=[]),
]  # fmt: skip


@table(*LISTENING)
def test_what_listens(world: World, case: Case) -> None:
    play(case, world)


RACE = process(
    start(), race("g"), catch("t1", timer("Duration", "PT2H")), catch("t2", timer("Duration", "PT1H")), catch("m1", message("m", "=k")), catch("s1", signal("s")),
    catch("c1", condition("ok = true")), note("n1"), note("n2"), note("n3"), note("n4"), note("n5"), xor("j"), end(),
    flows=["start -> g", "g -> t1 -> n1 -> j", "g -> t2 -> n2 -> j", "g -> m1 -> n3 -> j", "g -> s1 -> n4 -> j", "g -> c1 -> n5 -> j", "j -> end"],
)  # fmt: skip
MEETING = [
    Case("a race: the earlier timer", RACE, "later 3h", {"k": "a"}, path=["n2"], at=[]),
    Case("a race: the message with its key", RACE, "publish m b; publish m a; later 3h", {"k": "a"}, path=["n3"], at=[]),
    Case("a race: the signal", RACE, "signal s; publish m a", {"k": "a"}, path=["n4"], at=[]),
    Case("a race: the condition", RACE, "change ok=true; signal s", {"k": "a"}, path=["n5"], at=[]),
    Case("a race whose condition holds already", RACE, "", {"k": "a", "ok": True}, path=["n5"], at=[]),
    Case("several throwing links to one catching link", process(start(), xor("g", "g_l2"), throw("l1", link("L")), throw("l2", link("L")), catch("l3",
         link("L")), note("n"), end(),
         flows=["start -> g", "g -> l1 : a", "g -> l2", "l3 -> n -> end"]), "", {"a": False}, path=["n"], did={"l2": 1, "l1": 0}, at=[]),
    Case("links of parallel branches let both tokens through", process(start(), both("g"), throw("l1", link("L")), throw("l2", link("L")), catch("l3",
         link("L")), note("n"), end(),
         flows=["start -> g", "g -> l1", "g -> l2", "l3 -> n -> end"]), path=["n", "n"], at=[]),
    Case("one message for two receivers of one instance reaches one of them", process(start(), both("g"), receive("a", "m", "=k"), receive("b", "m", "=k"),
         both("j"), end(),
         flows=["start -> g", "g -> a -> j", "g -> b -> j", "j -> end"]), "publish m x; publish m x", {"k": "x"}, did={"a": 1, "b": 1}, at=[]),
    Case("a FEEL message name", process(start(), catch("c", message('="order-" + kind', "=k")), end(), flows="start -> c -> end"), "publish order-blood 7",
         {"kind": "blood", "k": 7}, at=[]),
    Case("the key is the one that was there when the waiting began", process(start(), user("u"), catch("c", message("m", "=k")), end(),
         flows="start -> u -> c -> end"),
         'complete u k="b"; change k="c"; publish m c; publish m b', {"k": "a"}, at=[]),
    Case("a key of a nested value", process(start(), catch("c", message("m", "=order.id")), end(), flows="start -> c -> end"), "publish m 42",
         {"order": {"id": 42}}, at=[]),
    Case("a thrown message with a mapped payload", process(start(), both("g"), catch("c", message("m", "=k")), throw("t", message("m", "=k"),
         inputs={"said": "=1+1"}), both("j"), end(),
         flows=["start -> g", "g -> c -> j", "g -> t -> j", "j -> end"]), "", {"k": "x"}, has={"said": 2}, at=[]),
    Case("a signal goes to all that wait, in every scope", process(start(), both("g"), catch("a", signal("s")), sub("x", start("is"), catch("b", signal("s")),
         end("ie"), flows="is -> b -> ie"),
         both("j"), end(), flows=["start -> g", "g -> a -> j", "g -> x -> j", "j -> end"]), "signal s", at=[]),
    Case("a signal's payload is written", process(start(), catch("a", signal("s")), end(), flows="start -> a -> end"), "signal s v=3", has={"v": 3}, at=[]),
    Case("a signal with a FEEL name", process(start(), catch("a", signal('="s" + string(n)')), end(), flows="start -> a -> end"), "signal s1; signal s2",
         {"n": 2}, at=[]),
    Case("a message name that gives nothing is an incident, and goes on once it is known", process(start(), catch("c", message("=what", "=k")), end(),
         flows="start -> c -> end"),
         'change what="m"; retry c; publish m 1', {"k": 1}, at=[]),
    Case("a signal name that gives nothing is an incident", process(start(), throw("t", signal("=what")), end(), flows="start -> t -> end"), at=["t"],
         incidents=(("t", "expression"),)),
    Case("a thrown message without its key is an incident, and not a message to everybody", process(start(), throw("t", message("m", "=k")), end(),
         flows="start -> t -> end"),
         at=["t"], incidents=(("t", "expression"),)),
    Case("a key may be the number zero", process(start(), both("g"), catch("c", message("m", "=k")), throw("t", message("m", "=k")), both("j"), end(),
         flows=["start -> g", "g -> c -> j", "g -> t -> j", "j -> end"]), "", {"k": 0}, at=[]),
    Case("two receivers of one message behind an event gateway are refused", process(start(), race("g"), catch("a", message("m", "=k")), catch("b", message("m",
         "=k")), end(),
         flows=["start -> g", "g -> a -> end", "g -> b -> end"]), refused="catch-twice"),
    Case("one message with two keys behind an event gateway", process(start(), race("g"), catch("a", message("m", "=k")), catch("b", message("m", "=l")), end(),
         flows=["start -> g", "g -> a -> end", "g -> b -> end"]), "publish m y", {"k": "x", "l": "y"}, did={"a": 0, "b": 1}, at=[]),
    Case("an event gateway in a loop starts its timers anew", process(start(), xor("m"), race("g"), catch("s", signal("again")), catch("t", timer("Duration",
         "PT1H")), end(),
         flows=["start -> m -> g", "g -> s -> m", "g -> t -> end"]), "later 50m; signal again; later 50m; signal again; later 59m; later 1m", did={"s": 2,
         "t": 1}, at=[]),
]  # fmt: skip


@table(*MEETING)
def test_what_meets(world: World, case: Case) -> None:
    play(case, world)
