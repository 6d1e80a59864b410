"""Where a field of the dictionary is used: deployed processes and forms, mappings, quality rules."""

from __future__ import annotations

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.models import deploy
from engine.models.tables import Definition
from integrations.dictionary import used
from integrations.mappings import book as mappings
from integrations.quality import rules
from web.i18n import named


def of(session: Session, key: str) -> list[tuple[str, str, str]]:
    """(kind, key, name) of everything whose newest version uses the field."""
    found = [(row.kind, row.key, _name(row)) for row in _newest(session) if key in _variables(session, row)]
    found += [("mapping", row.key, named(row)) for row in mappings.listed(session, "fields") if f'"{key}"' in str(row.draft.get("expression"))]
    found += [("rule", rule.id, rule.field) for rule in rules.rules(session) if key in rule.field.split(".")]
    return found


def _newest(session: Session) -> list[Definition]:
    rows = session.scalars(
        select(Definition).where(Definition.kind.in_(("process", "form"))).order_by(Definition.key, Definition.version.desc())
    )
    kept: dict[tuple[str, str, str | None], Definition] = {}
    for row in rows:
        kept.setdefault((row.kind, row.key, row.version_tag), row)
    return list(kept.values())


def _variables(session: Session, row: Definition) -> set[str]:
    if row.kind == "form":
        return used.of_form(orjson.loads(deploy.content(session, row)))
    return used.variables(deploy.model(session, row))


def _name(row: Definition) -> str:
    tag = f" · {row.version_tag}" if row.version_tag else ""
    return f"{named(row, row.key)}{tag}"
