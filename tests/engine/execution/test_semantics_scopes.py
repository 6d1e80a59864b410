"""Subprocesses, calls, compensation, transactions, termination and gateways, inside each other."""

from __future__ import annotations

from tests.engine.build import (
    boundary, both, call, cancel, catch, compensate, compensation_boundary, condition, diagram, each, end, error, escalation, event_sub, link,
    message, note, pool, process, race, receive, repeat, script, send, service, signal, some, start, sub, tag, task, terminate, throw, timer, user, xor,
)  # fmt: skip
from tests.engine.execution.case import Case, play, table
from tests.engine.world import World


def done(id: str) -> str:
    """An activity that can be undone: its handler notes `un<id>`."""
    return task(id) + compensation_boundary(id, f"un{id}") + note(f"un{id}", isForCompensation=True)


def done_sub(id: str, inner: str, flows: str) -> str:
    return sub(id, start(f"{id}s"), inner, end(f"{id}e"), flows=flows)


UNDOING = [
    Case("in reverse order", process(start(), done("a"), done("b"), done("c"), throw("t", compensate()), end(), flows="start -> a -> b -> c -> t -> end"), path=["unc", "unb", "una"], at=[]),
    Case("nested completed subprocesses in reverse order",
         process(start(), done("a"), sub("x", start("xs"), done("b"), sub("y", start("ys"), done("c"), done("f2"), end("ye"), flows="ys -> c -> f2 -> ye"), done("e"), end("xe"),
                 flows="xs -> b -> y -> e -> xe"), done("f"), throw("t", compensate()), end(), flows="start -> a -> x -> f -> t -> end"),
         path=["unf", "une", "unf2", "unc", "unb", "una"], at=[]),
    Case("a named subprocess only", process(start(), done("a"), sub("x", start("xs"), done("b"), end("xe"), flows="xs -> b -> xe"), throw("t", compensate("x")), end(),
         flows="start -> a -> x -> t -> end"), path=["unb"], at=[]),
    Case("what is still running is not undone", process(start(), both("g"), sub("x", start("xs"), done("b"), user("u"), end("xe"), flows="xs -> b -> u -> xe"), done("a"),
         throw("t", compensate()), end("e1"), end(), flows=["start -> g", "g -> x -> end", "g -> a -> t -> e1"]), "complete u", path=["una"], at=[]),
    Case("nothing twice", process(start(), done("a"), throw("t", compensate()), throw("t2", compensate()), end(), flows="start -> a -> t -> t2 -> end"), path=["una"], at=[]),
    Case("each round of a loop", process(start(), xor("m"), done("a"), script("c", "=n+1", "n"), xor("g", "g_t"), throw("t", compensate()), end(),
         flows=["start -> m -> a -> c -> g", "g -> m : n < 3", "g -> t -> end"]), "", {"n": 0}, path=["una", "una", "una"], at=[]),
    Case("from an event subprocess for errors, what its scope did",
         process(start(), done("a"), done("b"), service("s"), event_sub("h", start("hs", error("E")), throw("t", compensate()), end("he"), flows="hs -> t -> he"), end(),
                 flows="start -> a -> b -> s -> end"), "answer s !E", path=["unb", "una"], at=[]),
    Case("from an event subprocess inside a subprocess, that subprocess's own",
         process(start(), done("a"), sub("x", start("xs"), done("b"), service("s"), end("xe"), event_sub("h", start("hs", error("E")), throw("t", compensate()), end("he"), flows="hs -> t -> he"),
                 flows="xs -> b -> s -> xe"), end(), flows="start -> a -> x -> end"), "answer s !E", path=["unb"], at=[]),
    Case("with the variables of that time",
         process(start(), sub("x", start("xs"), done("b"), end("xe"), flows="xs -> b -> xe", inputs={"what": '="inside"'}),
                 throw("t", compensate()), end(), flows="start -> x -> t -> end"), path=["unb"], at=[]),
    Case("a cancelled transaction", process(start(), sub("x", start("xs"), done("a"), done("b"), end("xc", cancel()), flows="xs -> a -> b -> xc", type_="transaction"),
         boundary("bc", "x", cancel()), note("n"), end("e2"), end(), flows=["start -> x -> end", "bc -> n -> e2"]), path=["unb", "una", "n"], did={"end": 0}, at=[]),
    Case("a cancelled transaction ends its parallel branches first",
         process(start(), sub("x", start("xs"), both("g"), done("a"), user("u"), user("v"), end("xc", cancel()), end("xe"), flows=["xs -> g -> a -> v -> xc", "g -> u -> xe"], type_="transaction"),
                 boundary("bc", "x", cancel()), note("n"), end("e2"), end(), flows=["start -> x -> end", "bc -> n -> e2"]), "complete v", path=["una", "n"], at=[]),
    Case("a completed transaction is undone as one", process(start(), sub("x", start("xs"), done("a"), done("b"), end("xe"), flows="xs -> a -> b -> xe", type_="transaction"),
         boundary("bc", "x", cancel()), end("e2"), throw("t", compensate()), end(), flows=["start -> x -> t -> end", "bc -> e2"]), path=["unb", "una"], at=[]),
    Case("an error leaves a transaction without undoing it", process(start(), sub("x", start("xs"), done("a"), end("xc", error("E")), flows="xs -> a -> xc", type_="transaction"),
         boundary("bc", "x", cancel()), boundary("be", "x", error("E")), note("n"), end("e2"), end("e3"), end(), flows=["start -> x -> end", "bc -> e2", "be -> n -> e3"]), path=["n"], at=[]),
    Case("an activity of another level cannot be undone by name", process(start(), done("a"), sub("x", start("xs"), throw("t", compensate("a")), end("xe"), flows="xs -> t -> xe"), end(),
         flows="start -> a -> x -> end"), refused="compensation-target"),
    Case("a cancel end deeper inside a transaction is refused", process(start(), sub("x", start("xs"), sub("y", start("ys"), end("yc", cancel()), flows="ys -> yc"), end("xe"), flows="xs -> y -> xe", type_="transaction"),
         boundary("bc", "x", cancel()), end("e2"), end(), flows=["start -> x -> end", "bc -> e2"]), refused="cancel-end"),
    Case("a compensation end", process(start(), done("a"), end("z", compensate()), flows="start -> a -> z"), path=["una"], at=[]),
    Case("handlers that are user tasks, one after the other",
         process(start(), task("a"), compensation_boundary("a", "ua"), user("ua", isForCompensation=True), task("b"), compensation_boundary("b", "ub"), user("ub", isForCompensation=True),
                 throw("t", compensate()), end(), flows="start -> a -> b -> t -> end"), "complete ub; complete ua", did={"ua": 1, "ub": 1}, at=[]),
    Case("a handler that is a subprocess", process(start(), task("a"), compensation_boundary("a", "ua"),
         sub("ua", start("us"), note("n"), end("ue"), flows="us -> n -> ue", isForCompensation=True), throw("t", compensate()), end(), flows="start -> a -> t -> end"), path=["n"], at=[]),
    Case("a call activity with a handler of its own", (process(start(), call("x", "q"), compensation_boundary("x", "ux"), note("ux", isForCompensation=True), throw("t", compensate()), end(),
         flows="start -> x -> t -> end"), process(start("qs"), task("qa"), end("qe"), id="q", flows="qs -> qa -> qe")), path=["ux"], at=[]),
]  # fmt: skip


