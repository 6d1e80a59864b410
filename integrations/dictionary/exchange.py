"""The dictionary as a CSV file, and back: every line is checked before one is taken."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from engine.errors import InvalidForm
from integrations.dictionary import book
from integrations.dictionary.book import COLUMNS
from integrations.hl7.read import decode

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_ROWS = 5000


@dataclass
class Imported:
    """How many lines did what."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def export(session: Session) -> str:
    """All fields as CSV with a line of names; UTF-8 with a mark, so that spreadsheets read the Chinese."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in book.fields(session).values():
        writer.writerow([_safe(getattr(one, name)) for name in COLUMNS])
    return "\ufeff" + target.getvalue()


def load(session: Session, content: bytes, *, by: str, comment: str, dry: bool = False) -> Imported:
    """Takes fields from CSV (UTF-8 or GB18030); with `dry` only says what it would do.

    Raises InvalidForm with what is wrong by line; nothing is taken then. Fields that the file does not name stay.
    """
    reader = csv.DictReader(io.StringIO(decode(content).lstrip("\ufeff")))
    missing = [name for name in ("key", "name_en", "name_zh", "type") if name not in (reader.fieldnames or ())]
    if missing:
        raise InvalidForm({"line 1": [f"The column {name} is missing." for name in missing]})
    found, wrong = [], {}
    for row in reader:
        given = book.from_row({name: _plain(value) for name, value in row.items() if name and isinstance(value, str)})
        if bad := book.problems(given):
            wrong[f"line {reader.line_num} ({given.key})"] = [text for texts in bad.values() for text in texts]
        found.append(given)
    twice = {one.key for one in found if sum(other.key == one.key for other in found) > 1} if len(found) <= MOST_ROWS else set()
    if len(found) > MOST_ROWS:
        wrong["file"] = [f"It has more than {MOST_ROWS} lines."]
    wrong |= {key: ["Two lines have this key."] for key in sorted(twice)}
    if wrong:
        raise InvalidForm(wrong)
    done = Imported()
    known = book.fields(session)
    for one in found:
        place = done.added if one.key not in known else done.unchanged if known[one.key].body() == one.body() else done.changed
        place.append(one.key)
        if not dry:
            book.save(session, one, by=by, comment=comment)
    return done


def _safe(value: object) -> str:
    """No cell is a formula to a spreadsheet."""
    text = ("yes" if value else "") if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
