"""Suites from outside, measured only when a folder is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance import tck


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--tck FOLDER`: the DMN TCK's test cases."""
    parser.addoption("--tck", default=os.environ.get("CARELANE_TCK"), help="folder of the DMN TCK's test cases")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a case of the TCK; none without a folder."""
    if "tck_case" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--tck", default=None)
        found = list(tck.cases(Path(folder))) if folder else []
        metafunc.parametrize("tck_case", found, ids=[str(case) for case in found])
