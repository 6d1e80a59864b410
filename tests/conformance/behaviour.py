"""Reader of a behaviour suite: a folder of executable BPMN models with `expected.json`, one construct each.

`expected.json` maps a file to cases {input, integer, expected}: the letters in variable `test`, the number in
`integerVariable`, and the trace, whose order does not matter. Scripts are tokens: SCRIPT_x appends itself, CREATE_MARKER_FILE
appends MARKER, INCREMENT_INTEGER_VARIABLE adds one (…_AND_LOG also appends INCREMENT), THROW_ERROR raises. A model is right
when every case gives its trace, and refused when it does not deploy.

    python -m tests.conformance.behaviour FOLDER
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from engine.errors import CarelaneError, InvalidModel
from engine.execution.play import play
from engine.execution.scenario import Scenario
from engine.models.read import read

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"
ERRORS = {"ERROR_RUNTIME", "ERROR_GENERIC"}


@dataclass(frozen=True)
class Outcome:
    """What became of one model: right, refused or wrong, and why."""

    model: str
    verdict: str
    reason: str = ""


def translate(xml: bytes) -> bytes:
    """The suite's scripts and conditions in FEEL."""
    root = etree.fromstring(xml)
    for task in [*root.iter(f"{BPMN}scriptTask"), *root.iter(f"{BPMN}globalScriptTask")]:
        script = task.find(f"{BPMN}script")
        if script is not None:
            _script(task, (script.text or "").strip())
            if task.tag == f"{BPMN}globalScriptTask":
                script.text = task.find(f".//{ZEEBE}script").get("expression")
            else:
                task.remove(script)
    conditions = ("conditionExpression", "condition", "loopCondition", "loopCardinality", "completionCondition")
    for node in (n for name in conditions for n in root.iter(f"{BPMN}{name}")):
        text = re.sub(r"\$\{(.*?)\}", r"\1", "".join(node.itertext()).strip().rstrip(">"))
        node.text = "=" + re.sub(r'(\w+)\.contains\("(\w+)"\)', r'contains(\1, "\2")', text)
    return etree.tostring(root)


def _script(task: etree._Element, token: str) -> None:
    holder = etree.Element(f"{BPMN}extensionElements")
    task.insert(0, holder)
    log = token if token.startswith(("SCRIPT_", "CREATE_TIMESTAMP_LOG")) else {"CREATE_MARKER_FILE": "MARKER"}.get(token)
    if token == "WAIT_TEN_SECONDS":
        task.tag = f"{BPMN}intermediateCatchEvent"
        timer = etree.SubElement(task, f"{BPMN}timerEventDefinition")
        etree.SubElement(timer, f"{BPMN}timeDuration").text = "PT10S"
        return
    if token == "THROW_ERROR":
        task.tag = f"{BPMN}serviceTask"
        etree.SubElement(holder, f"{ZEEBE}taskDefinition", type="throw")
        return
    expression, variable = {
        "INCREMENT_INTEGER_VARIABLE": ("=integerVariable + 1", "integerVariable"),
        "INCREMENT_INTEGER_VARIABLE_AND_LOG": ("=integerVariable + 1", "integerVariable"),
        "SET_STRING_DATA": ('="String"', "data"),
        "LOG_DATA": ('=append(if seen = null then [] else seen, if data = "String" then "DATA_CORRECT" else "DATA_WRONG")', "seen"),
    }.get(token, (f'=append(if seen = null then [] else seen, "{log}")' if log else "=seen", "seen"))
    if token.endswith("_AND_LOG"):
        mapping = etree.SubElement(holder, f"{ZEEBE}ioMapping")
        etree.SubElement(mapping, f"{ZEEBE}output", source="=integerVariable", target="integerVariable")
        etree.SubElement(mapping, f"{ZEEBE}output", source='=append(if seen = null then [] else seen, "INCREMENT")', target="seen")
    etree.SubElement(holder, f"{ZEEBE}script", expression=expression, resultVariable=variable)


def judge(folder: Path, name: str, cases: list[dict[str, object]]) -> Outcome:
    """Plays one model with each of its cases."""
    files = {name: translate((folder / name).read_bytes())}
    for case in cases:
        expected = list(case["expected"])  # type: ignore[call-overload]
        withheld = dict.fromkeys(re.findall(rb'<[\w:]*signal [^>]*name="([^"]+)"', files[name]), "none")  # only what is thrown comes
        script = Scenario(calls={"throw": {"error": "ERR_CODE"}}, messages={key.decode(): value for key, value in withheld.items()})
        variables = {"test": case["input"] or "", "integerVariable": case["integer"], "seen": []}
        try:
            _check(files)
            played = play(files, variables=variables, scenario_=script, auto=True, max_steps=200, companions=_companions(files[name]))
        except InvalidModel as error:
            return Outcome(name, "right" if set(expected) & ERRORS else "refused", str(error).splitlines()[0])
        except CarelaneError as error:
            return Outcome(name, "wrong", str(error))
        log = [entry for instance in played.instances for entry in instance.get("seen") or []]
        log = [entry for entry in log if entry != "MARKER" or entry in expected]  # a marker counts where the suite looks for it
        failed = any(incident["kind"] != "deadlock" for incident in played.incidents)
        if set(expected) & ERRORS:
            if not failed:
                return Outcome(name, "wrong", f"{case['input']}: expected an error, got {log}")
        elif Counter(log) != Counter(expected) or failed:
            return Outcome(name, "wrong", f"{case['input']}: {log} instead of {expected} {played.status} {played.incidents} {played.waiting}")
    return Outcome(name, "right")


def _companions(xml: bytes) -> list[str]:
    """The other pools' processes that begin by themselves and are called by nobody."""
    models = [model for model in read(xml) if model.executable]
    called = {e.called.process_id for model in models for e in model.elements.values() if e.called}
    _, *others = [model for model in models if model.id not in called] or models
    begins = [m for m in others if any(e.type == "startEvent" and not e.events and e.parent is None for e in m.elements.values())]
    return [model.id for model in begins]


def _check(files: dict[str, bytes]) -> None:
    try:
        from engine.execution.check import check
    except ImportError:
        return

    problems = [p for p in check(files) if p.severity == "error"]
    if problems:
        raise InvalidModel(problems)


def run(folder: Path) -> list[Outcome]:
    """Judges every model of `expected.json`."""
    expected = json.loads((folder / "expected.json").read_text())
    return [judge(folder, name, cases) for name, cases in sorted(expected.items())]


if __name__ == "__main__":
    outcomes = run(Path(sys.argv[1]))
    for outcome in outcomes:
        if outcome.verdict != "right":
            print(f"{outcome.verdict:8} {outcome.model}: {outcome.reason}")
    print(dict(Counter(outcome.verdict for outcome in outcomes)))
