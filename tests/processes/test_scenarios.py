"""Every scenario of every process plays as it says, and together they take each sequence flow of each diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import integrations.connectors  # noqa: F401  declares them
from engine.errors import ConnectorFailed
from engine.execution import scenario
from engine.execution.effects import JobOpened
from engine.execution.play import Played, Player, expand, play
from engine.execution.run import Run
from engine.models.elements import ProcessModel
from engine.models.read import read
from integrations import connector, schema

PROCESSES = Path(__file__).parents[2] / "processes"
FOLDERS = sorted(folder.parent for folder in PROCESSES.glob("*/scenarios.yaml"))

CONNECTORS = connector.declared()


def _scenarios() -> Iterator[tuple[Path, int, str]]:
    for folder in FOLDERS:
        for number, found in enumerate(scenario.load((folder / "scenarios.yaml").read_bytes())):
            yield folder, number, found.name


def _load(folder: Path, number: int) -> scenario.Scenario:
    """A fresh one each time: playing uses a scenario up."""
    return scenario.load((folder / "scenarios.yaml").read_bytes())[number]


@dataclass
class Play:
    """A scenario, how it went, and which calls the connectors would not have taken."""

    script: scenario.Scenario
    result: Played
    refused: list[str]


Plays = dict[tuple[str, int], Play]


def _play(folder: Path, number: int) -> Play:
    script = _load(folder, number)
    # A scenario without stubbed children plays through every process; the others need their own folder only.
    files = expand([str(PROCESSES if folder.name == "outpatient_visit" and not script.children else folder)])
    refused: list[str] = []
    give = Player._give

    def check(player: Player, run: Run, job: JobOpened, answer: Mapping[str, Any]) -> None:
        refused.extend(_refused(player, job))
        give(player, run, job, answer)

    with mock.patch.object(Player, "_give", check):
        return Play(script, play(files, script.process, script, auto=True, max_steps=500), refused)


def _refused(player: Player, job: JobOpened) -> Iterator[str]:
    """Names and types of a call's input against what the connector declares. Without a mapping a call gets every variable."""
    wanted = CONNECTORS[job.type].input
    if player.library.models[job.process].elements[job.element].inputs:
        for name in sorted(set(job.input) - {spec.name for spec in schema.specs(wanted)}):
            yield f"{job.element} sends {job.type} an unknown {name}"
    try:
        schema.read(wanted, job.input)
    except ConnectorFailed as error:
        yield f"{job.element}: {error.message}"


CASES = [pytest.param(folder, number, id=f"{folder.name}: {name}") for folder, number, name in _scenarios()]


@pytest.fixture(scope="module")
def played() -> Plays:
    """Each scenario is played once for all tests of this module."""
    return {}


def _once(played: Plays, folder: Path, number: int) -> Play:
    key = (folder.name, number)
    if key not in played:
        played[key] = _play(folder, number)
    return played[key]


@pytest.mark.parametrize(("folder", "number"), CASES)
def test_a_scenario_plays_as_it_says(played: Plays, folder: Path, number: int) -> None:
    each = _once(played, folder, number)
    script, result = each.script, each.result
    trace = [step["element"] for step in result.trace]
    expected = script.expect

    assert expected, "a scenario that expects nothing shows nothing"
    assert result.incidents == []
    assert result.status == expected.get("status", "completed"), f"waiting at {result.waiting}"
    if "end" in expected:
        own = [step["element"] for step in result.trace if step["process"] == script.process]
        assert own[-1] == expected["end"], own
    assert _missing_from(trace, expected.get("path", [])) is None, trace
    assert not set(trace) & set(expected.get("not_visited", [])), trace
    for name, value in expected.get("variables", {}).items():
        assert _plain(result.variables.get(name)) == value, name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_the_scenarios_take_every_sequence_flow(played: Plays, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scripts = scenario.load((folder / "scenarios.yaml").read_bytes())
    taken = {flow for number in range(len(scripts)) for flow in _once(played, folder, number).result.flows}
    missed: dict[str, list[str]] = {}
    lines = []
    for definition, model in _diagrams(folder):
        flows = set(model.flows)
        seen = {flow for process, flow in taken if process == definition}
        missed[definition] = sorted(flows - seen)
        lines.append(
            f"{Path(definition.partition('@')[2]).parent.name}/{Path(definition).name}: {len(flows & seen)} of {len(flows)} sequence flows"
        )
    with capsys.disabled():
        print("\n  " + "\n  ".join(lines), end="")
    assert not any(missed.values()), missed


@pytest.mark.parametrize(("folder", "number"), CASES)
def test_connectors_take_what_the_scenario_sends(played: Plays, folder: Path, number: int) -> None:
    assert _once(played, folder, number).refused == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_it_also_ends_when_played_with_example_values_alone(folder: Path) -> None:
    process = next(model.id for _, model in _diagrams(folder))

    result = play(expand([str(PROCESSES)]), process, auto=True, max_steps=300)

    assert (result.status, result.incidents) == ("completed", [])


def test_every_process_folder_has_what_an_owner_needs() -> None:
    wanted = ["README.md", "kpis.yaml", "scenarios.yaml", "simulation.yaml"]
    missing = [f"{folder.name}/{name}" for folder in _folders() for name in wanted if not (folder / name).exists()]
    assert missing == []


def _folders() -> list[Path]:
    return sorted(path for path in PROCESSES.iterdir() if path.is_dir())


def _diagrams(folder: Path) -> Iterator[tuple[str, ProcessModel]]:
    for path in sorted(folder.glob("*.bpmn")):
        for model in read(path.read_bytes(), str(path)):
            yield f"{model.id}@{path}", model


def _missing_from(trace: list[str], path: list[str]) -> str | None:
    """The first element of `path` that does not follow in `trace`, if any."""
    rest = iter(trace)
    return next((element for element in path if element not in rest), None)


def _plain(value: Any) -> Any:
    """Numbers as YAML has them: Decimal 10.99 equals 10.99."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if type(value).__name__ == "Decimal" else value
