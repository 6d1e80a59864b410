"""A real Orthanc: archive, worklist from files and DICOMweb, on free ports, gone with the test run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.machines import found, free_port, wait_until

USER, PASSWORD = "clinic", "orthanc-test"
PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True)
class Orthanc:
    """Where it listens."""

    dicom_port: int
    http_port: int
    worklists: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"


def program() -> str:
    """The path of Orthanc; skips, in words, where it is missing."""
    path = found("Orthanc")
    if path is None or not (PLUGINS / "libOrthancDicomWeb.so").exists():
        pytest.skip("Orthanc is not installed; Debian's packages orthanc and orthanc-dicomweb have it (tools/test-machine)")
    return path


@contextmanager
def running(folder: Path) -> Iterator[Orthanc]:
    """Starts Orthanc with its data under `folder`."""
    started, worklists = program(), folder / "worklists"
    worklists.mkdir(parents=True)
    made = Orthanc(free_port(), free_port(), worklists)
    settings = {
        "Name": "PACS", "DicomAet": "ORTHANC", "DicomPort": made.dicom_port, "HttpPort": made.http_port, "RemoteAccessAllowed": False,
        "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "index"), "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD}, "DefaultEncoding": "Utf8", "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True, "DicomAlwaysAllowFindWorklist": True, "Plugins": [str(PLUGINS)],
        "Worklists": {"Enable": True, "Database": str(worklists)}, "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([started, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(made), "Orthanc")
        yield made
    finally:
        process.terminate()
        process.wait(10)


def _answers(made: Orthanc) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{made.url}/system", auth=(USER, PASSWORD), trust_env=False, timeout=2).status_code == 200
    return False
