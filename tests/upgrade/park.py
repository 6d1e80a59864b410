"""Makes the database that a release leaves behind: an instance in every wait state, and the manifest of how each goes on.

    cd <a checkout of the release, with its built FEEL bundle> && PYTHONPATH=. python -m tests.upgrade.park 0.2.0 <this repository>/tests/upgrade/releases

Run it with the release's own code, once, and keep the two files. What is expected of an instance is what the release itself
does with a twin of it, in a database of the twin's own.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy.orm import Session

import migrations
from engine import clock
from engine.db import open_engine
from engine.execution.check import deploy
from engine.settings import Settings
from tests.upgrade.cases import CASES, PARK, Case
from tests.upgrade.hands import MORNING, Hands

DATA_KEY = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="  # of these tests alone


def settings(folder: Path, **more: Any) -> Settings:
    """Settings of an installation that holds parked instances."""
    return Settings(var_dir=folder, secret_key="test", base_url="http://localhost:8000", data_key=DATA_KEY, **more).checked()


def parked(session: Session, case: Case) -> Hands:
    """Deploys a case and brings its instance to where it waits."""
    with clock.at(MORNING):
        deploy(session, {f"{case.name}.bpmn": case.file}, by="release")
    hands = Hands(session, case.name)
    if case.starts:
        hands.do([["start", case.variables]])
    hands.do(case.steps[: case.steps.index(PARK)])
    session.commit()
    return hands


def twin(case: Case) -> dict[str, Any]:
    """What the release does with an instance from beginning to end."""
    with TemporaryDirectory() as folder:
        engine = open_engine(settings(Path(folder)))
        migrations.upgrade(engine)
        with Session(engine, expire_on_commit=False) as session:
            hands = parked(session, case)
            hands.do(case.steps[case.steps.index(PARK) :])
            outcome = hands.outcome()
        engine.dispose()
    return outcome


def build(release: str, into: Path) -> None:
    """Writes `<release>.db.xz` and `<release>.json`."""
    with TemporaryDirectory() as folder:
        given = settings(Path(folder))
        engine = open_engine(given)
        version = migrations.upgrade(engine)
        rows = []
        with Session(engine, expire_on_commit=False) as session:
            for case in CASES:
                hands = parked(session, case)
                rest = case.steps[case.steps.index(PARK) + 1 :]
                expected = twin(case)
                rows.append({"name": case.name, "instance": hands.instance, "now": hands.now.isoformat(), "finish": rest, "expected": expected})
        engine.dispose()
        file = Path(folder) / "carelane.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("VACUUM")
        (into / f"{release}.db.xz").write_bytes(lzma.compress(file.read_bytes(), preset=9))
    manifest = {"release": release, "schema": version, "cases": rows}
    (into / f"{release}.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    build(sys.argv[1], Path(sys.argv[2]))
