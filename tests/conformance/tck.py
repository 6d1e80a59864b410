"""Reads the DMN TCK's test cases and runs them: `python -m tests.conformance.tck FOLDER [--failures]` prints a table.

A folder holds, at any depth, `.dmn` models each beside its `*-test-*.xml` (inputs and expected results). A case passes when
every one of its expected results is equal, as the TCK's own runners judge it; numbers may differ by 1e-8.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from lxml import etree

from engine.errors import CarelaneError
from engine.execution import dmn
from engine.execution.dmn.expressions import children, local
from engine.execution.feel import YearMonthDuration
from engine.execution.feel.values import decode, encode

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
DURATION = re.compile(r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


@dataclass(frozen=True)
class Case:
    """One test case of the suite."""

    level: str
    folder: str
    id: str
    model: Path
    element: etree._Element

    def __str__(self) -> str:
        return f"{self.folder}:{self.id}"


def cases(root: Path) -> Iterator[Case]:
    """All test cases below a folder."""
    for file in sorted(root.rglob("*.xml")):
        suite = etree.parse(file, etree.XMLParser(remove_comments=True, remove_pis=True)).getroot()
        if local(suite) != "testCases":
            continue
        named = next((one.text or "" for one in suite if local(one) == "modelName"), "")
        model = file.parent / named.strip()
        level = next((part for part in file.parts if part.startswith("compliance-level")), "cases")
        for element in suite:
            if local(element) == "testCase":
                yield Case(level, file.parent.name, element.get("id", ""), model, element)


def run(case: Case) -> list[str]:
    """What is wrong with a case's results; nothing when it passes."""
    try:
        models = _models(case.model)
    except CarelaneError as error:
        return [f"model refused: {error}"]
    inputs = {one.get("name"): _value(one) for one in children(case.element, "inputNode")}
    reasons = []
    for node in children(case.element, "resultNode"):
        invocable = case.element.get("invocableName") if case.element.get("type", "decision") != "decision" else None
        reasons += _judge(models, invocable or node.get("name"), inputs, node)
    return reasons


def _judge(models: list[dmn.DecisionModel], decision: str, inputs: dict[str, Any], node: etree._Element) -> list[str]:
    expected = _value(next(children(node, "expected"), node))
    try:
        decided = dmn.decide(models, decision, inputs)
    except CarelaneError as error:
        # The standard turns every failure into null; we raise, so a wanted null is met by either.
        return [] if expected is None else [f"{decision}: {error}"]
    if _equal(encode(decided.result), encode(expected)):
        return []
    return [f"{decision}: {decided.result!r} instead of {expected!r} {'; '.join(decided.warnings)}"]


_read: dict[Path, list[dmn.DecisionModel]] = {}


def _models(path: Path) -> list[dmn.DecisionModel]:
    """The model, and after it those of its folder that it imports, however deep."""
    if path not in _read:
        first = dmn.read(path.read_bytes())
        siblings = {}
        if first.imports:
            siblings = {model.namespace: model for other in path.parent.glob("*.dmn") if (model := dmn.read(other.read_bytes()))}
        models = [first]
        for model in models:
            models += [siblings[one.namespace] for one in model.imports if siblings.get(one.namespace, model) not in models]
        _read[path] = models
    return _read[path]


def _value(element: etree._Element) -> Any:
    for child in element:
        kind = local(child)
        if kind == "list":
            return None if _nil(child) else [_value(item) for item in children(child, "item")]
        if kind == "component":
            return {one.get("name"): _value(one) for one in children(element, "component")}
        if kind == "value":
            return None if _nil(child) else _scalar(child)
    return None


def _nil(element: etree._Element) -> bool:
    return element.get(f"{XSI}nil") in ("true", "1")


def _scalar(element: etree._Element) -> Any:
    kind = element.get(f"{XSI}type", "xsd:string").rpartition(":")[2]
    text = element.text or ""
    if kind == "string":
        return text
    text = text.strip()
    if kind in ("decimal", "double", "integer", "float", "int", "long"):
        return float(text)
    if kind == "boolean":
        return text in ("true", "1")
    if kind == "duration":
        return _duration(text)
    reader = {"date": "@date", "time": "@time", "dateTime": "@datetime"}.get(kind)
    return decode({reader: text}) if reader else text


def _duration(text: str) -> Any:
    match = DURATION.match(text)
    if match is None:
        return text
    sign = -1 if match[1] else 1
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()[1:6])
    if match[2] or match[3]:
        return YearMonthDuration(sign * (12 * years + months))
    return sign * timedelta(days=days, hours=hours, minutes=minutes, seconds=float(match[7] or 0))


def _equal(actual: Any, expected: Any) -> bool:
    if isinstance(actual, dict) and isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(_equal(actual[key], expected[key]) for key in actual)
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(map(_equal, actual, expected))
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, int | float) and isinstance(expected, int | float):
        return abs(actual - expected) <= 1e-8 * max(1, abs(expected))
    return type(actual) is type(expected) and actual == expected


def main(arguments: list[str]) -> int:
    """Prints passed and total per folder and level; 0 when all pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--failures", action="store_true", help="print each failing case with its reason")
    options = parser.parse_args(arguments)
    passed: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for case in cases(options.folder):
        reasons = run(case)
        passed[case.level, case.folder].append(not reasons)
        if reasons and options.failures:
            print(f"  {case}: {' | '.join(reasons)}")
    for (level, folder), results in passed.items():
        print(f"{level:22} {folder:45} {sum(results):5} / {len(results):5}{'' if all(results) else '  <'}")
    for level in sorted({level for level, _ in passed}):
        results = [result for key, group in passed.items() if key[0] == level for result in group]
        print(f"{level:22} {'all':45} {sum(results):5} / {len(results):5}  {100 * sum(results) / len(results):.1f} %")
    return 0 if all(map(all, passed.values())) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
