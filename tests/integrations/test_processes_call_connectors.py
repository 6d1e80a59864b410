"""The shipped processes call connectors as they are declared: known types, every required input, only outputs that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import integrations
from engine.models.elements import Element
from engine.models.read import read
from integrations import schema
from integrations.connector import declared

ROOT = Path(__file__).parents[2] / "processes"
integrations.load()


def calls() -> Iterator[tuple[str, Element]]:
    for path in sorted(ROOT.rglob("*.bpmn")):
        for model in read(path.read_bytes(), str(path)):
            for element in model.elements.values():
                if element.job_type and not element.job_type.startswith("="):
                    yield f"{path.relative_to(ROOT)}:{element.id}", element


CALLS = dict(calls())


@pytest.mark.parametrize("name", CALLS)
def test_a_service_task_fits_its_connector(name: str) -> None:
    element = CALLS[name]
    assert element.job_type in declared()
    connector = declared()[str(element.job_type)]
    given = {mapping.target.split(".")[0] for mapping in element.inputs}
    specs = {spec.name: spec for spec in schema.specs(connector.input)}
    assert given <= set(specs), "an input that the connector does not know"
    assert {spec.name for spec in specs.values() if spec.required} <= given, "a required input is missing"
    outputs = {spec.name for spec in schema.specs(connector.output)}
    read_names = {match for m in element.outputs if (match := plain(m.source))}
    assert read_names <= outputs | given | {"true", "false", "null"}  # an input may be read back


def plain(source: str) -> str | None:
    """The variable that an output mapping reads, when it is no more than that."""
    found = re.fullmatch(r"=\s*([A-Za-z_]\w*)\s*", source)
    return found[1] if found else None


@pytest.mark.parametrize("name", CALLS)
def test_literal_inputs_are_values_that_the_connector_takes(name: str) -> None:
    element = CALLS[name]
    specs = {spec.name: spec for spec in schema.specs(declared()[str(element.job_type)].input)}
    wrong = [
        f"{mapping.target}={mapping.source}"
        for mapping in element.inputs
        if not mapping.source.startswith("=") and mapping.target in specs and not _fits(mapping.source, specs[mapping.target])
    ]
    assert wrong == []


def _fits(value: str, spec: schema.Spec) -> bool:
    return value in spec.about.choices if spec.about.choices else spec.kind in ("text", "date", "any")
