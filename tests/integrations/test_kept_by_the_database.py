"""The ledger and signed days are kept by the database itself, made by migrations, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

import migrations
from engine import db
from engine.db import Base
from engine.settings import Settings

NOW = "'2026-11-22 00:00:00'"
ROWS = (
    ("INSERT INTO payment (id, order_id, trade_no, channel, connection, amount, currency, refunded, state, patient_id, created) "
    f"VALUES ('p', 'o', 't', 'card', 'card', 1, 'CNY', 0, 'paid', 'P', {NOW})"),
    ("INSERT INTO payment_entry (id, payment_id, kind, amount, currency, reference, source, at) "
    f"VALUES ('e', 'p', 'paid', 1, 'CNY', 'r', '', {NOW})"),
    ("INSERT INTO reconciliation_day (id, day, connection, state, digest, sides, classes, ran, ran_by) "
    f"VALUES ('d', '2026-11-21', 'card', 'open', '', '{{}}', '{{}}', {NOW}, 'w')"),
    ("INSERT INTO reconciliation_difference (id, day_id, kind, line, key, lines, state) "
    "VALUES ('x', 'd', 'HIS_ONLY', 'pay', 'k', '{}', 'decided')"),
)  # fmt: skip
SIGN = f"UPDATE reconciliation_day SET signed_at = {NOW}, signed_by = 'lead', state = 'signed'"
REFUSED = (
    ("UPDATE payment_entry SET amount = 2", "append-only"), ("DELETE FROM payment_entry", "append-only"),
    ("UPDATE reconciliation_day SET signed_by = 'x'", "never changed"), ("DELETE FROM reconciliation_day", "never changed"),
    ("UPDATE reconciliation_difference SET kind = 'MATCH'", "never changed"), ("DELETE FROM reconciliation_difference", "never changed"),
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    url = "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    made = db.open_engine(Settings(var_dir=tmp_path / "var", database_url=url))
    yield made
    made.dispose()


@pytest.mark.parametrize("by", ["migration", "create_all"])
def test_what_is_kept_cannot_be_changed_by_anybody(engine: Engine, by: str) -> None:
    if by == "migration":
        migrations.upgrade(engine)
    else:
        Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
        connection.execute(text("UPDATE reconciliation_difference SET his = 1"))  # before the signature it may
        connection.execute(text(SIGN))
    for statement, why in REFUSED:
        with pytest.raises(DBAPIError, match=why), engine.begin() as connection:
            connection.execute(text(statement))
    with engine.begin() as connection:  # what became of it the next day is no fact of the signed day
        connection.execute(text("UPDATE reconciliation_difference SET state = 'cleared', cleared_day = '2026-11-22'"))
