"""What an expression and a decision cost: `python -m benchmarks.engine.feel` prints milliseconds, each beside its baseline.

Baselines of the same run: the hop through mini-racer's own `call`; a text seen for the first time (which is what feelin's
interpreter does at each evaluation); one trip an expression instead of one a gateway; decisions one trip each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import count

from engine.execution import dmn, feel
from engine.execution.feel import isolate

CONTEXT = {"acuity": 2, "department": "ent", "paid": True, "amount": 12500, "patient": {"name": "王芳", "age": 36}, "unused": "x" * 20_000}
EXPRESSION = 'acuity <= 2 and department = "ent" and patient.age > 18'

TABLE = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" namespace="b" name="b" id="b">
<inputData id="i" name="score"><variable name="score" typeRef="number"/></inputData>
<decision id="d" name="d"><variable name="d"/><informationRequirement><requiredInput href="#i"/></informationRequirement>
<decisionTable hitPolicy="UNIQUE"><input><inputExpression typeRef="number"><text>score</text></inputExpression></input><output/>
{rules}</decisionTable></decision></definitions>"""
RULE = "<rule><inputEntry><text>[{0}..{1})</text></inputEntry><outputEntry><text>{0}</text></outputEntry></rule>"


def measure(rounds: int = 1000) -> dict[str, float]:
    """Milliseconds of each way."""
    new = count()
    model = dmn.read(TABLE.format(rules="".join(RULE.format(at, at + 1) for at in range(20))).encode())
    conditions = [f"acuity = {value}" for value in range(5)]
    feel.evaluate(EXPRESSION, CONTEXT)
    racer = isolate.present().racer
    ways: dict[str, Callable[[], object]] = {
        "expression": lambda: feel.evaluate(EXPRESSION, CONTEXT),
        "expression, first time": lambda: feel.evaluate(f"{EXPRESSION} and {next(new)} >= 0", CONTEXT),
        "hop": lambda: isolate.ask({"action": "evaluate", "expressions": [], "context": {}}),
        "hop by mini-racer's call": lambda: racer.eval("1", timeout_sec=1),
        "five conditions in one trip": lambda: feel.evaluate_many(conditions, CONTEXT),
        "five conditions in five trips": lambda: [feel.evaluate(one, CONTEXT) for one in conditions],
        "table of 20 rules": lambda: dmn.decide(model, "d", {"score": 19}),
    }
    return {name: timed(way, rounds) for name, way in ways.items()}


def timed(way: Callable[[], object], rounds: int) -> float:
    """The median of five runs, in milliseconds a call."""
    way()
    runs = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(rounds // 5):
            way()
        runs.append((time.perf_counter() - started) / (rounds // 5) * 1000)
    return round(sorted(runs)[2], 4)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
