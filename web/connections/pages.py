"""The blueprint, and what its pages share."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint
from sqlalchemy import func, select

from integrations.connections import kinds
from integrations.connections.tables import Connection
from integrations.messages.figures import Alarm
from integrations.messages.tables import WorkItem
from web.connections import sentences, words
from web.db import db
from web.i18n import language

bp = Blueprint("connections", __name__, template_folder="templates")


@bp.app_template_filter("payload")
def payload(value: Any) -> str:
    """A stage of a message for reading: HL7 a line a segment, JSON indented."""
    if not isinstance(value, str):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return value.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


bp.add_app_template_filter(sentences.said, "said")


def title_of(row: Connection) -> str:
    """A connection's name in the page's language, its code when it has none."""
    return str((row.title or {}).get(language()) or row.name)


def kind_title(kind: str) -> str:
    """A wire's name in the page's language."""
    found = kinds.KINDS.get(kind)
    return found.title[1 if language() == "zh" else 0] if found else kind


def field_title(name: str) -> str:
    """A field's name in words, where there are any."""
    kind, _, bare = name.rpartition(".")
    return str((words.SECRETS if kind == "secret" else words.FIELDS).get(bare, bare))


def alarm_words(alarm: Alarm) -> str:
    """What is wrong, in words."""
    if alarm.kind == "certificate":
        return str(words.ALARMS["expired"]) if alarm.minutes < 0 else str(words.ALARMS["certificate"]) % {"n": alarm.minutes // 1440}
    return str(words.ALARMS[alarm.kind]) % {"n": alarm.minutes}


def open_items() -> int:
    """How many messages wait on the work list."""
    return db.session.scalar(select(func.count()).select_from(WorkItem).where(WorkItem.state == "open")) or 0


@bp.context_processor
def _words() -> dict[str, Any]:
    return {
        "words": words, "title_of": title_of, "kind_title": kind_title, "field_title": field_title, "alarm_words": alarm_words,
        "open_items": open_items,
    }  # fmt: skip