@table(*UNDOING)
def test_undoing(world: World, case: Case) -> None:
    play(case, world)


TOP = [
    Case("terminate in a subprocess ends only it", process(start(), both("g"), sub("x", start("xs"), both("h"), user("u"), user("v"), end("stop", terminate()), end("xe"),
         flows=["xs -> h -> u -> stop", "h -> v -> xe"]), user("w"), both("j"), end(), flows=["start -> g -> x -> j", "g -> w -> j", "j -> end"]),
         "complete u; complete w", did={"v": 0, "end": 1}, at=[]),
    Case("terminate at the top ends subprocesses and calls", (process(start(), both("g"), call("x", "q"), user("w"), end("stop", terminate()), end(),
         flows=["start -> g -> x -> end", "g -> w -> stop"]), process(start("qs"), user("u"), end("qe"), id="q", flows="qs -> u -> qe")), "complete w", did={"u": 0, "end": 0}, at=[]),
    Case("terminate in an event subprocess ends the event subprocess",
         process(start(), user("u"), event_sub("h", start("hs", signal("s"), interrupting=False), end("he", terminate()), flows="hs -> he"), end(), flows="start -> u -> end"),
         "signal s; complete u", did={"end": 1}, at=[]),
    Case("ids Start and End", process(start("Start"), user("Root"), end("End"), flows="Start -> Root -> End"), "complete Root", did={"Start": 1, "End": 1}, at=[]),
    Case("Chinese ids and names", process(start("开始"), user("测体温", name="测量体温"), xor("判断", "判断_结束"), note("发热"), end("结束"),
         flows=["开始 -> 测体温 -> 判断", "判断 -> 发热 : 体温 > 37.3", "判断 -> 结束", "发热 -> 结束"]), "complete 测体温 体温=38", path=["发热"], at=[]),
    Case("no start event and no end event", process(task("a"), user("b"), flows="a -> b"), "complete b", did={"a": 1}, at=[]),
    Case("a subprocess without start and end events", process(start(), sub("x", user("a"), user("b")), end(), flows="start -> x -> end"), "complete b; complete a", at=[]),
    Case("several end events: over when all tokens are", process(start(), both("g"), user("a"), user("b"), end("e1"), end("e2"), flows=["start -> g -> a -> e1", "g -> b -> e2"]), "complete a", at=["b"]),
    Case("several flows out of a task", process(start(), user("a"), note("n"), note("m"), end("e1"), end("e2"), flows=["start -> a", "a -> n -> e1", "a -> m -> e2"]), "complete a", path=["n", "m"], at=[]),
    Case("conditional flows and a default out of a task", process(start(), user("a", default="a_o"), note("n"), note("m"), note("o"), end("e1"), end("e2"), end("e3"),
         flows=["start -> a", "a -> n -> e1 : x > 1", "a -> m -> e2 : x > 2", "a -> o -> e3"]),
         "complete a x=0", refused="condition-single"),
    Case("a default out of a task when nothing holds", process(start(), user("a", default="a_o"), note("n"), note("m"), note("o"), end("e1"),
         flows=["start -> a", "a -> n : x > 1", "a -> m : x > 2", "a -> o", "n -> e1", "m -> e1", "o -> e1"]), "complete a x=0", path=["o"], at=[]),
    Case("conditions out of a task: all that hold, and not the default", process(start(), user("a", default="a_o"), note("n"), note("m"), note("o"), end("e1"),
         flows=["start -> a", "a -> n : x > 1", "a -> m : x > 2", "a -> o", "n -> e1", "m -> e1", "o -> e1"]), "complete a x=5", path=["n", "m"], at=[]),
    Case("a condition out of a task and a flow without one", process(start(), user("a"), note("n"), note("m"), end("e1"),
         flows=["start -> a", "a -> n : x > 1", "a -> m", "n -> e1", "m -> e1"]), "complete a x=0", path=["m"], at=[]),
    Case("a condition out of a boundary event is refused", process(start(), user("a"), boundary("b", "a", signal("s")), end("e2"), end("e3"), end(),
         flows=["start -> a -> end", "b -> e2 : x", "b -> e3"]), refused="condition-place"),
    Case("several flows out of a boundary event", process(start(), user("a"), boundary("b", "a", signal("s")), note("n"), note("m"), end("e2"), end("e3"), end(),
         flows=["start -> a -> end", "b -> n -> e2", "b -> m -> e3"]), "signal s", path=["n", "m"], at=[]),
    Case("several flows out of a start event", process(start(), note("n"), note("m"), end("e2"), end("e3"), flows=["start -> n -> e2", "start -> m -> e3"]), path=["n", "m"], at=[]),
    Case("several flows out of a catching event", process(start(), catch("c", signal("s")), note("n"), note("m"), end("e2"), end("e3"), flows=["start -> c -> n -> e2", "c -> m -> e3"]),
         "signal s", path=["n", "m"], at=[]),
    Case("an inclusive join waits for a live branch and not for a dead one",
         process(start(), some("g", "g_c"), user("a"), user("b"), user("c"), some("j"), note("n"), end(), flows=["start -> g", "g -> a -> j : x", "g -> b -> j : y", "g -> c -> j", "j -> n -> end"]), refused="condition-single"),
    Case("an inclusive pair: two of three", process(start(), some("g", "g_c"), user("a"), user("b"), user("c"), some("j"), note("n"), end(),
         flows=["start -> g", "g -> a : x", "g -> b : y", "g -> c", "a -> j", "b -> j", "c -> j", "j -> n -> end"]), "complete a; complete b", {"x": True, "y": True}, path=["n"], at=[]),
    Case("an inclusive join whose branch ended in an end event",
         process(start(), some("g", "g_c"), user("a"), user("b"), user("c"), xor("q", "q_j"), end("dead"), some("j"), note("n"), end(),
                 flows=["start -> g", "g -> a : x", "g -> b : y", "g -> c", "a -> j", "b -> q", "q -> dead : stop", "q -> j", "c -> j", "j -> n -> end"]),
         "complete a; complete b stop=true", {"x": True, "y": True}, path=["n"], at=[]),
    Case("an inclusive join in a loop merges each round",
         process(start(), xor("m"), some("g"), task("a"), task("b"), some("j"), script("c", "=n+1", "n"), xor("w", "w_end"), end(),
                 flows=["start -> m -> g", "g -> a : true", "g -> b : true", "a -> j", "b -> j", "j -> c -> w", "w -> m : n < 3", "w -> end"]), "", {"n": 0}, has={"n": 3}, did={"c": 3, "end": 1}, at=[]),
    Case("an inclusive join after an interrupted branch",
         process(start(), both("g"), user("a"), user("b"), boundary("t", "b", signal("s")), end("e2"), some("j"), note("n"), end(),
                 flows=["start -> g -> a -> j", "g -> b -> j", "j -> n -> end", "t -> e2"]), "complete a; signal s", path=["n"], at=[]),
    Case("two hundred parallel branches join once", process(start(), both("g"), *(script(f"b{n}", f"={n}", f"v{n}") for n in range(200)), both("j"), note("n"), end(),
         flows=["start -> g", *(f"g -> b{n} -> j" for n in range(200)), "j -> n -> end"]), path=["n"], has={f"v{n}": n for n in range(200)}, at=[]),
    Case("exclusive: the first that holds, in the file's order", process(start(), xor("g", "g_c"), note("a"), note("b"), note("c"), end(),
         flows=["start -> g", "g -> b : x > 1", "g -> a : x > 0", "g -> c", "a -> end", "b -> end", "c -> end"]), "", {"x": 5}, path=["b"], at=[]),
    Case("a parallel join of the same branch twice is refused", process(start(), xor("g", "g_b"), task("a"), task("b"), both("j"), end(),
         flows=["start -> g", "g -> a : x", "g -> b", "a -> j", "b -> j", "j -> end"]), refused="deadlock"),
]  # fmt: skip


@table(*TOP)
def test_scopes_and_gateways(world: World, case: Case) -> None:
    play(case, world)
