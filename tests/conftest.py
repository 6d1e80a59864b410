"""Shared ground: a fresh SQLite database for each test; PostgreSQL, Redis and a browser where the machine has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from engine.db import Base, open_engine
from engine.settings import Settings
from tests import machines

ROOT = Path(__file__).parent.parent

# A busy machine is no finding: how long an example takes is judged by benchmarks, not by properties.
hypothesis.settings.register_profile("carelane", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True)
hypothesis.settings.load_profile("carelane")


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """A developer's own CARELANE_* variables must not decide whether a test passes."""
    for name in [name for name in os.environ if name.startswith("CARELANE_")]:
        del os.environ[name]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation of its own."""
    return Settings(var_dir=tmp_path / "var", secret_key="test-secret", base_url="http://localhost:8000").checked()


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    """A fresh SQLite file with every table, armed as in production."""
    load_tables()
    engine = open_engine(settings)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(database: Engine) -> Iterator[Session]:
    """One session on a fresh SQLite database. The test commits."""
    with Session(database, expire_on_commit=False) as opened:
        yield opened


def load_tables() -> None:
    """Imports each tables.py, so that foreign keys across packages resolve."""
    for package in ("engine", "integrations", "web"):
        for path in sorted((ROOT / package).rglob("tables.py")):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without a database name; skips where there is none."""
    if machines.postgres_bin() is None:
        pytest.skip("PostgreSQL is not installed")
    # Not in pytest's own folder: every session that starts takes others' permission to it away, and the server's with it.
    with TemporaryDirectory(prefix="carelane-postgres-") as folder, machines.postgres(Path(folder)) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database."""
    with machines.postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    """A database that other threads and processes can reach, armed as in production: the test runs on each kind."""
    if request.param == "postgresql":
        settings = replace(settings, database_url=request.getfixturevalue("postgres_url"))
    load_tables()
    opened = open_engine(settings)
    Base.metadata.create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server of our own; skips where there is none."""
    if machines.found("redis-server") is None:
        pytest.skip("Redis is not installed")
    with machines.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Playwright browser on the machine's Chromium; skips where there is none."""
    program = machines.found("chromium", "chromium-browser", "google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=machines.CHROMIUM_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page in a fresh browser context. An uncaught error in its scripts fails the test."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == [], f"uncaught errors in the page's scripts: {errors}"
