"""Brings a release's database back, on SQLite or on PostgreSQL, and upgrades it to what the code knows today."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, inspect, text

import migrations
from engine.db import open_engine
from tests.upgrade.park import settings

RELEASES = Path(__file__).parent / "releases"
MANIFESTS: list[dict[str, Any]] = [json.loads(path.read_text()) for path in sorted(RELEASES.glob("*.json"))]


def on_sqlite(manifest: dict[str, Any], folder: Path) -> Engine:
    """The release's own database file, not upgraded yet."""
    folder.mkdir(exist_ok=True)
    (folder / "carelane.db").write_bytes(lzma.decompress((RELEASES / f"{manifest['release']}.db.xz").read_bytes()))
    return open_engine(settings(folder))


def on_postgres(manifest: dict[str, Any], folder: Path, url: str) -> Engine:
    """The release's rows in PostgreSQL, in the schema of that release."""
    source = on_sqlite(manifest, folder)
    target = open_engine(settings(folder, database_url=url))
    migrations.upgrade(target, manifest["schema"])
    old, new = MetaData(), MetaData()
    old.reflect(source)
    new.reflect(target)
    with source.connect() as reading, target.begin() as writing:
        for table in new.sorted_tables:
            rows = [dict(row) for row in reading.execute(old.tables[table.name].select()).mappings()]
            if rows and table.name != "alembic_version":
                writing.execute(table.insert(), rows)
        for table in new.sorted_tables:
            if any(c["name"] == "id" and c.get("autoincrement") for c in inspect(writing).get_columns(table.name)):
                writing.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) + 1 FROM {table.name}))"))
    source.dispose()
    return target
