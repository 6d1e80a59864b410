"""The page of connectors in docs/, written from their declarations: `python -m integrations.docs`."""

from __future__ import annotations

from pathlib import Path

import integrations
from integrations import schema
from integrations.connector import Declared, declared
from integrations.schema import Spec

PAGE = Path(__file__).resolve().parents[1] / "docs" / "integration" / "connectors.md"
_HEAD = """# Connectors

A service task names a connector in its task definition's type. Each has an element template in the studio, in English and Chinese.
This page is written from the declarations by `python -m integrations.docs`.

Every wire connector takes the task header `connection` to use another connection than its own; addresses and secrets are never in a
diagram. A call is made at least once and always with the same key, which travels in the wire's own idempotency field, so that the
far end sees one effect. A failure is *transient* (tried again), *permanent* (an incident at once), *unknown* (an incident, never resent
silently), or a business error that the process may catch.

| connector | does | connection | standard | outcome arrives as |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    integrations.load()
    items = list(declared().values())
    rows = [
        f"| [`{i.type}`](#{i.type.replace('.', '').lower()}) | {i.title[0]} {i.title[1]} | {i.connection or '–'} "
        f"| {i.standard or '–'} | {f'`{i.message}`' if i.message else '–'} |"
        for i in items
    ]
    return _HEAD + "\n".join(rows) + "\n\n" + "\n".join(_section(item) for item in items)


def _section(item: Declared) -> str:
    lines = [f"## {item.type}", "", item.description[0], "", item.description[1], ""]
    for title, kind in (("input", item.input), ("output", item.output)):
        found = list(schema.specs(kind))
        if found:
            lines += [f"| {title} | kind | | |", "| --- | --- | --- | --- |", *(_row(spec, title == "input") for spec in found), ""]
    if item.errors:
        lines += ["| error | meaning |", "| --- | --- |"]
        lines += [f"| `{code}` | {english}; {chinese} |" for code, (english, chinese) in item.errors.items()] + [""]
    return "\n".join(lines)


def _row(spec: Spec, given: bool) -> str:
    kind = " / ".join(spec.about.choices) if spec.about.choices else spec.kind
    need = ("required" if spec.required else "optional") if given else ""
    return f"| `{spec.name}` | {kind} | {need} | {spec.about.en} {spec.about.zh}{' · personal' if spec.about.personal else ''} |"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
