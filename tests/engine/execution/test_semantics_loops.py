"""Multi-instance and loops in company: boundary events, subprocesses, calls, early ends, compensation."""

from __future__ import annotations

from tests.engine.build import (
    both,
    boundary,
    call,
    compensate,
    compensation_boundary,
    each,
    end,
    error,
    escalation,
    event_sub,
    message,
    note,
    process,
    receive,
    repeat,
    script,
    service,
    start,
    sub,
    terminate,
    throw,
    timer,
    user,
    xor,
)  # fmt: skip
from tests.engine.execution.case import Case, play, table
from tests.engine.world import World

LINE = "start -> x -> end"


def line(*x: str, more: tuple[str, ...] = (), flows: tuple[str, ...] = ()) -> bytes:
    return process(start(), *x, end(), *more, flows=[LINE, *flows])


ON_MULTI = [
    Case(
        "an interrupting timer on a parallel multi-instance ends every iteration once",
        line(user("x", each("=[1,2,3]")), boundary("late", "x", timer("Duration", "PT1H")), more=(note("n"), end("e2")), flows=("late -> n -> e2",)),
        "complete x; later 1h",
        path=["n"], did={"x": 1, "end": 0}, at=[],
    ),
    Case(
        "a non-interrupting timer on a sequential multi-instance fires once for the whole activity",
        line(user("x", each("=[1,2,3]", sequential=True)), boundary("late", "x", timer("Duration", "PT1H"), interrupting=False),
             more=(note("n"), end("e2")), flows=("late -> n -> e2",)),
        "complete x; later 2h; complete x; later 2h; complete x",
        path=["n"], did={"end": 1}, at=[],
    ),
    Case(
        "a non-interrupting message on a multi-instance, thrice",
        line(user("x", each("=[1,2]")), boundary("b", "x", message("hi", "=\"k\""), interrupting=False),
             more=(note("n"), end("e2")), flows=("b -> n -> e2",)),
        "publish hi k; publish hi k; publish hi k; complete x; complete x; publish hi k",
        path=["n", "n", "n"], at=[],
    ),
    Case(
        "a boundary event on an activity inside each iteration of a subprocess belongs to that iteration",
        line(
            sub("x", start("is"), user("u"), end("ie"), boundary("late", "u", timer("Duration", "=t")), script("s", "=i", "gone"), end("ie2"),
                flows=["is -> u -> ie", "late -> s -> ie2"], loop=each('=["PT1H","PT3H"]', "t", out="all", of="=t"), inputs={"i": "=loopCounter"}),
        ),
        "later 2h; complete u",
        has={"gone": 1, "all": ["PT1H", "PT3H"]}, did={"u": 1, "s": 1}, at=[],
    ),
    Case(
        "an error inside one iteration of a subprocess ends all of them",
        line(
            sub("x", start("is"), user("u"), xor("g", "g_ok_"), end("ok_"), end("bad", error("E")),
                flows=["is -> u -> g", "g -> bad : v", "g -> ok_"], loop=each("=[1,2,3]")),
            boundary("b", "x", error("E")), more=(note("n"), end("e2")), flows=("b -> n -> e2",)),
        "complete u v=false; complete u v=true",
        path=["n"], did={"ok_": 1, "end": 0}, at=[],
    ),
    Case(
        "an escalation out of one iteration leaves the others alone when it does not interrupt",
        line(
            sub("x", start("is"), throw("t", escalation("high")), user("u"), end("ie"), flows="is -> t -> u -> ie", loop=each("=[1,2]")),
            boundary("b", "x", escalation("high"), interrupting=False), more=(note("n"), end("e2")), flows=("b -> n -> e2",)),
        "complete u; complete u",
        path=["n", "n"], did={"end": 1}, at=[],
    ),
    Case(
        "terminate inside an iteration ends that iteration only",
        line(sub("x", start("is"), both("g"), user("u"), user("v"), end("stop", terminate()), end("ie"),
                 flows=["is -> g -> u -> stop", "g -> v -> ie"], loop=each("=[1,2]"))),
        "complete u; complete v; complete u",
        did={"u": 2, "v": 1, "stop": 2, "end": 1}, at=[],
    ),
    Case(
        "a completion condition withdraws the other subprocesses",
        line(sub("x", start("is"), user("u"), end("ie"), flows="is -> u -> ie", loop=each("=[1,2,3,4]", until="numberOfCompletedInstances >= 2"))),
        "complete u; complete u",
        did={"u": 2}, at=[],
    ),
    Case(
        "a completion condition sees what the iterations wrote outside",
        line(user("x", each("=[1,2,3]", sequential=True, until="=found"))),
        "complete x found=false; complete x found=true", {"found": False},
        did={"end": 1}, at=[],
    ),
    Case(
        "an input collection that is null is an incident, not silence",
        line(user("x", each("=nothing"))), at=["x"], incidents=(("x", "expression"),),
    ),
    Case(
        "iterations keep their own inputs, and outputs go to the collection only",
        line(user("x", each("=[1,2]", "n", out="all", of="=r"))),
        "complete x r=10; complete x r=20",
        has={"all": [10, 20]}, lacks=("r", "n", "loopCounter"), at=[],
    ),
    Case(
        "a nested multi-instance of call activities with a completion condition in each",
        (
            process(start(), sub("x", start("is"), call("c", "q", each("=row", "n", until="numberOfCompletedInstances = 2", out="inner", of="=twice")), end("ie"),
                    flows="is -> c -> ie", loop=each("=[[1,2,3],[4,5,6]]", "row", sequential=True, out="out", of="=inner")), end(), flows=LINE),
            process(start("qs"), script("dbl", "=n*2", "twice"), end("qe"), id="q", flows="qs -> dbl -> qe"),
        ),
        has={"out": [[2, 4, None], [8, 10, None]]}, at=[],
    ),
    Case(
        "a multi-instance of a multi-instance's items nests lists",
        line(sub("x", start("is"), script("y", "=n + 1", "m", each("=row", "n", out="ys", of="=m")), end("ie"), flows="is -> y -> ie",
                 loop=each("=[[1,2],[3]]", "row", out="all", of="=ys"))),
        has={"all": [[2, 3], [4]]}, at=[],
    ),
    Case(
        "a multi-instance service task: one call fails with an error, the boundary catches it",
        line(service("x", each("=[1,2]")), boundary("b", "x", error()), more=(note("n"), end("e2")), flows=("b -> n -> e2",)),
        "answer x; answer x !ANY",
        path=["n"], did={"end": 0}, at=[],
    ),
    Case(
        "each iteration of a receive task has its own key",
        line(receive("x", "m", "=k", each('=["a","b"]', "k", out="all", of="=v"))),
        "publish m b v=2; publish m a v=1", has={"all": [1, 2]}, at=[],
    ),
    Case(
        "a sequential loop of a subprocess with an inner loop back",
        line(sub("x", start("is"), xor("m"), script("s", "=if n = null then 1 else n + 1", "n"), xor("g", "g_m"), end("ie"),
                 flows=["is -> m -> s -> g", "g -> ie : modulo(n, 3) = 0", "g -> m"], loop=each("=[1,2]", sequential=True))),
        has={"n": 6}, did={"s": 6}, at=[],
    ),
    Case("a standard loop of a subprocess", line(sub("x", start("is"), script("s", "=n+1", "n"), end("ie"), flows="is -> s -> ie", loop=repeat("n < 4"))),
         "", {"n": 0}, has={"n": 4}, at=[]),
    Case("a standard loop of a call activity", (line(call("x", "q", repeat("n < 3"))), process(start("a"), script("s", "=n+1", "n"), end("z"),
         flows="a -> s -> z", id="q")),
         "", {"n": 0}, has={"n": 3}, at=[]),
    Case(
        "compensation of a multi-instance undoes every iteration by one handler each",
        process(start(), service("x", each("=[1,2]", "n", sequential=True)), compensation_boundary("x", "undo"), note("undo", isForCompensation=True),
                throw("back", compensate()), end(), flows="start -> x -> back -> end"),
        "answer x; answer x", path=["undo"], at=[],
    ),
    Case(
        "an event subprocess inside a multi-instance subprocess listens in each iteration",
        line(sub("x", start("is"), user("u"), end("ie"), event_sub("h", start("hs", message("stop", "=k")), script("s", "=k", "stopped"), end("he"),
        flows="hs -> s -> he"),
                 flows="is -> u -> ie", loop=each('=["a","b"]', "k"))),
        "publish stop b; complete u", has={"stopped": "b"}, did={"u": 1, "end": 1}, at=[],
    ),
    Case("two hundred parallel iterations", line(script("x", "=n*n", "sq", each("=for i in 1..200 return i", "n", out="all", of="=sq"))),
         has={"all": [n * n for n in range(1, 201)]}, at=[]),
    Case("a loop back to a multi-instance runs it anew", process(start(), xor("m"), user("x", each("=[1,2]", out="all", of="=r")), script("c", "=n+1", "n"),
         xor("g", "g_end"), end(),
         flows=["start -> m -> x -> c -> g", "g -> m : n < 2", "g -> end"]), "complete x r=1; complete x r=2; complete x r=3; complete x r=4", {"n": 0},
         has={"all": [3, 4]}, at=[]),
    Case("a cardinality that is negative is an incident", line(user("x", each("=null").replace('inputCollection="=null"', "").replace("</multi",
         "<loopCardinality>=n</loopCardinality></multi"))),
         "", {"n": -1}, incidents=(("x", "expression"),), at=["x"]),
]  # fmt: skip


@table(*ON_MULTI)
def test_loops(world: World, case: Case) -> None:
    play(case, world)
