"""The shape that keeps the code readable: short files, short functions, and imports that only point backwards."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("forms", "engine", "integrations", "web")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "node_modules" not in path.parts)


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in sources():
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def length(function: Function) -> int:
    """Lines of a function, decorators left out."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): count for path in sources() if (count := len(path.read_text().splitlines())) > LONGEST_FILE}
    assert long == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": length(node)
        for name, module in parsed()
        for node in ast.walk(module)
        if isinstance(node, Function) and length(node) > LONGEST_FUNCTION
    }
    assert long == {}


def test_the_measure_sees_a_long_function() -> None:
    body = "\n".join("    x = 1" for _ in range(LONGEST_FUNCTION))
    function = ast.parse(f"@decorated\ndef f():\n{body}\n").body[0]
    assert isinstance(function, Function)
    assert length(function) == LONGEST_FUNCTION + 1


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_python_is_a_package(package: str) -> None:
    folders = {path.parent for path in sources() if path.is_relative_to(ROOT / package)}
    assert [str(folder.relative_to(ROOT)) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_tables_are_declared_where_migrations_look_for_them() -> None:
    elsewhere = [name for name, module in parsed() if Path(name).name != "tables.py" and declares_table(module)]
    assert elsewhere == []


def declares_table(module: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__tablename__" for target in node.targets)
        for node in ast.walk(module)
    )


def test_the_engine_commits_nowhere_but_in_the_worker() -> None:
    """The edge commits: a request, a worker step, a command. All else takes the caller's session."""
    commits = [
        f"{name}:{node.lineno}"
        for name, module in parsed()
        if name.startswith("engine/") and name != "engine/execution/worker.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert commits == []


def test_imports_point_backwards_only() -> None:
    """The contracts of [tool.importlinter] in pyproject.toml."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
