"""The lock files: complete, hashed, and silent about where packages come from."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.lock", "requirements-test.lock")
OURS = {"engine", "forms", "integrations", "web", "processes", "migrations", "benchmarks", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return normal(found[0])


def pins(lock: str) -> dict[str, str]:
    """Versions by name, from the lines that begin a requirement."""
    return {normal(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_a_hash(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", [*LOCKS, "web/client/package-lock.json"])
def test_no_lock_names_a_registry_or_a_path(name: str) -> None:
    text = (ROOT / name).read_text()
    if name.endswith(".json"):
        lock = json.loads(text)
        places = [key for key, package in lock["packages"].items() if "resolved" in package]
        assert places == []
        assert all("integrity" in package for key, package in lock["packages"].items() if key)
    else:
        assert re.findall(r"https?:|file:|--index|--find-links|(?<![\w.])/\w+", text) == []


def test_the_lock_covers_what_the_project_asks_for() -> None:
    locked = pins((ROOT / "requirements.lock").read_text())
    assert [name for name in map(named, PROJECT["dependencies"]) if name not in locked] == []


def test_the_test_lock_covers_every_extra() -> None:
    locked = pins((ROOT / "requirements-test.lock").read_text())
    extras = [requirement for group in PROJECT["optional-dependencies"].values() for requirement in group]
    assert [name for name in map(named, extras) if name not in locked] == []


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    runtime, test = (pins((ROOT / name).read_text()) for name in LOCKS)
    assert {name: (version, test.get(name)) for name, version in runtime.items() if test.get(name) != version} == {}


def test_every_import_is_declared() -> None:
    """A package that only happens to be installed with another one is not ours to import."""
    declared = {named(requirement) for requirement in PROJECT["dependencies"]}
    declared |= {named(requirement) for extra in ("celery", "amqp") for requirement in PROJECT["optional-dependencies"][extra]}
    owners = packages_distributions()
    undeclared = {
        f"{place} imports {module}"
        for place, module in imported()
        if module not in OURS | set(sys.stdlib_module_names) and not {normal(owner) for owner in owners.get(module, [])} & declared
    }
    assert undeclared == set()


def imported() -> set[tuple[str, str]]:
    """(file, top-level module) of each absolute import in our packages."""
    found: set[tuple[str, str]] = set()
    for package in ("engine", "forms", "integrations", "web", "migrations"):
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names = [node.module]
                found |= {(str(path.relative_to(ROOT)), name.partition(".")[0]) for name in names}
    return found
