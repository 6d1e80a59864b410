"""Multi-instance and standard loops: a body token that counts, and one token for each iteration."""

from __future__ import annotations

from typing import Any

from engine.execution import feel
from engine.execution.specs.base import Stuck, truth
from engine.execution.tokens import Token
from engine.models.elements import Loop


def begin(token: Token) -> bool:
    """Arms the boundary events and starts the first iterations; True when there is nothing to do."""
    loop = token.element.loop
    assert loop is not None
    if "loop" in token.notes:
        return False
    if loop.kind == "standard":
        return _begin_standard(token, loop)
    items = _items(token, loop)
    token.notes["loop"] = {"n": len(items), "next": 0, "active": 0, "done": 0}
    if loop.output_collection:
        token.notes["out"] = [None] * len(items)
    if not items:
        _write_output(token, loop)
        token.notes["result"] = {}
        return True
    token.scope.run.arm_boundaries(token)
    if loop.parallel:
        for item in items:
            _start(token, loop, item)
    else:
        token.notes["items"] = items
        _start(token, loop, items[0])
    token.scope.run.wait(token, "loop")
    return False


def iteration_done(token: Token) -> None:
    """Counts an iteration, keeps its output, and starts the next one or lets the body go on."""
    body = token.scope.tasks[token.notes["body"]]
    loop, count = body.element.loop, body.notes["loop"]
    assert loop is not None
    index = token.notes["iteration"]
    if loop.output_element and "out" in body.notes:
        body.notes["out"][index] = feel.evaluate(loop.output_element.removeprefix("="), token.variables())
    if "counted" not in token.notes:
        count["active"] -= 1
        count["done"] += 1
        token.notes["counted"] = True
    if not _again(token, body, loop):
        _end(body, loop, but=token)
    elif not (loop.kind == "multi" and loop.parallel):
        _start(body, loop, body.notes["items"][count["next"]] if loop.kind == "multi" else None)


def _again(token: Token, body: Token, loop: Loop) -> bool:
    if loop.kind == "standard":
        return _goes_on(body, loop)
    count = body.notes["loop"]
    return count["done"] < count["n"] and not _complete_early(token, body, loop)


def _begin_standard(token: Token, loop: Loop) -> bool:
    token.notes["loop"] = {"n": loop.maximum or -1, "next": 0, "active": 0, "done": 0}
    if loop.test_before and not _goes_on(token, loop):
        token.notes["result"] = {}
        return True
    token.scope.run.arm_boundaries(token)
    _start(token, loop, None)
    token.scope.run.wait(token, "loop")
    return False


def _goes_on(body: Token, loop: Loop) -> bool:
    count = body.notes["loop"]
    if 0 < count["n"] <= count["done"]:
        return False
    if loop.condition is None:
        return count["n"] > 0
    variables = {**body.variables(), "loopCounter": count["done"]}
    return truth(feel.evaluate(loop.condition, variables), loop.condition, "of the loop", variables)


def _items(token: Token, loop: Loop) -> list[Any]:
    if loop.collection is None:
        number = feel.evaluate((loop.cardinality or "0").removeprefix("="), token.variables())
        if not isinstance(number, int) or number < 0:
            raise Stuck("expression", f"The loop cardinality {loop.cardinality!r} gives {number!r}, no count.")
        return list(range(1, number + 1))
    items = feel.evaluate(loop.collection.removeprefix("="), token.variables())
    if not isinstance(items, list):
        raise Stuck("expression", f"The input collection {loop.collection!r} gives {items!r}, no list.")
    return items


def _start(body: Token, loop: Loop, item: Any) -> None:
    count = body.notes["loop"]
    token = body.scope.run.new_token(body.scope, body.element.id, iteration=count["next"], body=body.id, via=body.notes.get("via"))
    count["next"] += 1
    count["active"] += 1
    token.data["loopCounter"] = count["next"]
    if loop.element:
        token.data[loop.element] = item
    if loop.output_element and loop.output_element.removeprefix("=").isidentifier():
        token.data.setdefault(loop.output_element.removeprefix("="), None)
    body.scope.run.enqueue(token)


def _complete_early(token: Token, body: Token, loop: Loop) -> bool:
    if loop.completion is None:
        return False
    count = body.notes["loop"]
    numbers = {
        "numberOfInstances": count["n"], "numberOfActiveInstances": count["active"],
        "numberOfCompletedInstances": count["done"], "numberOfTerminatedInstances": 0,
    }  # fmt: skip
    variables = {**token.variables(), **numbers}
    return truth(feel.evaluate(loop.completion, variables), loop.completion, "of completion", variables)


def _end(body: Token, loop: Loop, but: Token) -> None:
    run = body.scope.run
    for other in [t for t in body.scope.tasks.values() if t.notes.get("body") == body.id and t is not but]:
        run.cancel(other)
    _write_output(body, loop)
    body.notes.pop("items", None)
    body.notes["result"] = {}
    run.resume(body)


def _write_output(body: Token, loop: Loop) -> None:
    if loop.output_collection:
        body.scope_write({loop.output_collection: body.notes.pop("out", [])})
