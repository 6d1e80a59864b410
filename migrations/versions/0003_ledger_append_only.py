"""The ledger and signed days are kept by the database itself, whoever asks.

Autogeneration does not see triggers. On SQLite a later batch change of one of these tables drops them: make them anew there.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SIGNED = "(SELECT signed_at FROM reconciliation_day WHERE id = OLD.day_id) IS NOT NULL"
FACTS = "kind, line, key, his, platform, provider, lines, day_id"
LEDGER, DAY = "the ledger is append-only", "a signed day is never changed"
TRIGGERS = (  # name, table, on what, when, what is said
    ("payment_entry_kept", "payment_entry", "UPDATE", "", LEDGER),
    ("payment_entry_stays", "payment_entry", "DELETE", "", LEDGER),
    ("reconciliation_day_kept", "reconciliation_day", "UPDATE", "OLD.signed_at IS NOT NULL", DAY),
    ("reconciliation_day_stays", "reconciliation_day", "DELETE", "OLD.signed_at IS NOT NULL", DAY),
    ("reconciliation_difference_kept", "reconciliation_difference", f"UPDATE OF {FACTS}", SIGNED, DAY),
    ("reconciliation_difference_stays", "reconciliation_difference", "DELETE", SIGNED, DAY),
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, table, on, when, said in TRIGGERS:
        if sqlite:
            condition = f"WHEN {when}" if when else ""
            op.execute(f"CREATE TRIGGER {name} BEFORE {on} ON {table} {condition} BEGIN SELECT RAISE(ABORT, '{said}'); END")
            continue
        refuse = f"RAISE EXCEPTION '{said}';"
        body = f"IF {when} THEN {refuse} END IF;" if when else refuse
        result = "OLD" if on == "DELETE" else "NEW"
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN {result}; END $$")
        op.execute(f"CREATE TRIGGER {name} BEFORE {on} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, table, *_ in TRIGGERS:
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON {table}")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
