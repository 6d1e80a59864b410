"""A process folder is whole: both languages, known roles and connectors, figures for every task and branch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import forms
from engine.execution import feel, scenario
from engine.history.figures import targets
from engine.models.elements import Element, ProcessModel
from engine.models.read import read

PROCESSES = Path(__file__).parents[2] / "processes"
FOLDERS = sorted(path for path in PROCESSES.iterdir() if path.is_dir())
ROLES = {"registrar", "triage_nurse", "doctor", "lab_technician", "imaging_technician", "cashier", "pharmacist", "referral_coordinator"}
TAGS = {"arrival", "triage", "firstClinicianContact", "payment", "exam", "referral", "exit", "valueAdd"}
# What the process has gathered by the time a form is shown.
AROUND = {
    "candidates": [{"patientId": "P7", "name": "王芳", "birthDate": "1990-05-01", "idCardMasked": None}],
    "orders": {
        "tests": [],
        "labOrderId": "V1-L1",
        "imagingOrderId": "V1-R1",
        "procedure": {"code": "chest_xray", "name": "胸部 X 线", "modality": "DX"},
    },
}
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))


def _models(folder: Path) -> list[ProcessModel]:
    return [model for path in sorted(folder.glob("*.bpmn")) for model in read(path.read_bytes(), str(path))]


def _elements(folder: Path, *types: str) -> list[Element]:
    return [e for model in _models(folder) for e in model.elements.values() if not types or e.type in types]


def _forms(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("forms/*.form"))]
    return {form["id"]: form for form in found}


def _components(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for child in part.get("components", []):
        yield child
        yield from _components(child)


@each_folder
def test_every_name_in_a_diagram_is_also_chinese(folder: Path) -> None:
    unnamed = [e.id for e in _elements(folder) if e.name and not e.properties.get("carelane:name:zh")]
    unnamed += [m.id for m in _models(folder) if not m.properties.get("carelane:name:zh")]
    assert unnamed == []


@each_folder
def test_every_word_in_a_form_is_also_chinese(folder: Path) -> None:
    missing = []
    for id_, form in _forms(folder).items():
        for part in _components(form):
            properties = part.get("properties", {})
            wanted = [name for name in ("label", "description", "text", "dateLabel", "timeLabel") if part.get(name)]
            wanted += [f"option:{option['value']}" for option in part.get("values", []) if isinstance(option["value"], str)]
            wanted += [f"column:{column['key']}" for column in part.get("columns", [])]
            missing += [f"{id_}: {part.get('key', part['id'])} {name}" for name in wanted if not properties.get(f"{name}:zh")]
    assert missing == []


@each_folder
def test_every_user_task_names_a_role_and_a_form_of_its_folder(folder: Path) -> None:
    wrong = [e.id for e in _elements(folder, "userTask") if e.candidate_groups not in ROLES or e.form_id not in _forms(folder)]
    assert wrong == []
    unused = set(_forms(folder)) - {e.form_id for e in _elements(folder, "userTask")}
    assert unused == set()


@each_folder
def test_every_form_loads_and_its_examples_pass_its_own_checks(folder: Path) -> None:
    for path in sorted(folder.glob("forms/*.form")):
        assert forms.problems(path.read_bytes()) == []
        form = forms.load(path.read_bytes())
        values = forms.example(form, AROUND, feel.evaluate)
        assert forms.validate(form, values, AROUND, "en", feel.evaluate).errors == {}, path.name


@each_folder
def test_what_scenarios_fill_in_would_be_accepted_from_a_person(folder: Path) -> None:
    loaded = [forms.load(path.read_bytes()) for path in folder.parent.glob("*/forms/*.form")]
    by_id = {form.id: form for form in loaded}
    form_of = {e.id: e.form_id for each in FOLDERS for e in _elements(each, "userTask")}
    for script in scenario.load((folder / "scenarios.yaml").read_bytes()):
        for element, given in script.steps.items():
            for values in given if isinstance(given, list) else [given]:
                if values != "open":
                    checked = forms.validate(by_id[str(form_of[element])], values, {**AROUND, **script.variables}, "en", feel.evaluate)
                    assert checked.errors == {}, (script.name, element)
                    assert [note.path for note in checked.notes if note.reason == "unknown"] == [], (script.name, element)


@each_folder
def test_tags_are_those_that_kpis_know(folder: Path) -> None:
    assert {e.tag for e in _elements(folder) if e.tag} <= TAGS


@each_folder
def test_targets_are_of_known_kpis(folder: Path) -> None:
    assert targets(folder.name, PROCESSES)


@each_folder
def test_every_wait_for_a_message_has_a_timer(folder: Path) -> None:
    """Somebody is told when nothing comes. The watch for late money is the exception: it ends with its payment."""
    for model in _models(folder):
        timed = {e.attached_to for e in model.elements.values() if any(d.kind == "timer" for d in e.events)}
        waits = [e.id for e in model.elements.values() if e.type == "receiveTask"]
        assert set(waits) <= timed


@each_folder
def test_simulation_has_figures_for_every_task_branch_and_role(folder: Path) -> None:
    figures = yaml.safe_load((folder / "simulation.yaml").read_text(encoding="utf-8"))
    tasks = {e.id for e in _elements(folder, "userTask")}
    gateways = [e for e in _elements(folder, "exclusiveGateway", "inclusiveGateway") if len(e.outgoing) > 1]

    assert set(figures["durations"]) == tasks
    assert set(figures["branches"]) == {e.id for e in gateways}
    for gateway in gateways:
        shares = figures["branches"][gateway.id]
        assert set(gateway.outgoing) <= set(shares), gateway.id
        if gateway.type == "exclusiveGateway":
            assert sum(shares[flow] for flow in gateway.outgoing) == pytest.approx(1), gateway.id
    assert {e.candidate_groups for e in _elements(folder, "userTask")} <= set(figures["staff"])
    assert {row["calendar"] for row in figures["staff"].values()} <= set(figures["calendars"])
    assert set(figures.get("waits", {})) | set(figures.get("events", {})) <= {e.id for e in _elements(folder)}


def test_clinical_tables_say_that_the_clinic_must_sign_them_off() -> None:
    clinical = [path for path in PROCESSES.glob("*/decisions/*.dmn") if not path.parts[-3].startswith("_")]

    assert len(clinical) == 4
    assert [path.name for path in clinical if "to be signed off by the clinic" not in path.read_text(encoding="utf-8")] == []


def test_the_visit_and_the_examination_come_in_two_versions() -> None:
    tags = {(m.id, m.version_tag) for folder in FOLDERS for m in _models(folder) if m.version_tag}

    assert tags == {(process, tag) for process in ("exam", "outpatient_visit") for tag in ("as-is", "to-be")}
